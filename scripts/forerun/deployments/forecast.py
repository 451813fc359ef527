"""Forecasting from the end of the data when a new origin is due."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.text import plural
from forerun.deployments import actuals, changes, inputs, origins, runs, source
from forerun.deployments.folder import Deployment
from forerun.deployments.periods import Time, origin_name, parse_time
from forerun.deployments.result import Result
from forerun.deployments.runs import InService
from forerun.evaluation.intervals import levels_of
from forerun.forecasting.freeze import versions


def forecast(deployment: Deployment, data_file: str | None = None) -> Result:
    """Record new values and, if an origin is due, forecast from the end of the data.

    Nothing is trained. An origin is due if at least `every` has passed since the last one.
    """
    deployment.require()
    with deployment.locked():
        return _forecast(deployment, inputs.find(deployment.settings(), data_file))


def _forecast(deployment: Deployment, files: inputs.Source) -> Result:
    checksum = files.checksum  # before reading: if the file changes later, it is read again
    champion = runs.champion(deployment)
    seen = source.read(files, champion.folder, champion.settings)
    news = actuals.compare(deployment, seen.data.history)
    if waiting := _not_due(deployment, seen.origin, champion.settings["freq"]):
        nothing = "" if len(news.rows) else f"nothing new in {files.data}; "
        result = Result(lines=[nothing + waiting])
    else:
        result = Result()
        make(deployment, champion, seen, files, "live", news, result)
    # Written last: after a kill before this line, the next call finds the same values.
    actuals.write(deployment, news, checksum)
    return result


def _not_due(deployment: Deployment, origin: Time, freq: str | int) -> str:
    """Return why no origin is due; an empty string if one is."""
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
    """Forecasts of a deployment's runs at one origin.

    Attributes
    ----------
    runs : the champion, then the challengers that could be opened
    frames : run id -> model -> forecasts; challengers that cannot forecast are missing
    notes, problems : messages about them for the user
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
    deployment: Deployment, champion: InService, seen: source.Seen, files: inputs.Source
) -> Forecasts:
    """Forecast with the champion and its challengers; a challenger may fail.

    Challengers trained on data after the origin are skipped.
    """
    forecasts = Forecasts([champion])
    _add(forecasts, champion, seen)
    if later := runs.later_end(champion.folder, seen.origin):
        forecasts.problems.append(f"{champion.line.run_id} was trained on {later}")
    for line in deployment.challenging():
        try:
            one = runs.open_run(deployment, line, "challenger", None)
            if later := runs.later_end(one.folder, seen.origin):
                raise UserError(f"skipped, because it was trained on {later}")
            forecasts.runs.append(one)
            _add(forecasts, one, _seen_by(one, files, seen))
        except UserError as error:
            forecasts.problems.append(f"challenger {line.run_id}: {error}")
    return forecasts


def _add(forecasts: Forecasts, one: InService, seen: source.Seen) -> None:
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
    forecasts.frames[run_id] = frames
    forecasts.notes += [f"{run_id}: {note}" for note in notes]
    forecasts.problems += [f"{run_id}: {name} has no forecast" for name in lacking]


def make(
    deployment: Deployment,
    champion: InService,
    seen: source.Seen,
    files: inputs.Source,
    kind: str,
    news: actuals.News | None,
    result: Result,
) -> None:
    """Write the folder of an origin: forecasts of the champion and of its challengers.

    Parameters
    ----------
    kind : ``live`` or ``backfill``
    news : new, restated and removed values; None in a backfill
    result : collects the origin and messages for the user
    """
    forecasts = _forecasts(deployment, champion, seen, files)
    table = forecasts.table(seen.origin)
    series = changes.describe(seen.data.history, int(champion.settings["season_length"] or 1))
    before = origins.before(deployment, seen.origin)
    found = changes.find(series, before.series() if before else None, seen.origin)
    if news is not None:
        earlier = (before.record.get("columns") or []) if before else []
        found.columns = [name for name in earlier if name not in seen.columns]
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
        "columns": seen.columns, "series": len(series), "changes": found.as_dict(), "notes": notes,
        "problems": forecasts.problems, "versions": versions(),
    }  # fmt: skip
    origin = origins.origin_of(deployment, seen.origin)
    origins.write(origin, table, series, record)
    result.origins.append(origin.name)
    result.lines.append(
        f"origin {origin.name}: {len(series)} series, {plural(len(forecasts.runs), 'run')}"
    )
    result.lines += [f"warning: {line}" for line in [*found.lines(), *forecasts.problems]]
    result.lines += [f"note: {line}" for line in notes]


def _seen_by(one: InService, files: inputs.Source, seen: source.Seen) -> source.Seen:
    """Return the data at the same origin for another run, which may use other columns."""
    own = source.read(files, one.folder, one.settings)
    return own if own.origin == seen.origin else source.until(own, seen.origin, one.settings)
