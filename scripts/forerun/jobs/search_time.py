"""The time limit of a search, counted from its first trial in a call."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from forerun.jobs.child_task import Limit
from forerun.runs import session
from forerun.runs.search import Trial

#: Error class of trials that were stopped by the time limit of their search.
KIND = "SearchLimit"


def limit(trial: Trial, settings: dict[str, Any]) -> Limit | None:
    """Return the remaining time for a trial; None if its search has no limit."""
    study = trial.study(settings)
    if study.time_limit is None:
        return None
    left = study.time_limit - _seconds_since_first(trial)
    what = "not started" if left <= 0 else f"stopped after {left:.0f} s"
    reason = f"{what}: the time_limit of {study.name} ({study.time_limit:g} s) had passed"
    return Limit(left, "skipped", reason, KIND)


def _seconds_since_first(trial: Trial) -> float:
    """Return the seconds since the first trial of this call, measured by a file next to the logs.

    The file of an earlier call is replaced, so time between calls does not count.
    """
    mark = _mark(trial)
    age, call = _age(mark), session.seconds_since_start(trial.run.folder)
    if age is not None and (call is None or age <= call):
        return age
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    os.utime(mark)
    return 0.0


def _mark(trial: Trial) -> Path:
    return trial.log_path.with_name(f"{trial.model}.began")


def _age(path: Path) -> float | None:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return None
