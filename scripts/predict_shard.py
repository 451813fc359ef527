"""Forecast the steps after the end of each series for a shard of a large run."""

from typing import TYPE_CHECKING

from forerun.jobs.predict_job import perform

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(**job):
    """Write the forecasts of a shard; see :func:`forerun.forecasting.predict.write_shard`."""
    perform("write_shard", **job)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        models=list(snakemake.input.models),
        leaderboard=snakemake.input.leaderboard,
        folder=snakemake.output[0],
        shard=snakemake.wildcards.scatteritem,
        size=snakemake.params.shard_size,
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
        gpu_jobs=snakemake.params.gpu_jobs,
        threads=snakemake.threads,
    )
