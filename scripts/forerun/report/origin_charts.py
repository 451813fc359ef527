"""Charts of a deployment's scores by forecast origin."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forerun.base.text import time_text
from forerun.report import charts
from forerun.report.shown import Shown


def origin_charts(
    table: pd.DataFrame,
    models: list[Shown],
    metric: str,
    promised: float | None,
    band: tuple[float, float] | None = None,
) -> list[dict[str, Any]]:
    """Return error, coverage, bias and stability by origin, and error by step.

    Parameters
    ----------
    promised, band : error of the champion's back-test; the smallest and largest of a window
    """
    whole = table[table["step"] == 0] if len(table) else table
    if not len(whole):
        return []
    found = [_by_origin(whole, models, metric, promised, band)]
    found += _coverage(whole, models)
    found.append(_bias(whole, models))
    found += _stability(whole, models)
    data = []
    for number, shown in enumerate(models):
        own = shown.rows(table[table["step"] > 0]).groupby("step")[metric].mean()
        if len(own):
            data.append(_trace(number, shown.label, own.index.tolist(), own))
    layout = {
        "xaxis": {"title": {"text": "steps after the origin"}, "tickformat": "d"},
        "yaxis": {"title": {"text": charts.metric_name(metric)}, "rangemode": "tozero"},
    }
    found.append(
        {"id": "by-step", "variants": [{"label": "", "data": data}], "layout": layout,
         "title": "Error by step", "about": "Mean over all scored origins."}
    )  # fmt: skip
    return found


def _trace(number: int, name: str, x: list[Any], y: Any) -> dict[str, Any]:
    values = charts.digits(y)
    trace = {"type": "scatter", "mode": "lines+markers", "m": number, "name": name}
    return trace | {"x": x, "y": values, "marker": {"size": 6}}


def _lines(
    whole: pd.DataFrame, models: list[Shown], column: str, factor: float = 1
) -> list[dict[str, Any]]:
    """Return a line by origin of a column of the scores for each forecast that has any."""
    data = []
    for number, shown in enumerate(models):
        rows = shown.rows(whole).sort_values("origin")
        if len(rows):
            times = [time_text(time) for time in rows["origin"]]
            data.append(_trace(number, shown.label, times, factor * rows[column]))
    return data


def _by_origin(
    whole: pd.DataFrame,
    models: list[Shown],
    metric: str,
    promised: float | None,
    band: tuple[float, float] | None,
) -> dict[str, Any]:
    data = _lines(whole, models, metric)
    about = "Mean over the series of each origin with actual values so far."
    if promised is not None:
        every = sorted({time for trace in data for time in trace["x"]})
        ends = [every[0], every[-1]]
        line = {"type": "scatter", "mode": "lines", "name": "back-test", "neutral": True}
        data.insert(0, line | {"x": ends, "y": [promised, promised]})
        about += " The dashed line is the error of the champion's back-test."
        if band is not None:
            low, high = band
            shade = {
                "type": "scatter",
                "mode": "lines",
                "name": "back-test windows",
                "neutral": True,
            }
            corners = {"x": [*ends, *reversed(ends)], "y": [low, low, high, high]}
            data.insert(0, shade | corners | {"fill": "toself", "hoverinfo": "skip"})
            about += " The shaded band contains the errors of its windows."
    layout = {
        "xaxis": {"type": "category", "title": {"text": "forecast origin"}},
        "yaxis": {"title": {"text": charts.metric_name(metric)}, "rangemode": "tozero"},
    }
    return {"id": "by-origin", "variants": [{"label": "", "data": data}], "layout": layout,
            "title": "Error by origin", "about": about}  # fmt: skip


def levels(table: pd.DataFrame) -> list[str]:
    """Return the levels of the intervals that are scored."""
    names = [str(name) for name in table.columns if str(name).startswith("coverage_")]
    return [name.removeprefix("coverage_") for name in names]


def _coverage(whole: pd.DataFrame, models: list[Shown]) -> list[dict[str, Any]]:
    variants = []
    for level in levels(whole):
        column = f"coverage_{level}"
        data = _lines(whole[whole[column].notna()], models, column, 100)
        if data:
            every = sorted({time for trace in data for time in trace["x"]})
            line = {"type": "scatter", "mode": "lines", "name": "wanted", "neutral": True}
            data.insert(0, line | {"x": [every[0], every[-1]], "y": [float(level)] * 2})
            variants.append({"label": f"{level} %", "data": data, "unit": " %"})
    if not variants:
        return []
    layout = {
        "xaxis": {"type": "category", "title": {"text": "forecast origin"}},
        "yaxis": {"title": {"text": "values inside, %"}, "range": [0, 103]},
    }
    about = "Share of the values inside each interval; it should be near the dashed line."
    return [{"id": "coverage", "variants": variants, "layout": layout,
             "title": "Coverage of the intervals", "about": about}]  # fmt: skip


def _bias(whole: pd.DataFrame, models: list[Shown]) -> dict[str, Any]:
    data = _lines(whole, models, "bias")
    layout = {
        "xaxis": {"type": "category", "title": {"text": "forecast origin"}},
        "yaxis": {"title": {"text": "mean error"}, "zeroline": True},
    }
    about = "Forecast minus actual value: above zero the forecasts were too high."
    return {"id": "bias", "variants": [{"label": "", "data": data}], "layout": layout,
            "title": "Bias", "about": about}  # fmt: skip


def _stability(whole: pd.DataFrame, models: list[Shown]) -> list[dict[str, Any]]:
    column = "scaled_change"
    if column not in whole or not whole[column].notna().any():
        return []
    layout = {
        "xaxis": {"type": "category", "title": {"text": "forecast origin"}},
        "yaxis": {"title": {"text": "scaled change"}, "rangemode": "tozero"},
    }
    about = (
        "Mean absolute change of the forecast for the same time since the origin before, "
        "scaled as MASE is: 0 is perfectly stable."
    )
    data = _lines(whole[whole[column].notna()], models, column)
    return [{"id": "stability", "variants": [{"label": "", "data": data}], "layout": layout,
             "title": "Stability", "about": about}]  # fmt: skip
