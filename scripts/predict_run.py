"""Forecast the steps after each series' end with every model of a run that did not fail."""

from typing import TYPE_CHECKING

from forerun import devices, isolate
from forerun.engines.base import MODULES
from forerun.models import specs
from forerun.yaml_files import load_yaml

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, data, models, leaderboard, folder, log, log_file=None, threads=1):
    """Write the forecasts into `folder`, in a process of its own; see forerun.predict.write."""
    settings = load_yaml(config)
    engines = dict.fromkeys(MODULES[spec.engine] for spec in specs(settings))
    uses_gpu = any(devices.are_used(settings, spec) for spec in specs(settings))
    arguments = {
        "config": config,
        "data": data,
        "models": models,
        "leaderboard": leaderboard,
        "folder": folder,
    }
    with devices.slot(settings.get("gpu_jobs", 1) * uses_gpu) as variables:
        isolate.call(
            "forerun.predict:write",
            arguments,
            log=log,
            imports=["forerun.training", *engines],
            threads=threads,
            log_file=log_file,
            variables=variables,
        )


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        models=list(snakemake.input.models),
        leaderboard=snakemake.input.leaderboard,
        folder=snakemake.output[0],
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
        threads=snakemake.threads,
    )
