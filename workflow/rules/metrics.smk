"""Score the models of a run, and seal the run when it is complete.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet, cv_results_{model}.csv, status/{model}.json
OUTPUTS: <runs>/{run_id}/metrics.csv, leaderboard.csv, ensemble.json, cv_results_per_series.csv,
    cv_results_ensemble.csv, SEALED
"""


checkpoint score_models:
    """Compute the errors of all models; select, weight and rank them."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        cv_results=get_open(get_model_files("<runs>/{run_id}/cv_results_{model}.csv")),
        statuses=get_open(get_model_files("<runs>/{run_id}/status/{model}.json")),
        barrier=get_barrier("leaderboard.csv"),
    output:
        metrics="<runs>/{run_id}/metrics.csv",
        leaderboard="<runs>/{run_id}/leaderboard.csv",
        ensemble="<runs>/{run_id}/ensemble.json",
        cv_per_series="<runs>/{run_id}/cv_results_per_series.csv",
        cv_ensemble="<runs>/{run_id}/cv_results_ensemble.csv",
    log:
        "<runs>/{run_id}/logs/score_models.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/score_models.tsv"
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=get_tables_memory,
        runtime=60,
    params:
        models=get_model_names,
        log_file=get_setting("log_file"),
    message:
        "{wildcards.run_id}: scoring all models"
    script:
        "../../scripts/score_models.py"


rule seal_run:
    """Record the sha256 of all frozen files; the run is read-only from then on."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        provenance="<runs>/{run_id}/provenance.json",
        models=get_open(get_model_files("<runs>/{run_id}/models/{model}")),
        cv_results=get_open(get_model_files("<runs>/{run_id}/cv_results_{model}.csv")),
        statuses=get_open(get_model_files("<runs>/{run_id}/status/{model}.json")),
        metrics="<runs>/{run_id}/metrics.csv",
        leaderboard="<runs>/{run_id}/leaderboard.csv",
        ensemble="<runs>/{run_id}/ensemble.json",
        barrier=get_barrier("SEALED"),
    output:
        "<runs>/{run_id}/SEALED",
    log:
        "<runs>/{run_id}/logs/seal_run.log",
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=500,
        runtime=30,
    params:
        models=get_model_names,
        accept_failures=get_setting("accept_failures"),
    message:
        "{wildcards.run_id}: sealing"
    script:
        "../../scripts/seal_run.py"
