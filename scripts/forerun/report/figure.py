"""Plotly figure of one series of a run, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from forerun.plots import palette
from forerun.plots.frames import intervals
from forerun.plots.names import axis_names

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from forerun.runs.reader import RunReader


def series_figure(run: RunReader, unique_id: str, models: Sequence[str]) -> go.Figure:
    """Return a figure with history, back-tests, forecasts, and the intervals of the first model."""
    import plotly.graph_objects as go

    figure, places = go.Figure(), palette.places_of(run)
    # Thick lines first, so that thin ones are on top.
    for model in sorted(models, key=lambda name: -palette.style(name, places).width):
        look = palette.style(model, places)
        first = True
        for part in _parts(run, unique_id, model):
            if model == models[0]:
                _add_interval(figure, part, model, look.light)
            line = {"color": look.light, "dash": look.dash, "width": look.width}
            shared: dict[str, Any] = {"legendgroup": model, "showlegend": first, "name": model}
            shared |= {"opacity": look.opacity, "legendrank": models.index(model) + 1}
            figure.add_scatter(x=part["ds"], y=part[model], mode="lines", line=line, **shared)
            first = False
    history = run.history[run.history["unique_id"] == unique_id]
    line = {"color": palette.ACTUAL, "width": 1.8}
    figure.add_scatter(x=history["ds"], y=history["y"], mode="lines", name="observed", line=line)
    time, value = axis_names(run.config, history["ds"])
    figure.update_layout(
        title={"text": f"{unique_id} · run {run.run_id}"},
        height=480,
        xaxis={"title": {"text": time}},
        yaxis={"title": {"text": value}},
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.2},
        margin={"l": 40, "r": 20, "t": 50, "b": 40},
    )
    return figure


def _parts(run: RunReader, unique_id: str, model: str) -> list[pd.DataFrame]:
    """Return one frame per back-test window, and one for the forecast."""
    cv = run.cv_results_of(model)
    own = cv[cv["unique_id"] == unique_id]
    parts = [part for _, part in own.groupby("cutoff")] if len(own) else []
    ahead = run.predictions_of(model)
    ahead = ahead[ahead["unique_id"] == unique_id]
    return [*parts, ahead] if len(ahead) else parts


def _add_interval(figure: go.Figure, part: pd.DataFrame, model: str, color: str) -> None:
    pairs = intervals(part, model)
    if not pairs:
        return
    level, (low, high) = next(iter(pairs.items()))
    figure.add_scatter(
        x=[*part["ds"], *part["ds"][::-1]],
        y=[*part[high], *part[low][::-1]],
        fill="toself",
        fillcolor=color,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        name=f"{model}, {level:g} %",
        legendgroup=model,
        showlegend=False,
    )
