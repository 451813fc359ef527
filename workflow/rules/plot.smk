"""Plot a run: forecasts, back-tests, errors, leaderboard.

REQUIRED INPUTS: <runs>/{run_id}/predictions/, cv_results_{model}.csv, metrics.csv, leaderboard.csv
OUTPUTS: <runs>/{run_id}/plots/, checksums/plots.json
"""


rule plot_run:
    """Draw all kinds of plots for a limited number of series."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        cv_results=get_model_files("<runs>/{run_id}/cv_results_{model}.csv"),
        combined=get_combined_results,
        metrics="<runs>/{run_id}/metrics.csv",
        leaderboard="<runs>/{run_id}/leaderboard.csv",
        predictions="<runs>/{run_id}/predictions",
    output:
        report(
            directory("<runs>/{run_id}/plots"),
            patterns=["{name}.svg"],
            caption="../report/plots.rst",
            category="{run_id}",
            subcategory="Plots",
            labels=get_plot_labels,
        ),
        checksums="<runs>/{run_id}/checksums/plots.json",
    log:
        "<runs>/{run_id}/logs/plot_run.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/plot_run.tsv"
    localrule: True
    conda:
        "../envs/forerun.yaml"
    threads: 4
    resources:
        mem_mb=get_tables_memory,
        runtime=30,
    params:
        models=get_model_names,
        plot_series=get_plot_setting("plot_series"),
        plot_formats=get_plot_setting("plot_formats"),
        log_file=get_setting("log_file"),
    message:
        "{wildcards.run_id}: drawing plots"
    script:
        "../../scripts/plot_run.py"
