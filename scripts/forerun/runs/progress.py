"""How far the fits of a run have come, from the files in its folder.

Jobs keep a small file up to date while they train and write an outcome when they end, so the jobs
of a cluster are seen as well.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from forerun.base.errors import UserError
from forerun.base.files import read_mapping
from forerun.base.text import brief, clean
from forerun.config.frozen import read_frozen
from forerun.runs.fit import Fit, fits
from forerun.runs.paths import RunPaths

WAITING, RUNNING, OK, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
#: States of fits that a rerun retries; one is stopped when the run's ``time_limit`` has passed.
_UNFINISHED = {"failed": FAILED, "skipped": STOPPED}
_SHAPE = {"step": int, "max_steps": int, "loss": float, "elapsed": float}


@dataclass(frozen=True)
class Progress:
    """Steps of training, the loss, and the seconds so far."""

    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    elapsed: float = 0.0

    @classmethod
    def read(cls, path: str | Path) -> Progress | None:
        """Read the file of a fit that is training; None if it is missing or damaged."""
        found = read_mapping(path, _SHAPE)
        return cls(**found) if found else None

    @property
    def words(self) -> str:
        """For example ``step 20 of 50, loss 0.25, about 12 s left``."""
        loss = "" if self.loss is None else f", loss {brief(self.loss)}"
        left = "" if self.remaining is None else f", about {self.remaining:.0f} s left"
        return f"step {self.step} of {self.max_steps}{loss}{left}"

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return min(1.0, self.step / self.max_steps) if self.max_steps else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds left; None until a step has been made."""
        if not 0 < self.step <= self.max_steps:
            return None
        return self.elapsed / self.step * (self.max_steps - self.step)


@dataclass(frozen=True)
class FitState:
    """A fit, its state and how far it has come.

    Attributes
    ----------
    reason, log : why it has failed or was stopped, and the path of its log
    is_old : whether its outcome is from before the call that is watched
    """

    fit: Fit
    state: str = WAITING
    progress: Progress = Progress()
    reason: str = ""
    log: str = ""
    is_old: bool = False

    @property
    def elapsed(self) -> float:
        return self.progress.elapsed

    @property
    def share(self) -> float:
        """How much of its work is done, from 0 to 1."""
        return 1.0 if self.state in (OK, FAILED) else self.progress.share

    @property
    def remaining(self) -> float | None:
        return self.progress.remaining if self.state == RUNNING else None


def survey(folder: str | Path, since: float = 0.0) -> list[FitState]:
    """Return the state of each fit of a run; none before the run is frozen.

    Parameters
    ----------
    since : time stamp; outcomes from before it are old (a failed fit is retried), and progress from
        before it was left by a call that was killed
    """
    run = RunPaths(Path(folder))
    try:
        return [_look(fit, since) for fit in fits(run, read_frozen(run.config))]
    except UserError:
        return []


def _look(fit: Fit, since: float) -> FitState:
    outcome, progress = fit.outcome(), Progress.read(fit.progress_path)
    ended = _written(fit.outcome_path) if outcome else 0.0
    moved = _written(fit.progress_path) if progress else 0.0
    if progress and moved >= since and moved > ended:
        # Its clock may be another machine's: the time since then is that of the file's own stamp.
        elapsed = progress.elapsed + max(0.0, time.time() - moved)
        return FitState(fit, RUNNING, replace(progress, elapsed=elapsed))
    found = FitState(fit, is_old=0 < ended < since)
    if outcome is None:
        return found
    last = Progress(loss=progress.loss if progress else None, elapsed=outcome.seconds)
    if fit.is_completed():
        return replace(found, state=OK, progress=last)
    if outcome.is_ok or found.is_old:
        return found
    reason, log = clean(outcome.reason), clean(outcome.log or "")
    state = _UNFINISHED[outcome.status]
    return replace(found, state=state, progress=last, reason=reason, log=log)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def state_of(states: Iterable[FitState]) -> str:
    """Return the state of a model from those of its fits."""
    found = {each.state for each in states}
    for state in (FAILED, RUNNING, STOPPED):
        if state in found:
            return state
    return OK if found == {OK} else WAITING


def share(states: Collection[FitState]) -> float:
    """Return how much of all work is done, from 0 to 1; each fit counts the same."""
    return sum(each.share for each in states) / len(states) if states else 0.0


def time_left(states: Collection[FitState]) -> float | None:
    """Estimate the seconds until all fits are done; None while nothing tells how long one takes.

    A fit takes as long as others of its model, or else as the mean of all; as many run side by side
    as do now.
    """
    seen = [each for each in states if each.elapsed and each.share and not each.is_old]
    if not seen:
        return None
    durations: dict[str, list[float]] = {}
    for each in seen:
        durations.setdefault(each.fit.model, []).append(each.elapsed / each.share)
    every = [seconds for found in durations.values() for seconds in found]
    total = 0.0
    for each in (each for each in states if each.state in (WAITING, RUNNING)):
        like = durations.get(each.fit.model, every)
        total += max(0.0, sum(like) / len(like) - each.elapsed)
    return total / max(1, sum(each.state == RUNNING for each in states))
