"""Pictures of a series' future: one forecast plot, and all models side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forerun.plots.axes import (
    Label,
    direct_labels,
    draw_line,
    gutter_width,
    last_point,
    others_text,
    panel_title,
)
from forerun.plots.frames import Frames, intervals, observed, values
from forerun.plots.page import Page, grid_of, key_line
from forerun.plots.series import (
    OBSERVED,
    Parts,
    Settings,
    band_colour,
    band_keys,
    chosen_model,
    display_name,
    draw_alone,
    draw_bands,
    draw_forecast,
    fill_palette,
    finish_axes,
    focus_of,
    moment,
    of_series,
    series_limits,
    shade_future,
    shown_steps,
)
from forerun.plots.style import BEST, OTHER, Look, styled
from forerun.plots.text import number, plural

WIDTH, HEIGHT = 10.0, 4.2
MOST_PANELS = 60
_NOTE_OUTSIDE = "↑ ↓ mark a forecast that ends outside the picture."


@styled
def forecast(
    history: pd.DataFrame,
    predictions: Frames,
    unique_id: object,
    *,
    models: Sequence[str] | None = None,
    palette: Mapping[str, Look] | None = None,
    settings: Settings | None = None,
    steps: int | None = None,
    bands: str | None = None,
    note: str = "",
) -> Figure:
    """Draw the end of a series and what every model makes of its future.

    Parameters
    ----------
    history
        ``unique_id, ds, y``; rows after the last ``y`` are ignored.
    predictions
        Per model ``unique_id, ds, <model>[, <model>-lo-90, ...]``, or one wide frame.
    unique_id
        The series.
    models
        Which models, the most important first; all by default.
    palette
        Look per model as :func:`forerun.plots.looks` gives it for the whole run.
    settings
        The run's configuration: the season, and the names of its columns for the axes.
    steps
        How many observations are shown before the forecast; chosen by default.
    bands
        The model whose intervals are shaded; by default ``best`` or the first that has any.
    note
        Words to begin the line below the title with.

    Raises
    ------
    UserError
        When no model has a forecast of the series.
    """
    parts = of_series(predictions, models, unique_id)
    palette = fill_palette(palette, list(parts))
    times = pd.concat([part["ds"] for part in parts.values()])
    past = _past(history, unique_id, times, settings, steps)
    focus = focus_of(parts, bands)
    low, high = series_limits(past, parts, [focus] if focus else [])
    gutter = gutter_width(_label_texts(parts, palette))
    page = Page(
        f"Forecast · {unique_id}",
        " · ".join(filter(None, [note, *_about(past, parts, times)])),
        size=(WIDTH, HEIGHT), gutter=gutter, keys=_keys(parts, focus, palette),
        note=_NOTE_OUTSIDE if _outside(parts, palette, low, high) else "",
    )  # fmt: skip
    axes = page.panels[0]
    labels = _paint(axes, past, parts, palette)
    if focus:
        draw_bands(axes, past, parts[focus], focus, band_colour(focus, parts[focus], palette))
    shade_future(axes, past, times)
    axes.set_ylim(low, high)
    finish_axes(page, settings, times, WIDTH - gutter - 1.2, HEIGHT)
    direct_labels(page.figure, axes, labels)
    return page.figure


def _past(
    history: pd.DataFrame,
    unique_id: object,
    times: pd.Series,
    settings: Settings | None,
    steps: int | None,
) -> pd.DataFrame:
    season = (settings or {}).get("season_length")
    return observed(history, unique_id).tail(steps or shown_steps(times.nunique(), season))


def _about(past: pd.DataFrame, parts: Parts, times: pd.Series) -> list[str]:
    shown = [f"last {plural(len(past), 'observation')} shown"] if len(past) else ["no history"]
    ahead = f"{plural(times.nunique(), 'step')} ahead from {moment(times.min())}"
    return [ahead, plural(len(parts), "model"), *shown]


def _keys(parts: Parts, focus: str | None, palette: Mapping[str, Look]) -> list[Artist]:
    keys: list[Artist] = [key_line("observed")]
    if focus:
        name = chosen_model(parts[focus]) or focus
        colour = band_colour(focus, parts[focus], palette)
        keys += band_keys(list(intervals(parts[focus], focus)), colour, name)
    return keys


def _label_texts(parts: Parts, palette: Mapping[str, Look]) -> list[str]:
    faint = sum(palette[model].faint for model in parts)
    names = [display_name(m, part) for m, part in parts.items() if not palette[m].faint]
    return [*names, *([others_text(faint)] if faint else [])]


def _outside(parts: Parts, palette: Mapping[str, Look], low: float, high: float) -> bool:
    ends = [last_point(part["ds"].to_numpy(), values(part, model))[1]
            for model, part in parts.items() if not palette[model].faint]  # fmt: skip
    return any(end < low or end > high for end in ends)


def _paint(
    axes: Axes, past: pd.DataFrame, parts: Parts, palette: Mapping[str, Look]
) -> list[Label]:
    """Draw history and forecasts; return the labels of the lines that have a colour."""
    draw_line(axes, past["ds"].to_numpy(), values(past, "y"), OBSERVED)
    labels, grey = [], []
    for model, part in parts.items():
        alone = model == BEST and chosen_model(part) not in parts
        if alone:
            draw_alone(axes, past, part, model, palette[model])
        times, numbers = draw_forecast(axes, past, part, model, palette[model])
        if palette[model].faint:
            grey.append(palette[model])
        else:
            name = display_name(model, part)
            labels.append(Label(name, *last_point(times, numbers), palette[model]))
    if grey:
        labels.append(Label(others_text(len(grey)), np.nan, np.nan, grey[0]))
    return labels


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
    """Draw every model's forecast of one series in a panel of its own, to be compared.

    Each panel shows the series, the panel's model in its colour with its intervals, and the other
    models in grey, on the same axes.

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
        When no model has a forecast of the series.
    """
    parts = of_series(predictions, models, unique_id)
    if errors and models is None:
        parts = {m: parts[m] for m in sorted(parts, key=lambda m: (_error(errors, m), m))}
    shown = dict(list(parts.items())[:MOST_PANELS])
    palette = fill_palette(palette, list(parts))
    times = pd.concat([part["ds"] for part in parts.values()])
    past = _past(history, unique_id, times, settings, steps)
    rows, columns = grid_of(len(shown))
    wide, high = (WIDTH - 1.0) / columns, {1: 4.0, 2: 2.9, 3: 2.2}.get(columns, 1.75)
    keys = [key_line("observed"), *([key_line("the other models", OTHER, 1.0)] * (len(parts) > 1))]
    hidden = len(parts) - len(shown)
    page = Page(
        f"Models compared · {unique_id}",
        " · ".join(filter(None, [note, *_about(past, parts, times)])),
        size=(WIDTH, high * rows + 0.5), keys=keys, rows=rows, columns=columns, count=len(shown),
        share=True,
        note=f"{plural(hidden, 'more model')} not shown." if hidden else "",
    )  # fmt: skip
    low, top = series_limits(past, parts, shown)
    for axes, model in zip(page.panels, shown, strict=True):
        _comparison_panel(axes, past, parts, model, palette)
        shade_future(axes, past, times)
        error = _error(errors or {}, model)
        detail = f"{error_name} {number(error)}" if math.isfinite(error) else ""
        panel_title(axes, display_name(model, parts[model]), wide - 0.25, detail)
    page.panels[0].set_ylim(low, top)
    finish_axes(page, settings, times, wide, high - 0.4)
    return page.figure


def _error(errors: Mapping[str, float], model: str) -> float:
    value = float(errors.get(model, math.inf))
    return value if math.isfinite(value) else math.inf


def _comparison_panel(
    axes: Axes, past: pd.DataFrame, parts: Parts, model: str, palette: Mapping[str, Look]
) -> None:
    grey = Look(OTHER, width=0.8, order=2.2)
    for other, part in parts.items():
        if other != model:
            draw_forecast(axes, past, part, other, grey)
    draw_line(axes, past["ds"].to_numpy(), values(past, "y"), OBSERVED)
    draw_bands(axes, past, parts[model], model, band_colour(model, parts[model], palette))
    draw_alone(axes, past, parts[model], model, palette[model])
