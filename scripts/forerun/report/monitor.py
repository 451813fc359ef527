"""The page of a deployment: the accuracy of its forecasts, and what is due."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.text import time_text
from forerun.config.names import REFERENCE
from forerun.deployments import actuals, scores, summaries
from forerun.deployments.folder import Deployment, read_journal
from forerun.deployments.losses import LOSSES
from forerun.deployments.monitoring import standing
from forerun.deployments.origins import origins
from forerun.deployments.periods import parse_time
from forerun.deployments.retraining import retrain_due
from forerun.deployments.runs import InService, champion, promised_range
from forerun.evaluation.intervals import columns
from forerun.plots import palette
from forerun.plots.names import axis_names
from forerun.report import charts
from forerun.report.origin_charts import levels, origin_charts
from forerun.report.pack import Line, pack
from forerun.report.page import write_page
from forerun.report.shown import Shown, find, label
from forerun.runs.reader import RunReader

#: Newest origins whose forecasts are drawn, and series in the table.
DRAWN, WORST = 26, 10


def write_monitor(deployment: Deployment, path: str | Path) -> Path:
    """Write the page of a deployment.

    Raises
    ------
    UserError
        The deployment does not exist, or one of its files is damaged.
    """
    deployment.require()
    one, settings = champion(deployment), deployment.settings()
    table = summaries.by_step(deployment)
    made = origins(deployment)
    found = standing(deployment, one)
    detail = scores.read_detail(deployment, [origin.name for origin in made[-DRAWN:]])
    models = find(deployment, table, one)
    drawn = origin_charts(
        table, models, settings.metric, found.promised, promised_range(one, settings.metric)
    )
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
        levels=levels(table),
        worst=_worst(detail, one, settings.metric),
        added=_value_added(detail, one),
        changes=_changes(made),
        due=retrain_due(deployment),
        last=made[-1] if made else None,
        origins=len(made),
        drawn=[{"id": c["id"], "title": c["title"], "about": c["about"]} for c in drawn],
    )
    return Path(path)


def _pack(
    deployment: Deployment,
    one: InService,
    models: list[Shown],
    drawn: list[dict[str, Any]],
) -> tuple[str, dict[str, int]]:
    """Return the data of the page: charts, and forecasts of several origins and actual values."""
    every = actuals.latest(actuals.read(deployment))
    made = origins(deployment)[-DRAWN:]
    tables = [origin.forecasts() for origin in made]
    lines = [
        Line(
            shown.label, shown.model,
            functools.partial(_windows, tables, shown, every),
            functools.partial(_newest, tables, shown),
        )
        for shown in models
        if shown.model != scores.ADJUSTED
    ]  # fmt: skip
    places = palette.places_of(RunReader(one.folder))
    runs = list(dict.fromkeys(shown.runs for shown in models))  # the champion first
    looks = [
        asdict(palette.style(shown.model, places, runs.index(shown.runs) or None))
        for shown in models
    ]
    ids = list(every["unique_id"].unique())
    extra = {
        "models": [shown.label for shown in models],
        "looks": looks,
        "axes": axis_names(one.settings, every["ds"]),
        "charts": drawn,
    }
    return pack(every, lines, ids, extra=extra)


def _frame(table: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """Return the forecasts of one origin in the columns of a run's tables."""
    own, model = shown.rows(table), shown.model
    renamed = {"point": model, "origin": "cutoff"}
    for name in [str(c) for c in own.columns if str(c).startswith("lo-")]:
        level = float(name.removeprefix("lo-"))
        low, high = columns(model, level)
        if own[name].notna().any():
            renamed |= {name: low, f"hi-{level:g}": high}
    return own.rename(columns=renamed)[["unique_id", "ds", *dict.fromkeys(renamed.values())]]


def _windows(tables: list[pd.DataFrame], shown: Shown, every: pd.DataFrame) -> pd.DataFrame:
    frames = [_frame(table, shown) for table in tables[:-1]]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y", shown.model])
    return pd.concat(frames, ignore_index=True).merge(every, on=["unique_id", "ds"], how="left")


def _newest(tables: list[pd.DataFrame], shown: Shown) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=["unique_id", "ds", shown.model])
    return _frame(tables[-1], shown).drop(columns="cutoff")


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


def _latest(table: pd.DataFrame, models: list[Shown], metric: str) -> list[dict[str, Any]]:
    """Return a row for each origin of the forecast in service and its rivals, the newest first."""
    if not len(table):
        return []
    whole = table[table["step"] == 0]
    rows = pd.concat([shown.rows(whole) for shown in models])
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
    loss = f"{LOSSES[metric]}_step"
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
    """Return the messages about the data at the newest origins."""
    found = []
    for origin in reversed(made[-8:]):
        record = origin.record
        dated = not isinstance(record.get("end"), int)
        time = time_text(parse_time(origin.name, dated, "forecasts"))
        kind = record.get("kind", "")
        found.append({"time": time, "kind": kind, "messages": origin.messages()})
    return found
