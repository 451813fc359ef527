"""The page of a deployment: the accuracy of its forecasts, and what is due."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.text import time_text
from forerun.config.names import REFERENCE
from forerun.deployments import actuals, scores
from forerun.deployments.folder import Deployment, read_journal
from forerun.deployments.monitoring import standing
from forerun.deployments.origins import origins
from forerun.deployments.periods import parse_time
from forerun.deployments.retraining import retrain_due
from forerun.deployments.runs import InService, champion
from forerun.evaluation.intervals import columns
from forerun.plots import palette
from forerun.plots.axes import axis_names
from forerun.report import charts
from forerun.report.pack import Line, pack
from forerun.report.page import write_page
from forerun.runs.reader import RunReader

#: Newest origins whose forecasts are drawn, models that are drawn, and series in the table.
DRAWN, MODELS, WORST = 26, 4, 10


def write_monitor(deployment: Deployment, path: str | Path) -> Path:
    """Write the page of a deployment.

    Raises
    ------
    UserError
        There is no such deployment, or something that it needs is damaged.
    """
    deployment.require()
    one, settings = champion(deployment), deployment.settings()
    table = scores.summary(deployment)
    made = origins(deployment)
    found = standing(deployment, one)
    detail = scores.read_detail(deployment, [origin.name for origin in made[-DRAWN:]])
    models = _models(deployment, table, one)
    drawn = _charts(table, models, settings.metric, found.promised)
    data, shown = _pack(deployment, one, models, drawn)
    write_page(
        path,
        "monitor.html.j2",
        data=data,
        shown=shown,
        deployment=deployment,
        settings=settings,
        metric=charts.metric_name(settings.metric),
        key=settings.metric,
        champion=one,
        standing=found,
        models=models,
        history=_ribbon(deployment),
        challengers=deployment.challenging(),
        rows=_latest(table, models, settings.metric),
        levels=_levels(table),
        worst=_worst(detail, one, settings.metric),
        added=_value_added(detail, one),
        changes=_changes(made),
        due=retrain_due(deployment),
        last=made[-1] if made else None,
        origins=len(made),
        drawn=[{"id": c["id"], "title": c["title"], "about": c["about"]} for c in drawn],
    )
    return Path(path)


def _models(deployment: Deployment, table: pd.DataFrame, one: InService) -> list[tuple[str, str]]:
    """Return whose forecasts are drawn, as run and model: those in service first."""
    wanted = [(one.line.run_id, one.model)]
    runs = [line.run_id for line in deployment.challenging()]
    for run_id in runs:
        own = table[(table["run_id"] == run_id) & (table["step"] == 0)]
        names = set(own["model"])
        if names:
            best = own.groupby("model")["mae"].mean().idxmin()
            wanted.append((run_id, one.model if one.model in names else str(best)))
    mine = table[table["run_id"] == one.line.run_id]
    if REFERENCE in set(mine["model"]):
        wanted.append((one.line.run_id, REFERENCE))
    if scores.ADJUSTED in set(table["model"]):
        wanted.append(("", scores.ADJUSTED))
    return list(dict.fromkeys(wanted))[:MODELS]


def label(run_id: str, model: str) -> str:
    """Return what a forecast is called on the page."""
    return f"{model} of {run_id}" if run_id else model


def _charts(
    table: pd.DataFrame, models: list[tuple[str, str]], metric: str, promised: float | None
) -> list[dict[str, Any]]:
    """Return error, coverage and bias by origin, and error by step."""
    whole = table[table["step"] == 0] if len(table) else table
    if not len(whole):
        return []
    found = [_by_origin(whole, models, metric, promised)]
    found += _coverage(whole, models)
    found.append(_bias(whole, models))
    steps = table[table["step"] > 0].groupby(["run_id", "model", "step"])[metric].mean()
    data = []
    for number, (run_id, model) in enumerate(models):
        if (run_id, model) in steps.index:
            own = steps.loc[(run_id, model)]
            data.append(_trace(number, label(run_id, model), own.index.tolist(), own))
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
    whole: pd.DataFrame, models: list[tuple[str, str]], column: str, factor: float = 1
) -> list[dict[str, Any]]:
    """Return a line by origin of a column of the scores for each forecast that has any."""
    data = []
    for number, (run_id, model) in enumerate(models):
        rows = scores.whole_origins(whole, run_id, model)
        if len(rows):
            times = [time_text(time) for time in rows["origin"]]
            data.append(_trace(number, label(run_id, model), times, factor * rows[column]))
    return data


def _by_origin(
    whole: pd.DataFrame, models: list[tuple[str, str]], metric: str, promised: float | None
) -> dict[str, Any]:
    data = _lines(whole, models, metric)
    about = "Mean over the series of each origin whose values have come so far."
    if promised is not None:
        every = sorted({time for trace in data for time in trace["x"]})
        ends = [every[0], every[-1]]
        line = {"type": "scatter", "mode": "lines", "name": "promised", "neutral": True}
        data.insert(0, line | {"x": ends, "y": [promised, promised]})
        about += " The dashed line is what the back-test of the champion promised."
    layout = {
        "xaxis": {"type": "category", "title": {"text": "forecast origin"}},
        "yaxis": {"title": {"text": charts.metric_name(metric)}, "rangemode": "tozero"},
    }
    return {"id": "by-origin", "variants": [{"label": "", "data": data}], "layout": layout,
            "title": "Error by origin", "about": about}  # fmt: skip


def _levels(table: pd.DataFrame) -> list[str]:
    names = [str(name) for name in table.columns if str(name).startswith("coverage_")]
    return [name.removeprefix("coverage_") for name in names]


def _coverage(whole: pd.DataFrame, models: list[tuple[str, str]]) -> list[dict[str, Any]]:
    variants = []
    for level in _levels(whole):
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


def _bias(whole: pd.DataFrame, models: list[tuple[str, str]]) -> dict[str, Any]:
    data = _lines(whole, models, "bias")
    layout = {
        "xaxis": {"type": "category", "title": {"text": "forecast origin"}},
        "yaxis": {"title": {"text": "mean error"}, "zeroline": True},
    }
    about = "Forecast minus actual value: above zero the forecasts were too high."
    return {"id": "bias", "variants": [{"label": "", "data": data}], "layout": layout,
            "title": "Bias", "about": about}  # fmt: skip


def _pack(
    deployment: Deployment,
    one: InService,
    models: list[tuple[str, str]],
    drawn: list[dict[str, Any]],
) -> tuple[str, dict[str, int]]:
    """Return the data of the page: charts, and forecasts of several origins and actual values."""
    every = actuals.latest(actuals.read(deployment))
    made = origins(deployment)[-DRAWN:]
    tables = [origin.forecasts() for origin in made]
    lines = [
        Line(
            label(run_id, model), model,
            functools.partial(_windows, tables, run_id, model, every),
            functools.partial(_newest, tables, run_id, model),
        )
        for run_id, model in models
        if model != scores.ADJUSTED
    ]  # fmt: skip
    places = palette.places_of(RunReader(one.folder))
    looks = [
        asdict(palette.style(model, places, None if run_id == one.line.run_id else 1))
        for run_id, model in models
    ]
    ids = list(every["unique_id"].unique())
    extra = {
        "models": [label(run_id, model) for run_id, model in models],
        "looks": looks,
        "axes": axis_names(one.settings, every["ds"]),
        "charts": drawn,
    }
    return pack(every, lines, ids, extra=extra)


def _frame(table: pd.DataFrame, run_id: str, model: str) -> pd.DataFrame:
    """Return a model's forecasts of one origin in the columns of a run's tables."""
    own = table[(table["run_id"] == run_id) & (table["model"] == model)]
    renamed = {"point": model, "origin": "cutoff"}
    for name in [str(c) for c in own.columns if str(c).startswith("lo-")]:
        level = float(name.removeprefix("lo-"))
        low, high = columns(model, level)
        if own[name].notna().any():
            renamed |= {name: low, f"hi-{level:g}": high}
    return own.rename(columns=renamed)[["unique_id", "ds", *dict.fromkeys(renamed.values())]]


def _windows(
    tables: list[pd.DataFrame], run_id: str, model: str, every: pd.DataFrame
) -> pd.DataFrame:
    frames = [_frame(table, run_id, model) for table in tables[:-1]]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y", model])
    return pd.concat(frames, ignore_index=True).merge(every, on=["unique_id", "ds"], how="left")


def _newest(tables: list[pd.DataFrame], run_id: str, model: str) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=["unique_id", "ds", model])
    return _frame(tables[-1], run_id, model).drop(columns="cutoff")


def _ribbon(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the champions in order, each with its share of the time since the first."""
    lines = read_journal(deployment.champions)
    starts = [pd.Timestamp(line.since) for line in lines]
    now = max(pd.Timestamp.now(tz="UTC"), starts[-1])
    total = max((now - starts[0]).total_seconds(), 1.0)
    ends = [*starts[1:], now]
    return [
        {"line": line, "share": max(4.0, 100 * (end - start).total_seconds() / total)}
        for line, start, end in zip(lines, starts, ends, strict=True)
    ]


