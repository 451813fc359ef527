"""Train a trial of a search and forecast the windows it is scored on, in a child process."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.fit_job import Job, perform
from forerun.runs.paths import RunPaths
from forerun.runs.search import Trial

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, study, number, place, **how):
    """Write the forecasts of the trial, or an empty table if the fit fails."""
    perform(Job(Trial(RunPaths(Path(config).parent), study, round=number, place=place), **how))


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        study=snakemake.wildcards.study,
        number=int(snakemake.wildcards.round),
        place=int(snakemake.wildcards.place),
        threads=snakemake.threads,
        tries=snakemake.resources.tries,
        **snakemake.params.how,
    )
