"""The report of a run: a single HTML file that works offline.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet, provenance.json, cv_results_{model}.csv,
    status/{model}.json, metrics.csv, leaderboard.csv, predictions/
OUTPUTS: <runs>/{run_id}/report.html, checksums/report.json
"""


rule report_run:
    """Write the report of the run."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        provenance="<runs>/{run_id}/provenance.json",
        cv_results=get_model_files("<runs>/{run_id}/cv_results_{model}.csv"),
        statuses=get_model_files("<runs>/{run_id}/status/{model}.json"),
        metrics=report(
            "<runs>/{run_id}/metrics.csv",
            caption="../report/metrics.rst",
            category="{run_id}",
            subcategory="Tables",
            labels={"what": "errors of each series"},
        ),
        leaderboard=report(
            "<runs>/{run_id}/leaderboard.csv",
            caption="../report/leaderboard.rst",
            category="{run_id}",
            subcategory="Tables",
            labels={"what": "leaderboard"},
        ),
        predictions="<runs>/{run_id}/predictions",
    output:
        report(
            "<runs>/{run_id}/report.html",
            caption="../report/report_run.rst",
            category="{run_id}",
            subcategory="Page",
            labels={"what": "page of the run"},
        ),
        checksums="<runs>/{run_id}/checksums/report.json",
    log:
        "<runs>/{run_id}/logs/report_run.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/report_run.tsv"
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=get_tables_memory,
        runtime=30,
    params:
        log_file=get_setting("log_file"),
    message:
        "{wildcards.run_id}: writing the report"
    script:
        "../../scripts/report_run.py"
