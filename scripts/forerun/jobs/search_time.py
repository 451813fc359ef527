"""The time limit of a search, counted from its first trial; after a kill it continues."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged, read_text
from forerun.base.files import write_text
from forerun.jobs.child_task import Limit
from forerun.runs import session
from forerun.runs.paths import RunPaths
from forerun.runs.search import Trial

#: Error class of trials that were stopped by the time limit of their search.
KIND = "SearchLimit"
#: Maximum size of the mark of a search, in bytes.
LONGEST = 64


def limit(trial: Trial, settings: dict[str, Any]) -> Limit | None:
    """Return the remaining time for a trial; None if its search has no limit."""
    study = trial.study(settings)
    if study.time_limit is None:
        return None
    left = study.time_limit - _seconds_since_first(trial)
    what = "not started" if left <= 0 else f"stopped after {left:.0f} s"
    reason = f"{what}: the time_limit of {study.name} ({study.time_limit:g} s) had passed"
    return Limit(left, "skipped", reason, KIND)


def forget(run: RunPaths, study: str) -> None:
    """Forget the time of a search that has ended: if it is repeated, it has all its time again."""
    _mark(Trial(run, study)).unlink(missing_ok=True)


def _seconds_since_first(trial: Trial) -> float:
    """Return the seconds since the first trial, without the time between calls.

    The mark next to the logs was written when the first trial of a call began; it contains the
    seconds of earlier calls that were killed.
    """
    mark = _mark(trial)
    age, call = _age(mark), session.seconds_since_start(trial.run.folder)
    before = _spent(mark)
    if age is not None and (call is None or age <= call):
        return before + age
    if age is not None and call is not None:
        before += max(0.0, age - _idle(trial, call, age))
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_text(mark, f"{before:.1f}\n")
    return before


def _idle(trial: Trial, call: float, default: float) -> float:
    """Return the seconds since the search was last active before this call.

    Parameters
    ----------
    call : seconds since the start of the call
    default : result if there are no logs and leases, which are renewed every few seconds
    """
    own = re.compile(rf"{re.escape(trial.model)}_\d+_\d+\..+")
    files = [path for path in _mark(trial).parent.iterdir() if own.fullmatch(path.name)]
    ages = [age for path in files if (age := _age(path)) is not None]
    return min((age for age in ages if age >= call), default=default)


def _spent(mark: Path) -> float:
    """Return the seconds in a mark; 0 if there is none or it is damaged."""
    try:
        seconds = float(read_text(mark, LONGEST))
    except (Damaged, ValueError):
        return 0.0
    return seconds if 0 <= seconds < math.inf else 0.0


def _mark(trial: Trial) -> Path:
    return trial.log_path.with_name(f"{trial.model}.began")


def _age(path: Path) -> float | None:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return None
