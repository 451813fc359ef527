"""Collect the fits of a model: its cross-validation results and its status."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.helper import record

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(**job):
    """Write results and status of a model; see :func:`forerun.jobs.collect.collect_model`."""
    record("forerun.jobs.collect:collect_model", **job)


if __name__ == "__main__":
    main(
        folder=str(Path(snakemake.input.config).parent),
        model=snakemake.wildcards.model,
        log=snakemake.log[0],
    )
