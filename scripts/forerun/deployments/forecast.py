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


@dataclass
class Forecasts:
    """What the runs of a deployment forecast at an origin.

    Attributes
    ----------
    runs : those that were opened: the champion first, then its challengers
    frames : forecasts of each model, by run id; a challenger that cannot forecast is missing
    notes, problems : what there is to say about them
    """

    runs: list[InService]
    frames: dict[str, dict[str, pd.DataFrame]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def table(self, origin: Time) -> pd.DataFrame:
        """Return the content of ``forecasts.parquet``."""
        levels = {
            level
            for frames in self.frames.values()
            for name, frame in frames.items()
            for level in levels_of(frame, name)
        }
        parts = [
            origins.long_table(
                self.frames[one.line.run_id], origin, one.line.run_id, one.role, sorted(levels)
            )
            for one in self.runs
            if one.line.run_id in self.frames
        ]
        return pd.concat(parts, ignore_index=True)


def _forecasts(
    deployment: Deployment, champion: InService, seen: source.Seen, files: source.Source
) -> Forecasts:
    """Let the champion and its challengers forecast; only the champion has to."""
    made = Forecasts([champion])
    _add(made, champion, seen)
    for line in deployment.challenging():
        try:
            one = runs.open_run(deployment, line, "challenger", None)
            made.runs.append(one)
            _add(made, one, _seen_by(one, files, seen))
        except UserError as error:
            made.problems.append(f"challenger {line.run_id}: {error}")
    return made


def _add(made: Forecasts, one: InService, seen: source.Seen) -> None:
    """Add the forecasts of a run."""
    from forerun.forecasting.predict import forecast_all

    run_id, notes = one.line.run_id, list[str]()
    frames = forecast_all(one.settings, seen.data, one.choice, notes, skip_missing=True)
    lacking = [name for name in one.choice.names if name not in frames]
    if one.role == "champion" and one.model in lacking:
        raise UserError(
            f"run '{run_id}' cannot forecast with {one.model}, which is in service: "
            f"{'; '.join(notes) or 'see above'}"
        )
    made.frames[run_id] = frames
    made.notes += [f"{run_id}: {note}" for note in notes]
    made.problems += [f"{run_id}: {name} has no forecast" for name in lacking]


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
    forecasts = _forecasts(deployment, champion, seen, files)
    table = forecasts.table(seen.origin)
    series = changes.describe(seen.data.history, int(champion.settings["season_length"] or 1))
    earlier = origins.origins(deployment)
    found = changes.find(series, earlier[-1].series() if earlier else None, seen.origin)
    if news is not None:
        found.restated, found.gone = news.restated, news.vanished
    notes, end = [*seen.notes, *forecasts.notes], table["ds"].max()
    record = {
        "origin": str(seen.origin),
        "end": end.isoformat() if isinstance(end, pd.Timestamp) else int(end),
        "made_at": now(), "kind": kind, "freq": champion.settings["freq"],
        "horizon": deployment.settings().horizon,
        "runs": {
            one.line.run_id: {
                "role": one.role, "seal": one.line.seal, "model": one.model,
                "models": list(forecasts.frames.get(one.line.run_id, {})),
            }
            for one in forecasts.runs
        },
        "data": {"file": str(files.data), "sha256": files.checksum},
        "series": len(series), "changes": found.as_dict(), "notes": notes,
        "problems": forecasts.problems, "versions": versions(),
    }  # fmt: skip
    origin = origins.origin_of(deployment, seen.origin)
    origins.write(origin, table, series, record)
    made.origins.append(origin.name)
    made.lines.append(f"origin {origin.name}: {len(series)} series, {len(forecasts.runs)} runs")
    made.lines += [f"warning: {line}" for line in [*found.lines(), *forecasts.problems]]
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
