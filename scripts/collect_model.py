"""Collect the fits of a model: its cross-validation results and its status."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.collect import collect
from forerun.jobs.logs import recording
from forerun.runs.paths import RunPaths

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, model, log):
    """Write ``cv_results_<model>.csv`` and ``status/<model>.json``."""
    with recording(log):
        collect(RunPaths(Path(config).parent), model)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        model=snakemake.wildcards.model,
        log=snakemake.log[0],
    )
