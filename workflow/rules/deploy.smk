"""Update a deployment and its page. `forerun update NAME` does the same.

REQUIRED INPUTS: deployments/{deployment}/deployment.yaml, champions.jsonl (made by `forerun deploy`), and
    the table that deployment.yaml names
OUTPUTS: deployments/{deployment}/monitor.html; next to it, written once: forecasts/{origin}/, actuals/
"""


rule update_deployment:
    """Record new data, forecast, score, and write the page."""
    input:
        unpack(get_deployment),
    output:
        "<deployments>/{deployment}/monitor.html",
    log:
        "<deployments>/{deployment}/logs/update_deployment.log",
    benchmark:
        "<deployments>/{deployment}/benchmarks/update_deployment.tsv"
    localrule: True
    conda:
        "../envs/forerun.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        log_file=None,
    message:
        "{wildcards.deployment}: updating"
    script:
        "../../scripts/update_deployment.py"
