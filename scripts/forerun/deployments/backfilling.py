"""Backfill: forecasts from earlier origins, as they would have been result then.

Each origin uses only rows up to its time, and only runs whose data end at or before it: the
champion, or runs named ``NAME_<origin>`` that ``backfill --retrain`` has trained.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.errors import UserError
from forerun.base.files import write_parquet
from forerun.base.text import plural
from forerun.config.settings import read_frozen
from forerun.deployments import actuals, inputs, origins, retraining, runs, source
from forerun.deployments.folder import Deployment, appointment
from forerun.deployments.forecast import make
from forerun.deployments.periods import Period, Time, is_origin_name, origin_name, parse_time
from forerun.deployments.result import Result
from forerun.deployments.runs import InService
from forerun.runs.paths import check_run_id
from forerun.runs.state import is_sealed


@dataclass(frozen=True)
class Request:
    """The origins and data of a backfill.

    Attributes
    ----------
    times : the origins (times of the data), oldest first
    early : whether the first requested time is before the start of the data
    """

    files: inputs.Source
    champion: InService
    seen: source.Seen
    times: list[Time]
    early: bool

    @classmethod
    def of(cls, deployment: Deployment, start: str, every: str, data_file: str | None) -> Request:
        """Read the data and find the origins."""
        files = inputs.find(deployment.settings(), data_file)
        champion = runs.champion(deployment)
        step = Period.parse(every, "--every")
        seen = source.read(files, champion.folder, champion.settings)
        dated = isinstance(seen.origin, pd.Timestamp)
        time = parse_time(start, dated, "--from")
        if time > seen.origin:
            end = origin_name(seen.origin)
            raise UserError(f"--from {start} is after the end of the data, {end}")
        present = pd.Index(seen.data.history["ds"].unique()).sort_values()
        times, early = [], False
        while time <= seen.origin:
            at = present[present <= time]
            if len(at):
                times.append(at[-1] if dated else int(at[-1]))
            early |= not len(at)
            time = step.after(time, champion.settings["freq"])
        return cls(files, champion, seen, list(dict.fromkeys(times)), early)

    @property
    def dated(self) -> bool:
        return isinstance(self.seen.origin, pd.Timestamp)


def backfill(
    deployment: Deployment, start: str, every: str, data_file: str | None = None
) -> Result:
    """Forecast from earlier origins with the rows up to each; they are marked as backfill."""
    deployment.require()
    with deployment.locked():
        asked = Request.of(deployment, start, every, data_file)
        news = actuals.compare(deployment, asked.seen.data.history)
        actuals.write(deployment, news, asked.files.checksum)
        result = Result()
        if asked.early:
            result.lines.append("skipped origins before the start of the data")
        for time in asked.times:
            _forecast(deployment, asked, time, result)
    return result


def _forecast(deployment: Deployment, asked: Request, origin: Time, result: Result) -> None:
    place = origins.origin_of(deployment, origin)
    if place.folder.exists():
        result.lines.append(f"origin {place.name} exists")
        return
    usable = [run for run in _runs(deployment, asked) if run[0] <= origin]
    if not usable:
        run_id, end = asked.champion.line.run_id, runs.data_end(asked.champion.folder, asked.dated)
        result.lines.append(
            f"origin {place.name} skipped: the data of run '{run_id}' end later, at "
            f"{origin_name(end)}; --retrain trains a run for it"
        )
        return
    run_id = usable[-1][1]
    one = asked.champion
    if run_id != one.line.run_id:
        line = appointment(deployment, run_id, "backfill")
        one = runs.open_run(deployment, line, "champion", deployment.settings().model)
    then = source.until(asked.seen, origin, one.settings)
    make(deployment, one, then, asked.files, "backfill", None, result)


def _runs(deployment: Deployment, asked: Request) -> list[tuple[Time, str]]:
    """Return the runs that can be used in a backfill and the ends of their data, in order."""
    champion = asked.champion
    found = [(runs.data_end(champion.folder, asked.dated), champion.line.run_id)]
    for folder in _trained(deployment, asked.dated):
        horizon = read_frozen(folder / "config.yaml")["horizon"]
        if is_sealed(folder) and horizon == deployment.settings().horizon:
            found.append((runs.data_end(folder, asked.dated), folder.name))
    return sorted(dict.fromkeys(found))


def _trained(deployment: Deployment, dated: bool) -> Iterator[Path]:
    """Yield the runs that were trained for a backfill, complete or not."""
    try:
        names = sorted(os.listdir(deployment.run("")))
    except OSError:
        return
    for name in names:
        folder = deployment.run(name)
        if is_trained_for(deployment, name, dated) and (folder / "config.yaml").is_file():
            yield folder


def is_trained_for(deployment: Deployment, run_id: str, dated: bool) -> bool:
    """Return whether a run id has the form of runs that are trained for a backfill.

    Parameters
    ----------
    dated : whether origins are dates; ``retrain`` names its runs ``NAME_20240128``
    """
    found = re.fullmatch(rf"{re.escape(deployment.name)}_(.+)", run_id)
    return found is not None and is_origin_name(found[1]) and dated == ("-" in found[1][1:])


# -- Runs for the origins -----------------------------------------------------------------------


@dataclass(frozen=True)
class Needed:
    """A run that a backfill lacks."""

    run_id: str
    origin: Time


def needed(deployment: Deployment, asked: Request) -> list[Needed]:
    """Return the runs to train so that every origin has one, oldest first.

    An origin needs a new run if the data of all runs end after it, or if the deployment retrains
    ``every`` period and that time has passed since the end of the newest run's data.
    """
    ends = [end for end, _ in _runs(deployment, asked)]
    policy = deployment.settings().retrain.every
    found = []
    for origin in asked.times:
        if origins.origin_of(deployment, origin).folder.exists():
            continue
        newest = max((end for end in ends if end <= origin), default=None)
        freq = asked.champion.settings["freq"]
        if newest is None or (policy and policy.after(newest, freq) <= origin):
            run_id = check_run_id(f"{deployment.name}_{origin_name(origin)}")
            found.append(Needed(run_id, origin))
            ends.append(origin)
    return found


def training_settings(deployment: Deployment, asked: Request, one: Needed) -> dict[str, Any]:
    """Write the training table of a run and return its settings, those of the champion."""
    frame = source.table(asked.seen, one.origin, asked.champion.settings)
    path = deployment.tables / f"{one.run_id}.parquet"
    write_parquet(path, frame)
    settings = retraining.training_settings(deployment, inputs.Source(str(path)))
    return settings | {"static_file": None, "futr_file": None}


def clear_tables(deployment: Deployment, dated: bool) -> None:
    """Remove tables and settings of completed runs, which have their own copies."""
    for path in deployment.tables.glob("*.*"):
        trained = is_trained_for(deployment, path.stem, dated)
        if trained and is_sealed(deployment.run(path.stem)):
            path.unlink()


def plan(found: list[Needed]) -> str:
    """Return a line that lists the runs to train."""
    listed = ", ".join(one.run_id for one in found[:5]) + (" ..." if len(found) > 5 else "")
    return f"{plural(len(found), 'run')} to train: {listed}" if found else "no run to train"
