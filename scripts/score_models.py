"""Compute the errors of all models of a run and of their combinations, and rank them."""

from typing import TYPE_CHECKING

from forerun.jobs.helper import record

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(**job):
    """Write scores and leaderboard; see :func:`forerun.jobs.score.score`."""
    record("forerun.jobs.score:score", is_measured=True, **job)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        models=list(snakemake.params.models),
        cv_results=list(snakemake.input.cv_results),
        statuses=list(snakemake.input.statuses),
        outputs=dict(snakemake.output.items()),
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
