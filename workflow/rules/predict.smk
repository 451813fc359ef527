"""Forecast with the models of a run; possible at any time for a sealed run, without training.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet, models/{model}/, metrics.csv, leaderboard.csv,
    ensemble.json, cv_results_{model}.csv
OUTPUTS: <runs>/{run_id}/predictions/, checksums/predictions.json
"""


rule predict_shard:
    """Forecast some series of a large run; predict_run merges the shards (get_shards)."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        models=get_model_files("<runs>/{run_id}/models/{model}"),
        leaderboard="<runs>/{run_id}/leaderboard.csv",
        seal=get_seal,
    output:
        temp(directory("<runs>/{run_id}/shard_{scatteritem}")),
    log:
        "<runs>/{run_id}/logs/predict_shard/{scatteritem}.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/predict_shard/{scatteritem}.tsv"
    conda:
        "../envs/forerun.yaml"
    threads: get_threads
    resources:
        mem_mb=get_shard_memory,
        runtime=60,
        gpu=get_gpus,
    params:
        shard_size=get_setting("shard_size"),
        log_file=get_setting("log_file"),
        gpu_jobs=get_setting("gpu_jobs"),
    message:
        "{wildcards.run_id}: predicting shard {wildcards.scatteritem}"
    script:
        "../../scripts/predict_shard.py"


rule predict_run:
    """Forecast the steps after the end of each series with all models that did not fail."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        models=get_model_files("<runs>/{run_id}/models/{model}"),
        leaderboard="<runs>/{run_id}/leaderboard.csv",
        scores=get_scores,
        seal=get_seal,
        shards=get_shards,
    output:
        directory("<runs>/{run_id}/predictions"),
        checksums="<runs>/{run_id}/checksums/predictions.json",
    log:
        "<runs>/{run_id}/logs/predict_run.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/predict_run.tsv"
    conda:
        "../envs/forerun.yaml"
    threads: get_threads
    resources:
        mem_mb=get_usual_memory,
        runtime=60,
        gpu=get_gpus,
    params:
        log_file=get_setting("log_file"),
        gpu_jobs=get_setting("gpu_jobs"),
    message:
        "{wildcards.run_id}: predicting"
    script:
        "../../scripts/predict_run.py"
