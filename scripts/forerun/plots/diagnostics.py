"""Figures of model errors: by step ahead, residuals, calibration of intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from utilsforecast import losses

from forerun.base.errors import UserError, suggest
from forerun.base.text import PERCENT, plural
from forerun.evaluation.scales import scale_by_series
from forerun.plots.axes import (
    Label,
    direct_labels,
    draw_line,
    gutter_width,
    others_text,
    value_axis,
    value_limits,
)
from forerun.plots.frames import (
    Frames,
    by_model,
    count_windows,
    in_order,
    pick,
    same_time,
    values,
    with_step,
)
from forerun.plots.page import Page
from forerun.plots.series import Settings, fill_palette
from forerun.plots.style import Look, styled

WIDTH, HEIGHT = 10.0, 4.0

_LOSSES: dict[str, Callable[..., pd.DataFrame]] = {
    "mae": losses.mae, "mse": losses.mse, "rmse": losses.rmse, "mape": losses.mape,
    "smape": losses.smape, "bias": losses.bias, "mase": losses.mae, "rmsse": losses.rmse,
}  # fmt: skip
SCALED = ("mase", "rmsse")
NAMES = {
    "mae": "Mean absolute error (MAE)",
    "mse": "Mean squared error (MSE)",
    "rmse": "Root mean squared error (RMSE)",
    "mape": "Mean absolute percentage error (MAPE)",
    "smape": "Symmetric mean absolute percentage error (sMAPE)",
    "bias": "Mean error, forecast minus actual (bias)",
    "mase": "Mean absolute scaled error (MASE)",
    "rmsse": "Root mean squared scaled error (RMSSE)",
}


def short_name(metric: str) -> str:
    """Return a metric's usual abbreviation."""
    return "sMAPE" if metric == "smape" else metric.upper()


def metric_label(metric: str, settings: Settings | None) -> str:
    """Return the label of an axis with a metric's values: its short name and unit."""
    short = short_name(metric)
    if metric in SCALED:
        return f"{short} (1 = seasonal naive in the past)"
    if metric in PERCENT:
        return short
    if metric not in NAMES:
        return short
    target = str((settings or {}).get("target_col") or "y")
    squared = " squared" if metric == "mse" else ""
    return f"{short} (in units of {target}{squared})"


@styled
def error_by_horizon(
    cv: Frames,
    models: Sequence[str] | None = None,
    metric: str = "mae",
    *,
    palette: Mapping[str, Look] | None = None,
    settings: Settings | None = None,
    history: pd.DataFrame | None = None,
) -> Figure:
    """Draw how the error of each model grows with the steps ahead.

    Every point is the metric over all series and windows at that step.

    Parameters
    ----------
    cv
        Per model ``unique_id, ds, cutoff, y, <model>``, or one wide frame.
    models
        Which models, the most important first; all by default.
    metric
        ``mae``, ``mse``, ``rmse``, ``mape``, ``smape``, ``bias``, ``mase`` or ``rmsse``; the last
        two need `history` and the season in `settings`.
    palette, settings
        As in :func:`forerun.plots.forecast`.
    history
        ``unique_id, ds, y``, for the scale of scaled metrics.

    Raises
    ------
    UserError
        If the metric is unknown, or there are no results.
    """
    if metric not in _LOSSES:
        names = ", ".join(_LOSSES)
        raise UserError(f"no plot of metric '{metric}' by horizon: know {names}"
                        + suggest(metric, _LOSSES))  # fmt: skip
    if metric in SCALED and history is None:
        raise UserError(f"metric '{metric}' by horizon needs the history of the series")
    frames = by_model(cv)
    shown = pick(models, frames)
    palette = fill_palette(palette, shown)
    scales: dict[Any, pd.Series] = {}
    curves = {m: by_step(frames[m], m, metric, settings, history, scales) for m in shown}
    faint = [model for model in shown if palette[model].faint]
    colored = [model for model in shown if not palette[model].faint]
    texts = [*colored, *([others_text(len(faint))] if faint else [])]
    gutter = gutter_width(texts)
    page = Page(
        "Error by step ahead", _extent(frames[shown[0]], NAMES[metric]), size=(WIDTH, HEIGHT),
        gutter=gutter, note=_far_note(curves, colored, metric),
    )  # fmt: skip
    axes = page.panels[0]
    steps = max(int(curve.index.max()) for curve in curves.values())
    labels = _draw_curves(axes, curves, palette, marker=steps <= 31)
    if faint:
        labels.append(Label(others_text(len(faint)), np.nan, np.nan, palette[faint[0]]))
    axes.set_ylim(*_curve_limits(curves, metric))
    before, after = (0.8, 0.8) if steps == 1 else (0.4, 0.15)
    axes.set_xlim(1 - max(before, 0.015 * steps), steps + max(after, 0.01 * steps))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.set_xlabel("Steps ahead")
    axes.set_ylabel(metric_label(metric, settings))
    value_axis(axes, HEIGHT, metric in PERCENT)
    page.place()
    direct_labels(page.figure, axes, labels)
    return page.figure


