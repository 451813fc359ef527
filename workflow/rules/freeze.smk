"""Create a run: freeze its data, its provenance and its configuration.

REQUIRED INPUTS: the table named by `data_file` (static_file, futr_file where given)
OUTPUTS: <runs>/{run_id}/config.yaml, data.parquet, provenance.json
"""


rule freeze_run:
    """Validate the data and write down everything that decides the run's results."""
    input:
        unpack(get_tables),
    output:
        # First what is written last: Snakemake removes in this order when the job fails, and a run
        # exists as long as its configuration does.
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
