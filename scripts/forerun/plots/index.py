"""All plots of a run, and an index that describes them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from forerun.base.files import write_json, write_text
from forerun.base.parallel import each
from forerun.base.text import clean, plural
from forerun.config.names import COMBINED
from forerun.plots.backtests import backtest
from forerun.plots.calibration import calibration
from forerun.plots.diagnostics import NAMES, SCALED, error_by_horizon, short_name
from forerun.plots.forecasts import forecast
from forerun.plots.frames import Frames, by_model, intervals, select
from forerun.plots.leaderboard import leaderboard as leaderboard_plot
from forerun.plots.names import (
    Chosen,
    choose_series,
    file_name,
    file_names,
    order_models,
    series_errors,
)
from forerun.plots.palette import configured, places
from forerun.plots.residuals import residuals
from forerun.plots.searches import search
from forerun.plots.style import Look, looks, save
from forerun.runs.json_files import read_plots
from forerun.runs.search import Result

INDEX, README = "index.json", "README.md"
MOST_RESIDUALS = 8
"""Residuals are drawn for that many models, the best ones."""


@dataclass(frozen=True)
class Plot:
    """One entry of the index."""

    name: str
    kind: str
    title: str
    about: str
    unique_id: str | None = None
    model: str | None = None
    role: str | None = None
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """A plot, and what makes its figure."""

    plot: Plot
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Inputs:
    """Data for the plots of a run."""

    history: pd.DataFrame
    cv: dict[str, pd.DataFrame]
    predictions: dict[str, pd.DataFrame]
    leaderboard: pd.DataFrame | None
    settings: Mapping[str, Any]
    models: list[str]
    palette: Mapping[str, Look]
    series: list[Chosen]
    searches: Sequence[Result] = ()

    @property
    def metric(self) -> str:
        """The metric that ranks models, or another one on the leaderboard."""
        wanted = str(self.settings.get("sort_metric") or "mae")
        board = self.leaderboard
        if board is None or wanted in board:
            return wanted
        return next((name for name in NAMES if name in board), wanted)


def write_all(
    folder: str | Path,
    history: pd.DataFrame,
    cv: Frames | None,
    predictions: Frames | None,
    leaderboard: pd.DataFrame | None,
    settings: Mapping[str, Any],
    processes: int = 1,
    searches: Sequence[Result] = (),
) -> list[Path]:
    """Write the plots of a run, with ``index.json`` and ``README.md``.

    Parameters
    ----------
    folder
        Target folder; other files in it are kept, outdated plots of an earlier call are removed.
    history
        ``unique_id, ds, y``, other columns are ignored.
    cv, predictions
        Frames by model, as in the run's files; empty ones (failed models) are skipped.
    leaderboard
        One row for each model, which determines the order of models.
    settings
        The run's configuration: ``plot_series`` (number of series to plot, 12), ``plot_formats``
        (png and svg), ``season_length``,
        ``sort_metric``, ``target_col``, ``time_col``, and the models, whose order determines their
        colors.
    processes
        How many draw at once.
    searches
        The searches of the run.

    Returns
    -------
    list of Path
        The files that were written.
    """
    inputs = replace(_inputs(history, cv, predictions, leaderboard, settings), searches=searches)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawings = [*_overview(inputs), *_searches(inputs), *_residuals(inputs), *_series(inputs)]
    formats = settings.get("plot_formats") or ["png", "svg"]

    def draw(number: int) -> list[Path]:
        gc.freeze()  # existing objects are not searched for garbage with each figure
        return save(drawings[number].draw(), folder, drawings[number].plot.name, formats)

    files = list(each(draw, len(drawings), processes))
    plots = [
        replace(drawing.plot, files={path.suffix[1:]: path.name for path in paths})
        for drawing, paths in zip(drawings, files, strict=True)
    ]
    _remove_stale(folder, plots)
    write_json(folder / INDEX, {
        "plots": [asdict(plot) for plot in plots],
        "series": [asdict(chosen) for chosen in inputs.series],
        "colours": {m: look.color for m, look in inputs.palette.items()},
    })  # fmt: skip
    write_text(folder / README, _readme(plots, inputs, formats))
    return [path for paths in files for path in paths]


def _inputs(
    history: pd.DataFrame,
    cv: Frames | None,
    predictions: Frames | None,
    leaderboard: pd.DataFrame | None,
    settings: Mapping[str, Any],
) -> Inputs:
    tested, future = by_model(cv), by_model(predictions)
    models = order_models(leaderboard, tested, future)
    ids = [str(value) for value in history["unique_id"].unique()]
    wanted = settings.get("plot_series")
    count = 12 if wanted is None else int(wanted)
    judge = next((model for model in models if model in tested), None)
    errors = pd.Series(dtype=float)
    if judge is not None:
        season = int(settings.get("season_length") or 1)
        errors = series_errors(tested[judge], judge, history, season)
    return Inputs(
        history, tested, future, leaderboard, settings, models,
        looks(models, places(configured(settings), models)), choose_series(errors, ids, count),
    )  # fmt: skip


def _overview(inputs: Inputs) -> Iterator[Drawing]:
    board, metric, look = inputs.leaderboard, inputs.metric, inputs.palette
    common: dict[str, Any] = {"palette": look, "settings": inputs.settings}
    if board is not None and len(board) and metric in board:
        yield Drawing(
            Plot("leaderboard", "leaderboard", "Leaderboard",
                 f"Every model by its {short_name(metric)} in cross-validation, the best at the "
                 "top, with its skill against the seasonal naive forecast and what fitting cost."),
            partial(leaderboard_plot, board, metric, **common),
        )  # fmt: skip
    tested = [model for model in inputs.models if model in inputs.cv]
    if not tested:
        return
    by_step = metric if metric in NAMES else "mae"
    if _steps(inputs.cv[tested[0]]) > 1:  # one step is in the leaderboard
        yield Drawing(
            Plot("error_by_horizon", "error_by_horizon", "Error by step ahead",
                 f"How the {short_name(by_step)} of each model grows with the steps ahead, over "
                 "all series and windows."),
            partial(error_by_horizon, inputs.cv, tested, by_step, **common,
                    history=inputs.history if by_step in SCALED else None),
        )  # fmt: skip
    if any(intervals(inputs.cv[model], model) for model in tested):
        yield Drawing(
            Plot("calibration", "calibration", "Calibration of the prediction intervals",
                 "Share of actual values inside each model's intervals, compared with the "
                 "level."),
            partial(calibration, inputs.cv, models=tested, palette=look),
        )  # fmt: skip


def _searches(inputs: Inputs) -> Iterator[Drawing]:
    for found in inputs.searches:
        name, models = found.study.name, found.study.models
        if found.table["error"].notna().any():
            look = next((inputs.palette[m] for m in models if m in inputs.palette), None)
            chosen = [candidate.trial for candidate in found.chosen.trials]
            yield Drawing(
                Plot(f"search_{file_name(name)}", "search", f"Search {name}",
                     "Error of each trial by round, on data before the cross-validation."),
                partial(search, found.table, name, chosen, look=look,
                        metric=inputs.settings["sort_metric"], settings=inputs.settings),
            )  # fmt: skip


def _steps(cv: pd.DataFrame) -> int:
    return int(cv.groupby(["unique_id", "cutoff"], observed=True).size().max())


def _residuals(inputs: Inputs) -> Iterator[Drawing]:
    tested = [m for m in inputs.models if m in inputs.cv and m not in COMBINED]
    names = file_names(tested)
    common: dict[str, Any] = {"palette": inputs.palette, "settings": inputs.settings}
    for model in tested[:MOST_RESIDUALS]:
        plot = Plot(
            f"residuals_{names[model]}", "residuals", f"Residuals of {model}",
            "Actual minus forecast in cross-validation: distribution, by step ahead, over time "
            "and actual against forecast.", model=model,
        )  # fmt: skip
        yield Drawing(plot, partial(residuals, inputs.cv, model, **common))


def _series(inputs: Inputs) -> Iterator[Drawing]:
    ids = [chosen.unique_id for chosen in inputs.series]
    names = file_names(ids)
    history = _by_series(inputs.history, ids)
    future = {model: _by_series(frame, ids) for model, frame in inputs.predictions.items()}
    tested = {model: _by_series(frame, ids) for model, frame in inputs.cv.items()}
    common: dict[str, Any] = {"palette": inputs.palette, "settings": inputs.settings}
    for chosen in inputs.series:
        of, name = chosen.unique_id, names[chosen.unique_id]
        common["note"] = chosen.role
        about: dict[str, Any] = {"unique_id": of, "role": chosen.role}
        if frames := _of(future, inputs.models, of):
            yield Drawing(
                Plot(f"forecast_{name}", "forecast", f"Forecast of {of}",
                     f"Every model's forecast ({chosen.role}).", **about),
                partial(forecast, history[of], frames, of, **common),
            )  # fmt: skip
        if frames := _of(tested, inputs.models, of):
            yield Drawing(
                Plot(f"backtest_{name}", "backtest", f"Back-test of {of}",
                     f"Cross-validation: forecasts and actual values ({chosen.role}).",
                     **about),
                partial(backtest, history[of], frames, of, **common),
            )  # fmt: skip


def _by_series(frame: pd.DataFrame, ids: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the rows of some series, apart."""
    return {str(name): part for name, part in select(frame, ids).groupby("unique_id")}