def _extent(frame: pd.DataFrame, name: str) -> str:
    series, windows = frame["unique_id"].nunique(), count_windows(frame)
    return f"{name} over {plural(series, 'series')} and {plural(windows, 'window')} of each"


def by_step(
    frame: pd.DataFrame,
    model: str,
    metric: str,
    settings: Settings | None,
    history: pd.DataFrame | None,
    scales: dict[Any, pd.Series] | None = None,
) -> pd.Series:
    """Return the metric per step ahead, over all series and windows.

    Parameters
    ----------
    scales : scales of the series by the first cutoff, for other models with the same one
    """
    scales = {} if scales is None else scales
    needed = frame[["unique_id", "ds", "cutoff", "y", model]]
    cv = with_step(needed)  # first of all: a missing value must not move the steps after it
    cv = cv[np.isfinite(values(cv, "y")) & np.isfinite(values(cv, model))]
    if metric in SCALED and history is not None:
        season = int((settings or {}).get("season_length") or 1)
        first = cv["cutoff"].min()
        if first not in scales:
            past = in_order(same_time(history, None))
            past = past.loc[past["ds"] <= first, ["unique_id", "y"]]
            scales[first] = scale_by_series(past, season)
        factor = cv["unique_id"].astype(str).map(scales[first]).fillna(1.0).to_numpy()
        cv = cv.assign(**{"y": cv["y"] / factor, model: cv[model] / factor})
    with np.errstate(all="ignore"):
        by_step = cv[["step", "y", model]].sort_values("step", kind="stable")
        found = _LOSSES[metric](by_step, [model], id_col="step")
    return found.set_index("step")[model].sort_index()


def _draw_curves(
    axes: Axes, curves: Mapping[str, pd.Series], palette: Mapping[str, Look], marker: bool
) -> list[Label]:
    labels = []
    for model, curve in curves.items():
        x, y = curve.index.to_numpy(dtype=float), curve.to_numpy(dtype=float)
        look = palette[model]
        draw_line(axes, x, y, look, marker=marker and not look.faint and look.alpha == 1)
        if not look.faint:
            labels.append(Label(model, float(x[-1]), float(y[-1]), look))
    return labels


def _curve_limits(curves: Mapping[str, pd.Series], metric: str) -> tuple[float, float]:
    """Return limits that show the best models in full, and others that are not far above them."""
    every = [curve.to_numpy(dtype=float) for curve in curves.values()]
    best = sorted(every, key=lambda curve: float(np.nanmean(np.abs(curve))))[:3]
    low, high = value_limits([*best, np.zeros(1)], every, room=2.0)
    return (low, high) if metric == "bias" else (0.0, high)


def _far_note(curves: Mapping[str, pd.Series], colored: Sequence[str], metric: str) -> str:
    high = _curve_limits(curves, metric)[1]
    far = [m for m in colored if float(curves[m].iloc[-1]) > high]
    return "↑ marks a model whose error is beyond the axis." if far else ""
