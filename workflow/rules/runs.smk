"""The table of all runs.

REQUIRED INPUTS: none
OUTPUTS: none (list-runs prints)
"""


rule list_runs:
    """Print the table of all runs."""
    name:
        "list-runs"
    log:
        ".snakemake/log/list_runs.log",
    localrule: True
    conda:
        "../envs/forerun.yaml"
    params:
        runs=HERE,
    script:
        "../../scripts/list_runs.py"
