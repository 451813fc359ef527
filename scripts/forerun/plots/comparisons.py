"""Figure of all models' forecasts of one series, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forerun.base.text import plural
from forerun.plots.axes import draw_line, panel_title
from forerun.plots.frames import Frames, values
from forerun.plots.page import Page, grid_of, key_line
from forerun.plots.series import (
    OBSERVED,
    Parts,
    Settings,
    about,
    band_color,
    display_name,
    draw_alone,
    draw_bands,
    draw_forecast,
    fill_palette,
    finish_axes,
    leaves,
    of_series,
    recent,
    series_limits,
    shade_future,
)
from forerun.plots.style import OTHER, Look, styled
from forerun.plots.text import number

WIDTH = 10.0
MOST_PANELS = 60
_GRAY = Look(OTHER, width=0.8, order=2.2)


@styled
def comparison(
    history: pd.DataFrame,
    predictions: Frames,
    unique_id: object,
    *,
    models: Sequence[str] | None = None,
    palette: Mapping[str, Look] | None = None,
    settings: Settings | None = None,
    steps: int | None = None,
    errors: Mapping[str, float] | None = None,
    error_name: str = "MAE",
    note: str = "",
) -> Figure:
    """Draw the forecast of each model for one series in a separate panel.

    Each panel shows the series, the panel's model in its color with its intervals, and the other
    models in gray, on the same axes.

    Parameters
    ----------
    errors
        Error per model on this series, written above its panel (as ``error_name``); when given
        without `models`, the panels go from the lowest error to the highest.
    history, predictions, unique_id, models, palette, settings, steps, note
        As in :func:`forecast`.

    Raises
    ------
    UserError
        If no model has a forecast of the series.
    """
    parts = of_series(predictions, models, unique_id)
    errors = errors or {}
    if errors and models is None:
        parts = {m: parts[m] for m in sorted(parts, key=lambda m: (_error(errors, m), m))}
    shown = dict(list(parts.items())[:MOST_PANELS])
    palette = fill_palette(palette, list(parts))
    times = pd.concat([part["ds"] for part in parts.values()])
    past = recent(history, unique_id, times, settings, steps)
    limits = series_limits(past, parts, shown, [m for m in parts if palette[m].faint])
    rows, columns = grid_of(len(shown))
    wide, high = (WIDTH - 1.0) / columns, {1: 4.0, 2: 2.9, 3: 2.2}.get(columns, 1.75)
    gray = {m: part for m, part in parts.items() if not leaves(part, m, limits, room=0.1)}
    words = [note, *about(past, parts, times)]
    short = columns > 2 and bool(errors)
    page = Page(
        f"Models compared · {unique_id}",
        " · ".join(filter(None, [*words, f"figures: {error_name}" if short else ""])),
        size=(WIDTH, high * rows + 0.5), rows=rows, columns=columns, count=len(shown), share=True,
        keys=[key_line("observed"), key_line("the other models", OTHER, 1.0)][: len(parts)],
        note=_footnote(parts, shown, limits),
    )  # fmt: skip
    for axes, model in zip(page.panels, shown, strict=True):
        _panel(axes, past, parts[model], model, palette)
        for other in gray:
            if other != model:
                draw_forecast(axes, past, parts[other], other, _GRAY)
        shade_future(axes, past, times)
        error = number(_error(errors, model)) if model in errors else ""
        detail = f"{'' if short else error_name} {error}".strip() if error else ""
        away = " ↕" if leaves(parts[model], model, limits) else ""
        panel_title(axes, display_name(model, parts[model]), wide - 0.3, detail + away)
    page.panels[0].set_ylim(*limits)
    finish_axes(page, settings, times, wide, high - 0.4)
    return page.figure


def _footnote(parts: Parts, shown: Parts, limits: tuple[float, float]) -> str:
    hidden = len(parts) - len(shown)
    away = any(leaves(part, model, limits) for model, part in shown.items())
    return " ".join(filter(None, [
        "↕ marks a forecast that leaves the panel." if away else "",
        f"{plural(hidden, 'more model')} not shown." if hidden else "",
    ]))  # fmt: skip


def _error(errors: Mapping[str, float], model: str) -> float:
    value = float(errors.get(model, math.inf))
    return value if math.isfinite(value) else math.inf


def _panel(
    axes: Axes, past: pd.DataFrame, part: pd.DataFrame, model: str, palette: Mapping[str, Look]
) -> None:
    draw_line(axes, past["ds"].to_numpy(), values(past, "y"), OBSERVED)
    draw_bands(axes, past, part, model, band_color(model, part, palette))
    draw_alone(axes, past, part, model, palette[model])
