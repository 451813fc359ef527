"""Figures of the forecasts of one series: in one plot, and all models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forerun.config.names import PER_SERIES
from forerun.plots.axes import (
    Label,
    direct_labels,
    draw_line,
    gutter_width,
    last_point,
    others_text,
)
from forerun.plots.frames import Frames, intervals, values
from forerun.plots.page import Page, key_line
from forerun.plots.series import (
    OBSERVED,
    Parts,
    Settings,
    about,
    band_color,
    band_keys,
    chosen_model,
    display_name,
    draw_alone,
    draw_bands,
    draw_forecast,
    fill_palette,
    finish_axes,
    focus_of,
    leaves,
    of_series,
    recent,
    series_limits,
    shade_future,
)
from forerun.plots.style import Look, styled

WIDTH, HEIGHT = 10.0, 4.2


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
    """Draw the end of a series and the forecasts of all models.

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
        Style of each model from :func:`forerun.plots.looks` for the whole run.
    settings
        The run's configuration: the season, and the names of its columns for the axes.
    steps
        Number of observations to show before the forecast; automatic by default.
    bands
        Model whose intervals are shaded; by default ``per_series`` or the first that has any.
    note
        Start of the line below the title.

    Raises
    ------
    UserError
        If no model has a forecast of the series.
    """
    parts = of_series(predictions, models, unique_id)
    palette = fill_palette(palette, list(parts))
    times = pd.concat([part["ds"] for part in parts.values()])
    past = recent(history, unique_id, times, settings, steps)
    focus = focus_of(parts, bands)
    faint = [model for model in parts if palette[model].faint]
    limits = series_limits(past, parts, [focus] if focus else [], faint)
    drawn = {m: part for m, part in parts.items()
             if m not in faint or not leaves(part, m, limits, room=0.1)}  # fmt: skip
    gutter = gutter_width(_label_texts(drawn, palette))
    page = Page(
        f"Forecast · {unique_id}",
        " · ".join(filter(None, [note, *about(past, parts, times)])),
        size=(WIDTH, HEIGHT), gutter=gutter, keys=_keys(parts, focus, palette),
        note=_footnote(parts, drawn, limits),
    )  # fmt: skip
    axes = page.panels[0]
    labels = _paint(axes, past, drawn, palette)
    if focus:
        draw_bands(axes, past, parts[focus], focus, band_color(focus, parts[focus], palette))
    shade_future(axes, past, times)
    axes.set_ylim(*limits)
    finish_axes(page, settings, times, WIDTH - gutter - 1.2, HEIGHT)
    direct_labels(page.figure, axes, labels)
    return page.figure


def _keys(parts: Parts, focus: str | None, palette: Mapping[str, Look]) -> list[Artist]:
    keys: list[Artist] = [key_line("observed")]
    if focus:
        name = chosen_model(parts[focus]) or focus
        color = band_color(focus, parts[focus], palette)
        keys += band_keys(list(intervals(parts[focus], focus)), color, name)
    return keys


def _label_texts(parts: Parts, palette: Mapping[str, Look]) -> list[str]:
    faint = sum(palette[model].faint for model in parts)
    names = [display_name(m, part) for m, part in parts.items() if not palette[m].faint]
    return [*names, *([others_text(faint)] if faint else [])]


def _footnote(parts: Parts, drawn: Parts, limits: tuple[float, float]) -> str:
    ends = [last_point(part["ds"].to_numpy(), values(part, m))[1] for m, part in drawn.items()]
    far = any(end < limits[0] or end > limits[1] for end in ends)
    gone = len(parts) - len(drawn)
    return " ".join(filter(None, [
        "↑ ↓ mark a forecast that ends outside the picture." if far else "",
        f"{others_text(gone)} far outside the picture." if gone else "",
    ]))  # fmt: skip


def _paint(
    axes: Axes, past: pd.DataFrame, parts: Parts, palette: Mapping[str, Look]
) -> list[Label]:
    """Draw history and forecasts; return the labels of the lines that have a color."""
    draw_line(axes, past["ds"].to_numpy(), values(past, "y"), OBSERVED)
    labels, gray = [], []
    for model, part in parts.items():
        alone = model == PER_SERIES and chosen_model(part) not in parts
        if alone:
            draw_alone(axes, past, part, model, palette[model])
        times, numbers = draw_forecast(axes, past, part, model, palette[model])
        if palette[model].faint:
            gray.append(palette[model])
        else:
            name = display_name(model, part)
            labels.append(Label(name, *last_point(times, numbers), palette[model]))
    if gray:
        labels.append(Label(others_text(len(gray)), np.nan, np.nan, gray[0]))
    return labels
