"""Figures of cross-validation per series: forecasts and actual values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forerun.base.text import plural
from forerun.plots.axes import draw_line, panel_title, shade
from forerun.plots.frames import Frames, intervals, observed, values
from forerun.plots.page import Page, key_line
from forerun.plots.palette import ACTUAL
from forerun.plots.series import (
    OBSERVED,
    Parts,
    Settings,
    band_color,
    band_keys,
    display_name,
    draw_alone,
    draw_bands,
    fill_palette,
    finish_axes,
    of_series,
    series_limits,
    shown_steps,
)
from forerun.plots.style import Look, styled
from forerun.plots.text import number

WIDTH = 10.0
MOST_PANELS = 6
MOST_WINDOWS = 24


@styled
def backtest(
    history: pd.DataFrame,
    cv: Frames,
    unique_id: object,
    *,
    models: Sequence[str] | None = None,
    palette: Mapping[str, Look] | None = None,
    settings: Settings | None = None,
    note: str = "",
) -> Figure:
    """Draw the cross-validation of one series: one panel for each model, with the actual values.

    At most six models get a panel: the first ones of `models`, always including the best one on
    this series. Each panel gives the model's mean absolute error over all its
    windows, of which the last 24 are shown.

    Parameters
    ----------
    history
        ``unique_id, ds, y``.
    cv
        Per model ``unique_id, ds, cutoff, y, <model>[, <model>-lo-90, ...]``, or one wide frame.
    unique_id, models, palette, settings, note
        As in :func:`forerun.plots.forecast`.

    Raises
    ------
    UserError
        If no model has cross-validation results of the series.
    """
    parts = of_series(cv, models, unique_id)
    palette = fill_palette(palette, list(parts))
    errors = {model: _mae(part, model) for model, part in parts.items()}
    shown = _shown(errors)
    every = _windows(parts)
    windows = every[-MOST_WINDOWS:]
    parts = {m: part[part["cutoff"] >= windows[0][0]] for m, part in parts.items()}
    past = _actual(history, parts, unique_id, windows)
    columns = 1 if len(shown) <= 3 else 2
    rows = -(-len(shown) // columns)
    high = {1: 3.6, 2: 2.5}.get(rows, 2.1)
    page = Page(
        f"Back-test · {unique_id}",
        " · ".join(filter(None, [note, *_about(parts, every)])),
        size=(WIDTH, high * rows + 0.4), keys=_keys(parts, shown, palette),
        rows=rows, columns=columns, count=len(shown), share=True,
        note=_note(errors, shown),
    )  # fmt: skip
    wide = (WIDTH - 1.2) / columns
    for axes, model in zip(page.panels, shown, strict=True):
        _panel(axes, past, parts[model], model, palette, windows)
        detail = f"MAE {number(errors[model])}"
        panel_title(axes, display_name(model, parts[model]), wide - 0.2, detail)
    kept = {model: parts[model] for model in shown}
    page.panels[0].set_ylim(*series_limits(past, kept, shown))
    first, last = past["ds"].iloc[0], past["ds"].iloc[-1]
    page.panels[0].set_xlim(first - 0.01 * (last - first), last + 0.01 * (last - first))
    finish_axes(page, settings, past["ds"], wide, high - 0.5)
    return page.figure


def _mae(part: pd.DataFrame, model: str) -> float:
    error = np.abs(values(part, "y") - values(part, model))
    return float(np.nanmean(error)) if np.isfinite(error).any() else float("inf")


def _shown(errors: Mapping[str, float]) -> list[str]:
    """Return the models that get a panel: the first ones, and the best one on this series."""
    shown = list(errors)[:MOST_PANELS]
    best = min(errors, key=lambda model: errors[model])
    return shown if best in shown else [*shown[:-1], best]


def _windows(parts: Parts) -> list[tuple[Any, Any]]:
    """Return cutoff and last time of every window, in order."""
    every = pd.concat([part[["cutoff", "ds"]] for part in parts.values()])
    return list(every.groupby("cutoff")["ds"].max().items())


def _actual(
    history: pd.DataFrame, parts: Parts, unique_id: object, windows: Sequence[tuple[Any, Any]]
) -> pd.DataFrame:
    """Return the actual values of the windows and of some time before the first one."""
    tested = pd.concat([part[["ds", "y"]] for part in parts.values()]).drop_duplicates("ds")
    past = pd.concat([observed(history, unique_id), tested]).drop_duplicates("ds")
    past = past.sort_values("ds", kind="stable").reset_index(drop=True)
    past = past[past["ds"] <= windows[-1][1]]
    before = int((past["ds"] <= windows[0][0]).sum())
    tested_steps = len(past) - before
    context = min(shown_steps(max(1, tested_steps // 4), None), max(12, tested_steps))
    return past.iloc[max(0, before - context) :]


def _about(parts: Parts, windows: Sequence[tuple[Any, Any]]) -> list[str]:
    part = next(iter(parts.values()))
    steps = int(part.groupby("cutoff").size().max())
    last = f", the last {MOST_WINDOWS} shown" if len(windows) > MOST_WINDOWS else ""
    return [f"{plural(len(windows), 'window')} of {plural(steps, 'step')}{last}",
            plural(len(parts), "model"), "dotted lines: where a forecast starts"]  # fmt: skip


def _keys(parts: Parts, shown: Sequence[str], palette: Mapping[str, Look]) -> list[Artist]:
    levels = sorted({level for m in shown for level in intervals(parts[m], m)}, reverse=True)
    one = shown[0] if len(shown) == 1 else None
    color = band_color(one, parts[one], palette) if one else ACTUAL
    return [key_line("observed"), *band_keys(levels[:6], color)]


def _note(errors: Mapping[str, float], shown: Sequence[str]) -> str:
    hidden = len(errors) - len(shown)
    more = f"{plural(hidden, 'more model')} not shown; the leaderboard has them all."
    return more if hidden else ""


def _panel(
    axes: Axes,
    past: pd.DataFrame,
    part: pd.DataFrame,
    model: str,
    palette: Mapping[str, Look],
    windows: Sequence[tuple[Any, Any]],
) -> None:
    look = palette[model]
    draw_line(axes, past["ds"].to_numpy(), values(past, "y"), OBSERVED)
    overlap = any(end > cut for (_, end), (cut, _) in pairwise(windows))
    shade(axes, [] if overlap else windows[::2], [cutoff for cutoff, _ in windows])
    part = part.sort_values(["cutoff", "ds"], kind="stable")
    if not overlap:
        draw_bands(axes, past, part, model, band_color(model, part, palette))
    draw_alone(axes, past, part, model, look)
