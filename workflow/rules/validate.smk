"""Cross-validate each model: train it before held-out windows and forecast them.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet
OUTPUTS: <runs>/{run_id}/parts/{model}/fold_{fold}.parquet and .json, cv_results_{model}.csv,
    status/{model}.json
"""

#: `per_series` and `ensemble` are combined from models by another rule.
NOT_COMBINED = rf"(?!(?:{'|'.join([*names.COMBINED, *names.FORMER])})\.){paths.MODEL}"


rule cross_validate:
    """Train a model before the windows of a fold, and forecast them."""
    input:
        unpack(get_fit_files("parts/{model}/fold_{fold}.json")),
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
    output:
        results="<runs>/{run_id}/parts/{model}/fold_{fold}.parquet",
        outcome="<runs>/{run_id}/parts/{model}/fold_{fold}.json",
    log:
        "<runs>/{run_id}/logs/cross_validate/{model}_{fold}.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/cross_validate/{model}_{fold}.tsv"
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
        "{wildcards.run_id}: cross-validating {wildcards.model} (fit {wildcards.fold})"
    script:
        "../../scripts/cross_validate.py"


use rule cross_validate as cross_validate_baseline with:
    wildcard_constraints:
        model=FAST,


rule collect_model:
    """Collect the fits of a model: its cross-validation results and its status."""
    input:
        unpack(get_fold_files),
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        final="<runs>/{run_id}/parts/{model}/final.json",
    output:
        cv_results="<runs>/{run_id}/cv_results_{model}.csv",
        status="<runs>/{run_id}/status/{model}.json",
    log:
        "<runs>/{run_id}/logs/collect_model/{model}.log",
    wildcard_constraints:
        model=NOT_COMBINED,
    priority: 20
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=get_collecting_memory,
        runtime=30,
    message:
        "{wildcards.run_id}: collecting {wildcards.model}"
    script:
        "../../scripts/collect_model.py"
