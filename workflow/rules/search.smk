"""Search models' arguments: rounds of trials on windows before those of cross-validation.

The number of trials of each round follows from the configuration, so all jobs are planned at the
start. The arguments of the trials are in the file of their round.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet
OUTPUTS: <runs>/{run_id}/search/{study}/round_{round}.json, trial_{round}_{place}.json and .parquet,
    study.csv, chosen.json
"""


rule ask_trials:
    """Decide on the arguments of the trials of a round."""
    input:
        unpack(get_earlier_trials),
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        barrier=get_barrier("search/{study}/round_{round}.json"),
    output:
        "<runs>/{run_id}/search/{study}/round_{round}.json",
    log:
        "<runs>/{run_id}/logs/ask_trials/{study}_{round}.log",
    priority: 20
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    message:
        "{wildcards.run_id}: choosing the trials of {wildcards.study}, round {wildcards.round}"
    script:
        "../../scripts/ask_trials.py"


rule run_trial:
    """Train a trial and forecast the windows it is scored on; if it fails, the others continue."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        asked="<runs>/{run_id}/search/{study}/round_{round}.json",
        barrier=get_barrier("search/{study}/trial_{round}_{place}.json"),
    output:
        results="<runs>/{run_id}/search/{study}/trial_{round}_{place}.parquet",
        outcome="<runs>/{run_id}/search/{study}/trial_{round}_{place}.json",
    log:
        "<runs>/{run_id}/logs/run_trial/{study}_{round}_{place}.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/run_trial/{study}_{round}_{place}.tsv"
    priority: 15
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
        "{wildcards.run_id}: trial of {wildcards.study} (round {wildcards.round}, {wildcards.place})"
    script:
        "../../scripts/run_trial.py"


rule conclude_search:
    """Choose the best trials, which become models."""
    input:
        unpack(get_earlier_trials),
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        barrier=get_barrier("search/{study}/chosen.json"),
    output:
        table="<runs>/{run_id}/search/{study}/study.csv",
        chosen="<runs>/{run_id}/search/{study}/chosen.json",
    log:
        "<runs>/{run_id}/logs/conclude_search/{study}.log",
    priority: 20
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    message:
        "{wildcards.run_id}: choosing the models of {wildcards.study}"
    script:
        "../../scripts/conclude_search.py"
