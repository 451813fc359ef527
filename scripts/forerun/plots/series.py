"""Common elements of figures of single series: rows, lines and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.patches import Patch

from forerun.base.errors import UserError
from forerun.base.text import plural
from forerun.config.names import PER_SERIES
from forerun.plots.axes import (
    draw_line,
    finite_range,
    shade,
    value_axis,
    value_limits,
)
from forerun.plots.frames import Frames, by_model, intervals, observed, one_series, pick, values
from forerun.plots.names import axis_names
from forerun.plots.page import Page
from forerun.plots.palette import ACTUAL, INK
from forerun.plots.style import Look, looks
from forerun.plots.text import fit_text
from forerun.plots.times import time_axis

Settings = Mapping[str, Any]
Parts = Mapping[str, pd.DataFrame]
"""The rows of one series per model."""

OBSERVED = Look(ACTUAL, width=1.5, order=3.0)
ALONE = Look("#4A7A96", width=1.9, order=4.0)
CORE = Look(INK, width=1.2, order=2.8)
BAND = 0.16
"""Opacity of one interval; narrower ones are on top of wider ones."""


def shown_steps(horizon: int, season: int | None) -> int:
    """Return the number of steps to show before a forecast: a few horizons, or two seasons."""
    return max(24, 3 * horizon, min(2 * (season or 1), 10 * horizon))


def of_series(frames: Frames, models: Sequence[str] | None, unique_id: object) -> Parts:
    """Return the rows of one series per model, in the order of the models."""
    every = by_model(frames)
    parts = {model: one_series(every[model], unique_id) for model in pick(models, every)}
    parts = {model: part for model, part in parts.items() if part[model].notna().any()}
    if not parts:
        raise UserError(f"there are no forecasts of series '{unique_id}' to draw")
    return parts


def fill_palette(palette: Mapping[str, Look] | None, models: Sequence[str]) -> dict[str, Look]:
    """Return the run's styles for these models, or new ones if it has none."""
    fresh = looks(models)
    return fresh if palette is None else {name: palette.get(name, fresh[name]) for name in models}


def display_name(model: str, part: pd.DataFrame) -> str:
    """Return the text of a label; for ``per_series`` with the model chosen for the series."""
    chosen = chosen_model(part) if model == PER_SERIES else None
    return f"{PER_SERIES} = {chosen}" if chosen else model


def chosen_model(part: pd.DataFrame) -> str | None:
    """Return the model that ``per_series`` uses for the series, if recorded."""
    chosen = list(part["chosen"].dropna()) if "chosen" in part else []
    return str(chosen[0]) if chosen else None


