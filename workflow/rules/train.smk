"""Train each model on all data of the run.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet
OUTPUTS: <runs>/{run_id}/models/{model}/ (empty if the model failed), parts/{model}/final.json
"""

FAST = rf"(?:{REQUEST.fast_models()})(?:_exog)?(?![A-Za-z0-9_-])"
NOT_FAST = rf"(?!{FAST}){paths.MODEL}"


rule train_model:
    """Train a model in a separate process; if it fails, the others continue."""
    input:
        unpack(get_fit_files("parts/{model}/final.json")),
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
    output:
        model=directory("<runs>/{run_id}/models/{model}"),
        outcome="<runs>/{run_id}/parts/{model}/final.json",
    log:
        "<runs>/{run_id}/logs/train_model/{model}.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/train_model/{model}.tsv"
    wildcard_constraints:
        model=NOT_FAST,
    priority: get_fit_priority
    retries: 4
    conda:
        "../envs/forerun.yaml"
    threads: get_threads
    resources:
        mem_mb=get_training_memory,
        runtime=get_training_runtime,
        gpu=get_gpus,
        fits=1,
        tries=get_tries,
    params:
        how=get_fit_options,
    message:
        "{wildcards.run_id}: training {wildcards.model}"
    script:
        "../../scripts/train_model.py"


use rule train_model as train_baseline with:
    wildcard_constraints:
        model=FAST,
