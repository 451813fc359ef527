"""Forecast with the models of a run. Made from a sealed run at any time, without training.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet, models/{model}/, metrics.csv, leaderboard.csv,
    ensemble.json, cv_results_{model}.csv
OUTPUTS: <runs>/{run_id}/predictions/
"""


rule predict_run:
    """Forecast the steps after each series' end with every model that did not fail."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        models=get_model_files("<runs>/{run_id}/models/{model}"),
        leaderboard="<runs>/{run_id}/leaderboard.csv",
        seal=get_seal,
    output:
        directory("<runs>/{run_id}/predictions"),
    log:
        "<runs>/{run_id}/logs/predict_run.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/predict_run.tsv"
    conda:
        "../envs/forerun.yaml"
    threads: get_threads
    resources:
        mem_mb=get_training_memory,
        runtime=60,
        gpu=get_gpus,
    params:
        log_file=get_setting("log_file"),
    message:
        "{wildcards.run_id}: predicting"
    script:
        "../../scripts/predict_run.py"
