"""Forecasting from the newest data, or from earlier origins as if they were new."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.deployments import actuals, changes, origins, runs, source
from forerun.deployments.folder import Deployment
from forerun.deployments.periods import Period, Time, origin_name, parse_time
from forerun.deployments.runs import InService
from forerun.evaluation.intervals import levels_of
from forerun.forecasting.freeze import versions


@dataclass
class Made:
    """What a call has done: the origins that it wrote, and what there is to say."""

    origins: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def forecast(deployment: Deployment, data_file: str | None = None) -> Made:
    """Record what is new in the data and forecast from their end, if that is due.

    Nothing is trained. An origin is due when it lies `every` after the last one.
    """
    deployment.require()
    with deployment.locked():
        return _forecast(deployment, source.find(deployment.settings(), data_file))


def _forecast(deployment: Deployment, files: source.Source) -> Made:
    if files.checksum == actuals.source(deployment):
        return Made(lines=[f"nothing new in {files.data}"])
    champion = runs.champion(deployment)
    seen = source.read(files, champion.folder, champion.settings)
    news = actuals.compare(deployment, seen.data.history)
    if waiting := _not_due(deployment, seen.origin, champion.settings["freq"]):
        made = Made(lines=[waiting])
    else:
        made = Made()
        _make(deployment, champion, seen, files, "live", news, made)
    # Last: a call that is killed before this finds the same news again.
    actuals.write(deployment, news, files.checksum)
    return made


def _not_due(deployment: Deployment, origin: Time, freq: str | int) -> str:
    """Say why no origin is due; empty if one is."""
    if origins.origin_of(deployment, origin).folder.exists():
        return f"origin {origin_name(origin)} exists"
    live = [one for one in origins.origins(deployment) if not one.is_backfill]
    if not live:
        return ""
    last = parse_time(live[-1].name, isinstance(origin, pd.Timestamp), "forecasts")
    due = deployment.settings().every.after(last, freq)
    return "" if origin >= due else f"the next origin is due at {origin_name(due)}"


def _make(
    deployment: Deployment,
    champion: InService,
    seen: source.Seen,
    files: source.Source,
    kind: str,
    news: actuals.News | None,
    made: Made,
) -> None:
    """Write the folder of an origin: forecasts of the champion and of its challengers."""
    from forerun.forecasting.predict import forecast_all

    settings, problems = deployment.settings(), []
    opened, tables = [champion], []
    for line in deployment.challenging():
        try:
            opened.append(runs.open_run(deployment, line, "challenger", None))
        except UserError as error:
            problems.append(f"challenger {line.run_id}: {error}")
    levels: set[float] = set()
    frames_of: dict[str, dict[str, pd.DataFrame]] = {}
    notes = list(seen.notes)
    for one in opened:
        try:
            own = seen if one is champion else _seen_by(one, files, seen)
            notes_of: list[str] = []
            frames = forecast_all(one.settings, own.data, one.choice, notes_of, True)
            notes += [f"{one.line.run_id}: {note}" for note in notes_of]
        except UserError as error:
            if one is champion:
                raise
            problems.append(f"challenger {one.line.run_id}: {error}")
            continue
        frames_of[one.line.run_id] = frames
        levels |= {level for name, frame in frames.items() for level in levels_of(frame, name)}
        lacking = [name for name in one.choice.names if name not in frames]
        problems += [f"{one.line.run_id}: {name} has no forecast" for name in lacking]
        if one is champion and one.model in lacking:
            raise UserError(
                f"run '{one.line.run_id}' cannot forecast with {one.model}, which is in service: "
                f"{'; '.join(notes_of) or 'see above'}"
            )
    for one in opened:
        if one.line.run_id in frames_of:
            tables.append(
                origins.long_table(
                    frames_of[one.line.run_id], seen.origin, one.line.run_id, one.role,
                    sorted(levels),
                )
            )  # fmt: skip
    table = pd.concat(tables, ignore_index=True)
    series = changes.describe(seen.data.history, int(champion.settings["season_length"] or 1))
    earlier = origins.origins(deployment)
    known = earlier[-1].series() if earlier else None
    found = changes.find(series, known, seen.origin)
    if news is not None:
        found.restated, found.gone = news.restated, news.vanished
    end = table["ds"].max()
    record = {
        "origin": str(seen.origin), "end": end.isoformat() if isinstance(end, pd.Timestamp)
        else int(end), "made_at": now(), "kind": kind, "freq": champion.settings["freq"],
        "horizon": settings.horizon,
        "runs": {
            one.line.run_id: {
                "role": one.role, "seal": one.line.seal, "model": one.model,
                "models": list(frames_of.get(one.line.run_id, {})),
            }
            for one in opened
        },
        "data": {"file": str(files.data), "sha256": files.checksum},
        "series": len(series), "changes": found.as_dict(), "notes": notes, "problems": problems,
        "versions": versions(),
    }  # fmt: skip
    origin = origins.origin_of(deployment, seen.origin)
    origins.write(origin, table, series, record)
    made.origins.append(origin.name)
    made.lines.append(f"origin {origin.name}: {len(series)} series, {len(opened)} runs")
    made.lines += [f"warning: {line}" for line in [*found.lines(), *problems]]
    made.lines += [f"note: {line}" for line in notes]


def _seen_by(one: InService, files: source.Source, seen: source.Seen) -> source.Seen:
    """Return what another run may see at the same origin: it may have other columns."""
    own = source.read(files, one.folder, one.settings)
    return own if own.origin == seen.origin else source.until(own, seen.origin, one.settings)


def backfill(deployment: Deployment, start: str, every: str, data_file: str | None = None) -> Made:
    """Forecast from earlier origins, each seeing only what there was then; marked as backfill.

    A run forecasts only from origins at or after the end of the data that it was trained on.
    """
    deployment.require()
    with deployment.locked():
        made = Made()
        files = source.find(deployment.settings(), data_file)
        champion = runs.champion(deployment)
        seen = source.read(files, champion.folder, champion.settings)
        news = actuals.compare(deployment, seen.data.history)
        actuals.write(deployment, news, files.checksum)
        dated = isinstance(seen.origin, pd.Timestamp)
        step = Period.parse(every, "--every")
        time = parse_time(start, dated, "--from")
        end = runs.data_end(champion.folder, dated)
        times = pd.Index(seen.data.history["ds"].unique()).sort_values()
        while time <= seen.origin:
            at = times[times <= time]
            origin = None if not len(at) else at[-1] if dated else int(at[-1])
            _backfill_one(deployment, champion, seen, files, origin, end, made)
            time = step.after(time, champion.settings["freq"])
    if not made.lines:
        made.lines.append(f"--from {start} lies after the data, which end at {seen.origin}")
    return made


def _backfill_one(
    deployment: Deployment,
    champion: InService,
    seen: source.Seen,
    files: source.Source,
    origin: Time,
    end: Time,
    made: Made,
) -> None:
    if origin is None or origin < end:
        made.lines.append(
            f"origin {origin_name(origin) if origin is not None else 'before the data'} left out: "
            f"the data of run '{champion.line.run_id}' end later, at {origin_name(end)}"
        )
        return
    place = origins.origin_of(deployment, origin)
    if place.folder.exists():
        made.lines.append(f"origin {place.name} exists")
        return
    then = source.until(seen, origin, champion.settings)
    _make(deployment, champion, then, files, "backfill", None, made)
