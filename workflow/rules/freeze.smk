"""Create a run: freeze its data, its provenance and its configuration.

REQUIRED INPUTS: the table of `data_file` (static_file and futr_file, if given)
OUTPUTS: <runs>/{run_id}/config.yaml, data.parquet, provenance.json
"""


rule freeze_run:
    """Validate the data; freeze data, provenance and configuration."""
    input:
        unpack(get_tables),
        rerun_outdated,
    output:
        # Snakemake removes the outputs of a failed job in this order; the configuration, without
        # which the run does not exist, must be removed first.
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        provenance="<runs>/{run_id}/provenance.json",
    log:
        "<runs>/{run_id}/logs/freeze_run.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/freeze_run.tsv"
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=get_asked_settings,
    message:
        "{wildcards.run_id}: freezing configuration and data"
    script:
        "../../scripts/freeze_run.py"
