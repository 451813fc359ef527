"""Train a model on all data of the run, in a child process."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.fit_job import Job, perform
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, model, **how):
    """Train and save `model`, or leave an empty folder if the fit fails."""
    perform(Job(Fit(RunPaths(Path(config).parent), model), **how))


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        model=snakemake.wildcards.model,
        threads=snakemake.threads,
        tries=snakemake.resources.tries,
        **snakemake.params.how,
    )