def joined(past: pd.DataFrame, part: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values of a column of forecasts, each joined to the last observation.

    The forecasts of several windows (``cutoff``) are separated by a NaN.
    """
    observed, y = past["ds"].to_numpy(), values(past, "y")
    times, numbers = part["ds"].to_numpy(), values(part, column)
    if "cutoff" in part and len(part):
        cutoffs = part["cutoff"].to_numpy()
        starts = np.flatnonzero(np.append(True, cutoffs[1:] != cutoffs[:-1]))
        last = [int((observed <= cutoff).sum()) - 1 for cutoff in cutoffs[starts]]
    else:
        starts, last = np.array([0]), [len(observed) - 1]
    every_time, every_value = [], []
    for first, end, before in zip(starts, [*starts[1:], len(times)], last, strict=True):
        if first:
            every_time.append(times[first : first + 1])
            every_value.append(np.array([np.nan]))
        if before >= 0:
            every_time.append(observed[before : before + 1])
            every_value.append(y[before : before + 1])
        every_time.append(times[first:end])
        every_value.append(numbers[first:end])
    return np.concatenate(every_time), np.concatenate(every_value)


def draw_forecast(axes: Axes, past: pd.DataFrame, part: pd.DataFrame, model: str, look: Look
                  ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Draw forecasts, each joined to the last row of `past` before it; return times and values."""
    draw_line(axes, *joined(past, part, model), look)
    return part["ds"].to_numpy(), values(part, model)


def draw_alone(axes: Axes, past: pd.DataFrame, part: pd.DataFrame, model: str, look: Look) -> None:
    """Draw a forecast as the only line of a panel.

    Gray models get a color, and ``per_series``, otherwise a highlight behind another line, a core.
    """
    if look.faint:
        draw_forecast(axes, past, part, model, ALONE)
        return
    wide = 5.5 if look.alpha < 1 else 2.2
    draw_forecast(axes, past, part, model, replace(look, width=min(look.width, wide)))
    if look.alpha < 1:
        draw_forecast(axes, past, part, model, CORE)


def focus_of(parts: Parts, asked: str | None) -> str | None:
    """Return the model whose intervals are shown, as overlapping bands would be illegible."""
    if asked is not None:
        return asked if asked in parts and intervals(parts[asked], asked) else None
    order = sorted(parts, key=lambda model: model != PER_SERIES)
    return next((model for model in order if intervals(parts[model], model)), None)


def band_color(model: str, part: pd.DataFrame, palette: Mapping[str, Look]) -> str:
    """Return the color of a model's intervals; for ``per_series`` that of the chosen model."""
    look = palette[model]
    if model == PER_SERIES:
        look = palette.get(chosen_model(part) or model, look)
    return ALONE.color if look.faint or look.alpha < 1 else look.color


def draw_bands(axes: Axes, past: pd.DataFrame, part: pd.DataFrame, model: str, color: str) -> None:
    """Shade a model's intervals, the widest first, starting at the last row of `past`."""
    for low, high in intervals(part, model).values():
        times, bottom = joined(past, part, low)
        axes.add_artist(FillBetweenPolyCollection(
            "x", axes.convert_xunits(times), np.ma.masked_invalid(bottom),
            np.ma.masked_invalid(joined(past, part, high)[1]), facecolors=color, edgecolors=color,
            alpha=BAND, linewidth=0, zorder=2.0,
        ))  # fmt: skip


def band_keys(levels: Sequence[float], color: str, name: str = "") -> list[Artist]:
    """Return legend handles for intervals, with their opacity in the plot."""
    of = f" of {fit_text(name, 2.0, 9)}" if name else ""
    return [
        Patch(facecolor=color, alpha=1 - (1 - BAND) ** (rank + 1),
              label=f"{level:g} %{'' if rank else ' interval' + of}")
        for rank, level in enumerate(levels)
    ]  # fmt: skip


def band_values(part: pd.DataFrame, model: str) -> list[np.ndarray]:
    """Return the edges of all intervals of a model."""
    return [values(part, side) for pair in intervals(part, model).values() for side in pair]


def series_limits(
    past: pd.DataFrame,
    parts: Parts,
    banded: Iterable[str],
    faint: Iterable[str] = (),
) -> tuple[float, float]:
    """Return limits of the value axis for history, forecasts, and intervals of some models.

    Very wide intervals and gray models may be cut off.
    """
    core, faint = [values(past, "y")], set(faint)
    main = [values(part, model) for model, part in parts.items() if model not in faint]
    low, high = value_limits(core, main or [values(part, m) for m, part in parts.items()])
    edges = [edge for model in banded for edge in band_values(parts[model], model)]
    edges += [values(parts[model], model) for model in sorted(faint)]
    if edges and finite_range(core):
        lower, upper = value_limits(core, edges, room=0.5)
        low, high = min(low, lower), max(high, upper)
    return low, high


def leaves(part: pd.DataFrame, model: str, limits: tuple[float, float], room: float = 0.0) -> bool:
    """Return whether a forecast leaves the limits by more than `room` times their distance."""
    low, high = limits
    bounds = finite_range([values(part, model)]) or limits
    reach = room * (high - low)
    return bounds[0] < low - reach or bounds[1] > high + reach


def recent(
    history: pd.DataFrame,
    unique_id: object,
    times: pd.Series,
    settings: Settings | None,
    steps: int | None,
) -> pd.DataFrame:
    """Return the part of a series that is shown before forecasts for `times`."""
    season = (settings or {}).get("season_length")
    return observed(history, unique_id).tail(steps or shown_steps(times.nunique(), season))


def about(past: pd.DataFrame, parts: Parts, times: pd.Series) -> list[str]:
    """Return a description of a plot."""
    shown = f"last {plural(len(past), 'observation')} shown" if len(past) else "no history"
    ahead = f"{plural(times.nunique(), 'step')} ahead from {moment(times.min())}"
    return [ahead, plural(len(parts), "model"), shown]


def shade_future(axes: Axes, past: pd.DataFrame, times: pd.Series) -> None:
    """Shade the time after the last observation and set the limits of the time axis."""
    start = past["ds"].iloc[-1] if len(past) else times.min()
    first, last = (past["ds"].iloc[0] if len(past) else start), times.max()
    shade(axes, [(start, last)], [start])
    axes.set_xlim(first - 0.01 * (last - first), last)


def moment(value: object) -> str:
    """Return a time for display."""
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        stamp = pd.Timestamp(value)
        return stamp.strftime("%Y-%m-%d" if stamp == stamp.normalize() else "%Y-%m-%d %H:%M")
    return f"{value:,}" if isinstance(value, (int, np.integer)) else f"{value}"


def finish_axes(
    page: Page, settings: Settings | None, times: pd.Series, width: float, height: float
) -> None:
    """Name the axes, give them ticks for panels of `width` and `height` inches; place them."""
    page.name_axes(*axis_names(settings, times))
    for axes in page.panels[:1] if page.share else page.panels:
        time_axis(axes, times, width)
        value_axis(axes, height)
    page.place()