def _latest(
    table: pd.DataFrame, models: list[tuple[str, str]], metric: str
) -> list[dict[str, Any]]:
    """Return a row for each origin of the forecast in service and its rivals, the newest first."""
    if not len(table):
        return []
    wanted = pd.Series(
        [pair in models for pair in zip(table["run_id"], table["model"], strict=True)],
        index=table.index,
    )
    rows = table[(table["step"] == 0) & wanted]
    rows = rows.sort_values(["origin", "role"], ascending=[False, True]).head(200)
    return [
        {str(key): value for key, value in row.items()}
        | {
            "time": time_text(row["origin"]),
            "error": row[metric],
            "name": label(row["run_id"], row["model"]),
        }
        for row in rows.to_dict("records")
    ]


def _worst(detail: pd.DataFrame, one: InService, metric: str) -> list[dict[str, Any]]:
    """Return the series with the largest errors on the newest scored origins."""
    loss = f"{scores.LOSSES[metric]}_step"
    if not len(detail):
        return []
    own = detail[(detail["run_id"] == one.line.run_id) & (detail["model"] == one.model)]
    groups = own.groupby("unique_id")
    table = groups.agg(error=(loss, "mean"), bias=("error", "mean"), n=("y", "size"))
    table = table.sort_values("error", ascending=False).head(WORST).reset_index()
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _value_added(detail: pd.DataFrame, one: InService) -> list[dict[str, Any]]:
    if not len(detail):
        return []
    chain = {"seasonal naive": REFERENCE, "model": one.model, "person": scores.ADJUSTED}
    table = scores.value_added(detail, one.line.run_id, chain)
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _changes(made: list[Any]) -> list[dict[str, Any]]:
    """Return what was said of the data at the newest origins."""
    found = []
    for origin in reversed(made[-8:]):
        record = origin.record
        said = [*_words(record.get("changes") or {}), *(record.get("problems") or [])]
        dated = not isinstance(record.get("end"), int)
        time = time_text(parse_time(origin.name, dated, "forecasts"))
        found.append({"time": time, "kind": record.get("kind", ""), "said": said})
    return found


def _words(changes: dict[str, Any]) -> list[str]:
    from forerun.deployments.changes import Changes

    names = set(Changes.__dataclass_fields__)
    return Changes(**{k: v for k, v in changes.items() if k in names}).lines()
