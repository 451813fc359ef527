"""Figure of the residuals of a model: bias, spread, and their course over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from forerun.base.errors import UserError
from forerun.base.text import MINUS, plural
from forerun.evaluation.arrays import ORDER, sorted_by
from forerun.plots.axes import (
    draw_line,
    panel_title,
    value_axis,
    value_limits,
)
from forerun.plots.frames import Frames, by_model, count_windows, values, with_step
from forerun.plots.names import axis_names
from forerun.plots.page import Page, key_line
from forerun.plots.palette import ACTUAL
from forerun.plots.series import ALONE, Settings, fill_palette
from forerun.plots.style import Look, styled
from forerun.plots.text import Numbers, number
from forerun.plots.times import time_axis

WIDTH, HEIGHT = 10.0, 6.2
MOST_POINTS = 4000
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@styled
def residuals(
    cv: Frames,
    model: str,
    *,
    palette: Mapping[str, Look] | None = None,
    settings: Settings | None = None,
) -> Figure:
    """Draw the residuals (actual minus forecast) of one model over all series and windows.

    Four panels: their distribution, by step ahead, over time, and actual against forecast. With
    several series residuals are in percent of the mean absolute value of each series, so that large
    series do not hide the others.

    Parameters
    ----------
    cv
        ``unique_id, ds, cutoff, y, <model>``, alone or in a mapping or wide frame of models.
    model
        The model.
    palette, settings
        As in :func:`forerun.plots.forecast`.

    Raises
    ------
    UserError
        If there are no results of the model.
    """
    frames = by_model(cv)
    if model not in frames:
        raise UserError(f"there are no cross-validation results of '{model}' to draw")
    table, percent = _table(frames[model], model)
    look = fill_palette(palette, [model])[model]
    color = ALONE.color if look.faint or look.alpha < 1 else look.color
    page = Page(
        f"Residuals · {model}", _subtitle(table, percent), size=(WIDTH, HEIGHT), rows=2, columns=2,
        keys=[key_line("median", color, 2.0),
              Patch(facecolor=color, alpha=0.42, label="middle half"),
              Patch(facecolor=color, alpha=0.18, label="5 % to 95 %")],
        note=_note(table),
    )  # fmt: skip
    spread, by_step, over_time, against = page.panels
    wide, high = WIDTH / 2 - 0.9, HEIGHT / 2 - 0.8
    name = "Residual (% of the series' level)" if percent else _residual_name(settings)
    limits = _limits(table["residual"].to_numpy())
    _distribution(spread, table, color, limits)
    _fan(by_step, table, "step", color)
    by_step.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    _fan(over_time, table, "ds", color)
    time_axis(over_time, table["ds"], wide)
    _scatter(against, table, color)
    titles = ("Distribution", "By step ahead", "Over time", "Actual against forecast")
    labels = ((name, "Share"), ("Steps ahead", name),
              (axis_names(settings, table["ds"])[0], name), ("Forecast", "Actual"))  # fmt: skip
    for axes, title, (x, y) in zip(page.panels, titles, labels, strict=True):
        panel_title(axes, title, wide)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
    for axes in (by_step, over_time):
        value_axis(axes, high)
    page.place()
    return page.figure


def _table(frame: pd.DataFrame, model: str) -> tuple[pd.DataFrame, bool]:
    """Return ``unique_id, ds, step, y, forecast, residual`` and whether they are in percent."""
    table = with_step(frame[["unique_id", "ds", "cutoff", "y", model]])
    table = table.assign(forecast=values(table, model), y=values(table, "y"))
    table = table.dropna(subset=["y", "forecast"])
    residual = table["y"] - table["forecast"]
    percent = table["unique_id"].nunique() > 1
    if percent:
        level = table["y"].abs().groupby(table["unique_id"]).transform("mean")
        residual = 100 * residual / level.where(level > 0)
    return table.assign(residual=residual), percent


def _residual_name(settings: Settings | None) -> str:
    target = str((settings or {}).get("target_col") or "y")
    return f"Residual (in units of {target})"


def _subtitle(table: pd.DataFrame, percent: bool) -> str:
    median = float(table["residual"].median())
    middle = f"{median:+.2f} %".replace("-", MINUS) if percent else number(median)
    extent = [
        plural(table["unique_id"].nunique(), "series"),
        plural(count_windows(table), "window"),
        plural(len(table), "forecast value"),
    ]
    return " · ".join([
        "Actual minus forecast: above zero the model was too low", f"median {middle}", *extent
    ])  # fmt: skip


def _limits(residual: np.ndarray) -> tuple[float, float]:
    """Return symmetric limits for nearly all values, without extreme outliers."""
    sizes = np.abs(residual[np.isfinite(residual)])
    if not len(sizes):
        return -1.0, 1.0
    middle, most = float(np.quantile(sizes, 0.75)), float(np.quantile(sizes, 0.99))
    reach = 1.1 * (min(most, 6 * middle) or most or 1.0)
    return -reach, reach


def _note(table: pd.DataFrame) -> str:
    residual = table["residual"].to_numpy()
    low, high = _limits(residual)
    outside = int(((residual < low) | (residual > high)).sum())
    unscaled = int(np.isnan(residual).sum())
    return " ".join(filter(None, [
        f"{plural(outside, 'extreme value')} outside the first panel." if outside else "",
        f"{plural(unscaled, 'value')} of series that are zero throughout left out."
        if unscaled else "",
    ]))  # fmt: skip


def _distribution(axes: Axes, table: pd.DataFrame, color: str, limits: tuple[float, float]) -> None:
    values = table["residual"].dropna().to_numpy()
    bins = int(np.clip(np.sqrt(len(values)), 9, 41)) | 1  # odd, so that zero is inside a bar
    share = np.full(len(values), 1 / max(1, len(values)))
    axes.hist(values, bins=np.linspace(*limits, bins + 1).tolist(), weights=share, color=color,
              alpha=0.55, zorder=3, edgecolor="white", linewidth=0.5)  # fmt: skip
    axes.axvline(0, color=ACTUAL, linewidth=1.2, zorder=4)
    if len(values):
        axes.axvline(float(np.median(values)), color=color, linewidth=2, zorder=5)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7))
    axes.xaxis.set_major_formatter(Numbers())
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(Numbers(percent=True))


def _fan(axes: Axes, table: pd.DataFrame, by: str, color: str) -> None:
    """Draw median, middle half and middle nine tenths of the residuals over `by`."""
    parts = table.groupby(by)["residual"].quantile(np.array(_QUANTILES)).unstack()
    x = parts.index.to_numpy()
    bands = {q: parts[q].to_numpy(dtype=float) for q in _QUANTILES}
    axes.axhline(0, color=ACTUAL, linewidth=1.2, zorder=2)
    axes.fill_between(x, bands[0.05], bands[0.95], color=color, alpha=0.18, linewidth=0, zorder=2)
    axes.fill_between(x, bands[0.25], bands[0.75], color=color, alpha=0.3, linewidth=0, zorder=2)
    draw_line(axes, x, bands[0.5], Look(color), marker=len(x) <= 31)
    low, high = value_limits([*bands.values(), np.zeros(1)], [])
    axes.set_ylim(low, high)


def _scatter(axes: Axes, table: pd.DataFrame, color: str) -> None:
    """Draw actual values against forecasts, on logarithmic axes if they span several decades."""
    shown = sorted_by(table, ORDER)
    if len(shown) > MOST_POINTS:
        shown = shown.iloc[np.linspace(0, len(shown) - 1, MOST_POINTS).round().astype(int)]
    x, y = shown["forecast"].to_numpy(), shown["y"].to_numpy()
    actual = table["y"].to_numpy()
    low, high = (float(actual.min()), float(actual.max())) if len(actual) else (0.0, 1.0)
    bottom, top = np.quantile(actual, [0.02, 0.98]) if len(actual) else (0.0, 1.0)
    logarithmic = low > 0 and top / bottom > 30
    low = max(low, float(bottom) / 3) if logarithmic else low
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        edges = (low / 1.25, high * 1.25)
    else:
        pad = 0.06 * (high - low) or 0.1 * (abs(high) or 1.0)
        edges = (low - pad, high + pad)
    axes.plot(edges, edges, color=ACTUAL, linewidth=1.2, zorder=2)
    size = 9 if len(shown) > 300 else 18
    axes.scatter(x, y, s=size, color=color, alpha=0.35, linewidth=0, zorder=3, rasterized=True)
    axes.set_xlim(*edges)
    axes.set_ylim(*edges)
    for axis in (axes.xaxis, axes.yaxis):
        if logarithmic:
            many = high / low > 300
            axis.set_major_locator(LogLocator(subs=(1.0,) if many else (1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        else:
            axis.set_major_locator(MaxNLocator(nbins=5))
            axis.set_major_formatter(Numbers())
        axis.set_minor_formatter(NullFormatter())
