"""The plots of a run from its files: the work of the rule ``plot_run``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from forerun.config.frozen import read_frozen
from forerun.config.names import TIDY, current
from forerun.plots.index import write_all
from forerun.runs import progress
from forerun.runs.paths import RunPaths
from forerun.runs.records import recorded_folder
from forerun.runs.run_data import read_history
from forerun.runs.search import results
from forerun.runs.tables import read_cv_results, read_leaderboard, read_predictions


def draw_run(
    config: str,
    data: str,
    models: Sequence[str],
    cv_results: Sequence[str],
    combined: Sequence[str],
    leaderboard: str,
    predictions: str,
    folder: str,
    plot_series: int | None,
    plot_formats: Sequence[str] | None,
    processes: int,
) -> None:
    """Draw the plots of `plot_series` series into `folder`, as `plot_formats`.

    Parameters
    ----------
    models : names of the models of the files `cv_results`, in the same order
    combined : cross-validation results of the combinations, if the run has any
    processes : number of processes that draw
    """
    place = Path(folder)
    with (
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
