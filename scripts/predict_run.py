"""Forecast the steps after each series' end with every model of a run that did not fail."""

from typing import TYPE_CHECKING

from forerun import isolate
from forerun.engines.base import MODULES
from forerun.models import specs
from forerun.yaml_files import load_yaml

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, data, models, leaderboard, folder, log, log_file=None, threads=1):
    """Write the forecasts into `folder`, in a process of its own; see forerun.predict.write."""
    engines = dict.fromkeys(MODULES[spec.engine] for spec in specs(load_yaml(config)))
    isolate.call(
        "forerun.predict:write",
        {
            "config": config,
            "data": data,
            "models": models,
            "leaderboard": leaderboard,
            "folder": folder,
        },
        log=log,
        imports=["forerun.training", *engines],
        threads=threads,
        log_file=log_file,
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
