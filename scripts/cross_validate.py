"""Train a model before held-out windows and forecast them, in a child process."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.fit_job import Job, perform
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, model, fold, **how):
    """Write the forecasts of the windows of `fold`, or an empty table if the fit fails."""
    perform(Job(Fit(RunPaths(Path(config).parent), model, fold), **how))


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        model=snakemake.wildcards.model,
        fold=int(snakemake.wildcards.fold),
        threads=snakemake.threads,
        tries=snakemake.resources.tries,
        **snakemake.params.how,
    )
