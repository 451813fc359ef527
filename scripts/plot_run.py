"""Plot a run: forecasts, back-tests, errors, leaderboard."""

from typing import TYPE_CHECKING

from forerun.jobs.helper import record

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(**job):
    """Draw the plots of a run; see :func:`forerun.plots.run_plots.draw_run`."""
    record("forerun.plots.run_plots:draw_run", is_measured=True, **job)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        models=list(snakemake.params.models),
        cv_results=list(snakemake.input.cv_results),
        combined=list(snakemake.input.combined),
        leaderboard=snakemake.input.leaderboard,
        predictions=snakemake.input.predictions,
        folder=snakemake.output[0],
        plot_series=snakemake.params.plot_series,
        plot_formats=snakemake.params.plot_formats,
        processes=snakemake.threads,
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
