"""Charts of the pages as plotly data, drawn and colored by the page's script.

A chart is a dict: ``id``; ``variants``, each with a ``label`` and plotly traces as ``data``;
``layout``; ``height`` in pixels. The key ``m`` of a trace is its model: the script applies the
model's color and hides the trace together with the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from forerun.base import text
from forerun.report.errors import Backtest
from forerun.runs.search import Result

Chart = dict[str, Any]

ABOUT = {
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
    "rmse": "Root of the mean squared error",
    "mape": "Mean absolute percentage error",
    "smape": "Symmetric mean absolute percentage error, from 0 to 100 %",
    "mase": "Mean absolute error, scaled by that of the seasonal naive forecast in-sample",
    "rmsse": "Root mean squared error, scaled by that of the seasonal naive forecast in-sample",
    "wape": "Sum of the absolute errors over the sum of the absolute values",
    "bias": "Mean of forecast minus value: positive if forecasts are too high",
    "rmsle": "Root of the mean squared difference of log(1 + x)",
    "scaled_crps": "Continuous ranked probability score of the intervals, scaled by the values",
}
#: Points of the distribution that a box shows.
SPREAD = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Color of trials that did not become models.
OTHER = "#8C96A0"
SCALES = {"scaled": "Scaled by each series' seasonal naive error", "mae": "In the data's units"}


def metric_name(metric: str) -> str:
    """Return the display name of a metric."""
    return text.metric(metric)


def digits(values: Any, metric: str = "") -> list[float | None]:
    """Return floats with five significant digits, relative errors in percent."""
    values = np.asarray(values, float) * (100 if metric in text.PERCENT else 1)
    return [None if not np.isfinite(v) else float(f"{v:.5g}") for v in values]


def _unit(metric: str) -> str:
    return " %" if metric in text.PERCENT else ""


def by_model(board: pd.DataFrame, metrics: Sequence[str], models: Mapping[str, int]) -> Chart:
    """Return bars of the mean error of each model, one variant for each metric."""
    variants = []
    for metric in metrics:
        rows = board[board[metric].notna()].sort_values(metric)
        unit = _unit(metric)
        hover = f"%{{y}}: %{{x}}{unit}<extra></extra>"
        data = [
            {"type": "bar", "orientation": "h", "m": models[model], "name": model}
            | {"x": digits([value], metric), "y": [model], "hovertemplate": hover}
            for model, value in zip(rows["model"], rows[metric], strict=True)
        ]
        variants.append({"label": metric_name(metric), "data": data, "unit": unit})
    layout = {"yaxis": {"autorange": "reversed", "type": "category"}, "bargap": 0.35}
    layout["xaxis"] = {"title": {"text": "mean error over all series"}, "rangemode": "tozero"}
    return {"id": "by-model", "variants": variants, "layout": layout, "rows": len(board)}


def _lines(
    tests: Mapping[str, Backtest], part: str, names: Sequence[Any], models: Mapping[str, int]
) -> list[dict[str, Any]]:
    variants = []
    for scale, label in SCALES.items():
        data = []
        for model, test in tests.items():
            values = getattr(test, part)[scale]
            shown = [names[number - 1] for number in values.index]
            data.append(
                {"type": "scatter", "mode": "lines+markers", "m": models[model], "name": model}
                | {"x": shown, "y": digits(values), "marker": {"size": 6}}
            )
        variants.append({"label": label, "data": data})
    return variants


def by_window(
    tests: Mapping[str, Backtest], names: Sequence[str], models: Mapping[str, int]
) -> Chart:
    """Return lines of the mean absolute error of each model by window."""
    layout = {
        "xaxis": {"type": "category", "title": {"text": "back-test window"}},
        "yaxis": {"title": {"text": "mean absolute error"}, "rangemode": "tozero"},
    }
    return {
        "id": "by-window",
        "variants": _lines(tests, "by_window", names, models),
        "layout": layout,
    }


def by_step(tests: Mapping[str, Backtest], gap: int, models: Mapping[str, int]) -> Chart:
    """Return lines of the mean absolute error of each model by step ahead."""
    most = max(len(test.by_step) for test in tests.values())
    layout = {
        "xaxis": {"title": {"text": "steps after the cutoff"}, "tickformat": "d"}
        | ({"dtick": 1} if most <= 14 else {}),
        "yaxis": {"title": {"text": "mean absolute error"}, "rangemode": "tozero"},
    }
    names = [step + gap for step in range(1, most + 1)]
    return {"id": "by-step", "variants": _lines(tests, "by_step", names, models), "layout": layout}


def over_series(metrics: pd.DataFrame, wanted: Sequence[str], models: Mapping[str, int]) -> Chart:
    """Return boxes of the errors of each model over the series, with whiskers at 5 % and 95 %."""
    columns = [column for column in metrics.columns if column in models]
    variants = []
    for metric in wanted:
        part = metrics[metrics["metric"] == metric]
        order = part[columns].median().sort_values().index
        data = []
        for model in order:
            values = part[model].dropna().to_numpy(dtype=float)
            if not len(values):
                continue
            low, q1, median, q3, high = digits(np.quantile(values, SPREAD), metric)
            box = {"type": "box", "orientation": "h", "m": models[model], "name": model}
            box |= {"y": [model], "q1": [q1], "median": [median], "q3": [q3]}
            box |= {"lowerfence": [low], "upperfence": [high], "boxpoints": False}
            data.append(box)
        variants.append({"label": metric_name(metric), "data": data, "unit": _unit(metric)})
    layout: Chart = {"yaxis": {"autorange": "reversed", "type": "category"}}
    layout["xaxis"] = {"title": {"text": "error of one series"}, "rangemode": "tozero"}
    return {"id": "over-series", "variants": variants, "layout": layout, "rows": len(columns)}


def searches(results: Sequence[Result], metric: str, models: Mapping[str, int]) -> Chart | None:
    """Return dots of the error of each trial by round, one variant for each search."""
    variants = []
    for result in results:
        table = result.table[result.table["error"].notna()]
        if table.empty:
            continue
        trials = [candidate.trial for candidate in result.chosen.trials]
        models_of = dict(zip(trials, result.study.models, strict=False))
        groups: list[tuple[str, pd.DataFrame, int | None]]
        groups = [("other trials", table[~table["trial"].isin(trials)], None)]
        groups += [(m, table[table["trial"] == t], models.get(m)) for t, m in models_of.items()]
        data: list[Chart] = []
        for name, part, place in groups:
            dots: Chart = {"type": "scatter", "mode": "markers", "name": name}
            dots |= {"x": (part["round"] + 1).tolist(), "y": digits(part["error"], metric)}
            dots |= {"text": [str(params) for params in part["params"]]}
            dots |= {"marker": {"size": 8} | ({"color": OTHER} if place is None else {})}
            dots |= {"hovertemplate": "%{text}<br>error %{y}<extra></extra>"}
            data.append(dots | ({"neutral": True} if place is None else {"m": place}))
        variants.append({"label": result.study.name, "data": data, "unit": _unit(metric)})
    layout = {
        "xaxis": {"title": {"text": "round of the search"}, "dtick": 1},
        "yaxis": {"title": {"text": f"{metric_name(metric)} before the cross-validation"}},
    }
    return {"id": "searches", "variants": variants, "layout": layout} if variants else None


def lengths(history: pd.DataFrame) -> Chart | None:
    """Return a histogram of the lengths of the series; None if all are equal."""
    sizes = history.groupby("unique_id", observed=True).size()
    if sizes.nunique() < 2:
        return None
    counts, edges = np.histogram(sizes, bins=min(30, max(5, int(sizes.nunique()))))
    middle = (edges[1:] + edges[:-1]) / 2
    bar: Chart = {"type": "bar", "x": digits(middle), "y": counts.tolist(), "name": "series"}
    layout = {
        "xaxis": {"title": {"text": "observations in a series"}},
        "yaxis": {"title": {"text": "series"}},
        "bargap": 0.05,
    }
    return {"id": "lengths", "variants": [{"label": "", "data": [bar]}], "layout": layout}


def scatter(pairs: Mapping[str, pd.DataFrame], first: str, second: str, number: int) -> Chart:
    """Return a scatter plot of the errors of each series in two runs, one variant for each metric.

    `pairs` has a frame for each metric with columns ``first`` and ``second`` by ``unique_id``.
    """
    variants = []
    for metric, frame in pairs.items():
        both = frame.dropna()
        both = both[(both > 0).all(axis=1)]
        if both.empty:
            continue
        unit = _unit(metric)
        ends = digits([both.min().min(), both.max().max()], metric)
        dots: Chart = {"type": "scatter", "mode": "markers", "name": second}
        dots |= {
            "x": digits(both["first"], metric),
            "y": digits(both["second"], metric),
            "text": list(both.index),
        }
        dots |= {"marker": {"size": 7, "opacity": 0.7}}
        dots["hovertemplate"] = (
            f"%{{text}}<br>{first} %{{x}}{unit}<br>{second} %{{y}}{unit}<extra></extra>"
        )
        line: Chart = {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "name": "equal"}
        line |= {"hoverinfo": "skip", "neutral": True}
        variants.append({"label": metric_name(metric), "data": [line, dots], "unit": unit})
    axes = {"type": "log", "exponentformat": "none"}
    layout = {
        "xaxis": {**axes, "title": {"text": f"error of {first}"}},
        "yaxis": {**axes, "title": {"text": f"error of {second}"}},
    }
    return {"id": f"scatter-{number}", "variants": variants, "layout": layout, "height": 460}
