"""Plot a run: forecasts, back-tests, errors, leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.config.frozen import read_frozen
from forerun.config.names import TIDY, current
from forerun.jobs.logs import recording
from forerun.plots.figures import write_all
from forerun.runs import progress
from forerun.runs.paths import RunPaths
from forerun.runs.records import recorded_folder
from forerun.runs.run_data import read_history
from forerun.runs.search import results
from forerun.runs.tables import read_cv_results, read_leaderboard, read_predictions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    config,
    data,
    models,
    cv_results,
    combined,
    leaderboard,
    predictions,
    folder,
    plot_series,
    plot_formats,
    processes,
    log,
    log_file=None,
):
    """Draw the plots of `plot_series` series into `folder`, as `plot_formats`.

    Parameters
    ----------
    models : names of the models of the files `cv_results`, in the same order
    combined : cross-validation results of the combinations, if the run has any
    processes : number of processes that draw
    """
    place = Path(folder)
    with (
        recording(log, log_file),
        progress.figures(place.parent) as report,
        recorded_folder(place.parent, place.name) as temporary,
    ):
        settings = read_frozen(config)
        settings |= {"plot_series": plot_series, "plot_formats": plot_formats}
        cv = {m: read_cv_results(p) for m, p in zip(models, cv_results, strict=True)}
        for path in map(Path, combined):
            cv[current(path.stem.removeprefix("cv_results_"))] = read_cv_results(path)
        write_all(
            temporary,
            history=read_history(data),
            cv=cv,
            predictions={
                current(p.stem): read_predictions(p)
                for p in sorted(Path(predictions).glob("*.csv"))
                if p.stem != TIDY
            },
            leaderboard=read_leaderboard(leaderboard),
            settings=settings,
            processes=processes,
            searches=results(RunPaths(place.parent), settings),
            progress=report,
        )


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        models=snakemake.params.models,
        cv_results=snakemake.input.cv_results,
        combined=snakemake.input.combined,
        leaderboard=snakemake.input.leaderboard,
        predictions=snakemake.input.predictions,
        folder=snakemake.output[0],
        plot_series=snakemake.params.plot_series,
        plot_formats=snakemake.params.plot_formats,
        processes=snakemake.threads,
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