def _of(
    frames: Mapping[str, Mapping[str, pd.DataFrame]], models: Sequence[str], unique_id: str
) -> dict[str, pd.DataFrame]:
    """Return the rows of a series, of the models that have a value for it."""
    found = {m: frames[m][unique_id] for m in models if unique_id in frames.get(m, {})}
    return {model: part for model, part in found.items() if part[model].notna().any()}


def _remove_stale(folder: Path, plots: Sequence[Plot]) -> None:
    """Remove outdated plots of an earlier call."""
    kept = {name for plot in plots for name in plot.files.values()}
    earlier = read_plots(folder)
    for name in {name for entry in earlier for name in entry.get("files", {}).values()} - kept:
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)


_HEADINGS = {
    "leaderboard": "The models", "error_by_horizon": "The models", "calibration": "The models",
    "search": "Searches", "residuals": "Residuals", "forecast": "Series", "backtest": "Series",
}  # fmt: skip


def _readme(plots: Sequence[Plot], inputs: Inputs, formats: Sequence[str]) -> str:
    """Return the index as Markdown with the plots."""
    total = inputs.history["unique_id"].nunique()
    lines = [
        "# Plots", "",
        f"Each plot is here as {' and as '.join(map(str.upper, formats))}. "
        f"{plural(len(inputs.series), 'series')} of {total:,} were chosen by the error of the best "
        "model (relative to the seasonal naive error): the best, the worst, and others spread "
        "between them (`plot_series` in the configuration says how many). A model has the same "
        "color in every plot; `index.json` "
        "lists the same for programs.", "",
    ]  # fmt: skip
    heading = ""
    for plot in plots:
        if _HEADINGS[plot.kind] != heading:
            heading = _HEADINGS[plot.kind]
            lines += [f"## {heading}", ""]
        title, about = _escape(plot.title), _escape(plot.about)
        links = ", ".join(f"[{kind.upper()}]({plot.files[kind]})" for kind in formats)
        lines += [
            f"### {title}",
            "",
            f"{about} {links}",
            "",
            f"![{title}]({plot.files[formats[0]]})",
            "",
        ]
    if not plots:
        lines += ["There was nothing to draw.", ""]
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Return text escaped for Markdown."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>()#+!|$~" else letter
                   for letter in clean(text))  # fmt: skip


def write_plot(figure: Figure, folder: str | Path, kind: str, unique_id: object) -> list[Path]:
    """Write one plot of a series to ``<kind>_<safe name>.png`` and ``.svg``."""
    return save(figure, folder, f"{kind}_{file_name(unique_id)}")
