"""Which plots a run gets, and from what each is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

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
from forerun.plots.style import Look, looks
from forerun.runs.search import Result

#: Residuals are drawn for that many models, the best ones.
MOST_RESIDUALS = 8


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

    @classmethod
    def of(
        cls,
        history: pd.DataFrame,
        cv: Frames | None,
        predictions: Frames | None,
        leaderboard: pd.DataFrame | None,
        settings: Mapping[str, Any],
        searches: Sequence[Result] = (),
    ) -> Inputs:
        """Order the models, and choose the series to draw and the style of each model."""
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
        return cls(
            history, tested, future, leaderboard, settings, models,
            looks(models, places(configured(settings), models)),
            choose_series(errors, ids, count), searches,
        )  # fmt: skip

    @property
    def metric(self) -> str:
        """The metric that ranks models, or another one on the leaderboard."""
        wanted = str(self.settings.get("sort_metric") or "mae")
        board = self.leaderboard
        if board is None or wanted in board:
            return wanted
        return next((name for name in NAMES if name in board), wanted)


def drawings(inputs: Inputs) -> list[Drawing]:
    """Return the plots of a run: overview, searches, residuals, then each series."""
    return [*_overview(inputs), *_searches(inputs), *_residuals(inputs), *_series(inputs)]


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
    if any(_has_intervals(inputs.cv[model], model) for model in tested):
        yield Drawing(
            Plot("calibration", "calibration", "Calibration of the prediction intervals",
                 "Share of actual values inside each model's intervals, compared with the "
                 "level."),
            partial(calibration, inputs.cv, models=tested, palette=look),
        )  # fmt: skip


def _has_intervals(cv: pd.DataFrame, model: str) -> bool:
    """Return whether there are limits: one window of one series has none to learn from."""
    pairs = intervals(cv, model).values()
    return any(cv[list(pair)].notna().all(axis=1).any() for pair in pairs)


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
