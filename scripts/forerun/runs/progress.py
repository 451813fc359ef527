"""Progress of the fits of a run, from the files in its folder.

Jobs, including those on a cluster, update a small file while they train and write an outcome when
they end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import modified_at, read_mapping, write_json
from forerun.base.text import brief, clean, clock
from forerun.config import search
from forerun.config.frozen import read_frozen
from forerun.runs import search as search_files
from forerun.runs.fit import Fit, fits
from forerun.runs.paths import RunPaths

WAITING, RUNNING, OK, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
#: The progress of drawing, in the folder of a run.
FIGURES = "logs/plot_run.progress.json"
#: Status of the outcome -> state, for fits that a rerun retries.
_UNFINISHED = {"failed": FAILED, "skipped": STOPPED}
_SHAPE = {"step": int, "max_steps": int, "loss": float, "elapsed": float, "resumed": int}


@dataclass(frozen=True)
class Progress:
    """Training step, loss and elapsed seconds of a fit.

    Attributes
    ----------
    resumed : step of the checkpoint from which this attempt resumed; 0 if it started with step 1
    """

    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    elapsed: float = 0.0
    resumed: int = 0

    @classmethod
    def read(cls, path: str | Path) -> Progress | None:
        """Read the progress file of a fit; None if it is missing or damaged."""
        record = read_mapping(path, _SHAPE)
        return cls(**record) if record else None

    def write(self, path: str | Path, **labels: str) -> None:
        """Write the progress file of a fit with `labels` and the current time."""
        write_json(path, labels | asdict(self) | {"updated_at": time.time()})

    @property
    def words(self) -> str:
        """For example ``step 20 of 50, loss 0.25, about 12 s left``."""
        loss = "" if self.loss is None else f", loss {brief(self.loss)}"
        left = "" if self.remaining is None else f", about {self.remaining:.0f} s left"
        # Only training of a network has a loss; other models report the series that are done.
        unit = "series" if self.step and self.loss is None else "step"
        resumed = f" ({self.origin})" if self.resumed else ""
        return f"{unit} {self.step} of {self.max_steps}{resumed}{loss}{left}"

    @property
    def origin(self) -> str:
        """``resumed at step 400 of 1000``; empty if it started with step 1."""
        return f"resumed at step {self.resumed} of {self.max_steps}" if self.resumed else ""

    @property
    def share(self) -> float:
        """Completed share, from 0 to 1."""
        return min(1.0, self.step / self.max_steps) if self.max_steps else 0.0

    @property
    def remaining(self) -> float | None:
        """Estimated seconds left; None if less than one is left, and before the second step.

        The time until the end of the first step is mostly that of preparations and compilers.
        """
        if self.step <= self.resumed + 1:
            return None
        left = self.elapsed / (self.step - self.resumed) * (self.max_steps - self.step)
        return left if left >= 1 else None


@dataclass(frozen=True)
class FitState:
    """State and progress of a fit.

    Attributes
    ----------
    progress : as last reported
    waited : seconds since then, of a running fit
    reason, log : why it failed or was stopped, and the path of its log
    is_old : whether its outcome is older than the call
    """

    fit: Fit
    state: str = WAITING
    progress: Progress = Progress()
    reason: str = ""
    log: str = ""
    is_old: bool = False
    waited: float = 0.0

    @property
    def elapsed(self) -> float:
        return self.progress.elapsed + self.waited

    @property
    def share(self) -> float:
        """Completed share, from 0 to 1."""
        return 1.0 if self.state in (OK, FAILED) else self.progress.share

    @property
    def remaining(self) -> float | None:
        """Estimated seconds left: those of the last report, counted down; None if unknown.

        Elapsed seconds with the steps of an earlier report would let the estimate go up and down.
        """
        left = self.progress.remaining if self.state == RUNNING else None
        return None if left is None or left - self.waited < 1 else left - self.waited

    @property
    def duration(self) -> float | None:
        """Seconds of a completed fit, or as estimated for a running one; None if unknown."""
        if self.state == OK:
            return self.elapsed or None
        return None if self.remaining is None else self.elapsed + self.remaining


@dataclass(frozen=True)
class TimeLeft:
    """Estimated seconds until all fits are completed.

    Attributes
    ----------
    is_least : whether some fits are not counted, as nothing is known about their model
    """

    seconds: float
    is_least: bool = False

    @property
    def words(self) -> str:
        """For example ``about 1:20 left``."""
        return f"{'at least' if self.is_least else 'about'} {clock(self.seconds)} left"


def survey(
    folder: str | Path, since: float = 0.0, settings: dict[str, Any] | None = None
) -> list[FitState]:
    """Return the state of each fit of a run, trials of searches first; empty before it is frozen.

    Parameters
    ----------
    since : start of the call; older outcomes of failed fits will be retried, and older progress
        files were left by a killed call
    settings : the frozen settings of the run; read by default
    """
    run = RunPaths(Path(folder))
    try:
        settings = read_frozen(run.config) if settings is None else settings
        trials = [t for study in search.studies(settings) for t in search_files.trials(run, study)]
        found = [_look_at_trial(trial, since) for trial in trials]
        return found + [_look(fit, since) for fit in fits(run, settings)]
    except UserError:
        return []


def _look_at_trial(trial: search_files.Trial, since: float) -> FitState:
    """Return the state of a trial of a search: it is done even if it failed, which has a reason."""
    now, outcome = _look(trial, since), trial.outcome()
    if outcome is None or outcome.is_ok or now.state == RUNNING:
        return now
    return replace(now, state=OK, reason=clean(outcome.reason))


def _look(fit: Fit, since: float) -> FitState:
    outcome, progress = fit.outcome(), Progress.read(fit.progress_path)
    ended = modified_at(fit.outcome_path) if outcome else 0.0
    moved = modified_at(fit.progress_path) if progress else 0.0
    if progress and moved >= since and moved > ended:
        # Elapsed time may come from another machine's clock; the rest is from the file's time.
        return FitState(fit, RUNNING, progress, waited=max(0.0, time.time() - moved))
    waiting = FitState(fit, is_old=0 < ended < since)
    if outcome is None:
        return waiting
    last = Progress(loss=progress.loss if progress else None, elapsed=outcome.seconds)
    if outcome.is_ok and fit.has_product():
        return replace(waiting, state=OK, progress=last)
    if outcome.is_ok or waiting.is_old:
        return waiting
    reason, log = clean(outcome.reason), clean(outcome.log or "")
    state = _UNFINISHED[outcome.status]
    return replace(waiting, state=state, progress=last, reason=reason, log=log)


@contextmanager
def figures(run: str | Path) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that records how many figures of a run are drawn, and of how many."""
    path = Path(run) / FIGURES
    try:
        yield lambda drawn, count: Progress(drawn, count).write(path)
    finally:
        path.unlink(missing_ok=True)


def figures_drawn(run: str | Path) -> str:
    """Return ``12 of 35`` while the figures of a run are drawn, otherwise an empty string."""
    drawn = (Path(run) / "plots").exists()
    now = None if drawn else Progress.read(Path(run) / FIGURES)
    return f"{now.step} of {now.max_steps}" if now else ""


def state_of(states: Iterable[FitState]) -> str:
    """Return the state of a model from the states of its fits."""
    distinct = {each.state for each in states}
    for state in (FAILED, RUNNING, STOPPED):
        if state in distinct:
            return state
    return OK if distinct == {OK} else WAITING


def share(states: Collection[FitState]) -> float:
    """Return the completed share of all fits, from 0 to 1, with equal weights."""
    return sum(each.share for each in states) / len(states) if states else 0.0


def time_left(states: Collection[FitState]) -> TimeLeft | None:
    """Estimate the time until all fits are completed; None as long as nothing is known.

    A running fit that reports its steps or series has its own estimate. Another fit is expected to
    take as long as those of its model in this call; without any it is unknown, as one that takes
    longer than that: models differ by factors of a thousand. The number of parallel fits is assumed
    to stay the same.
    """
    durations: dict[str, list[float]] = {}
    for each in states:
        if each.duration is not None and not each.is_old:
            durations.setdefault(each.fit.model, []).append(each.duration)
    expected, unknown = [], False
    for each in (each for each in states if each.state in (WAITING, RUNNING)):
        left, like = each.remaining, durations.get(each.fit.model)
        if left is None and like:
            left = sum(like) / len(like) - each.elapsed
        if left is None or (left < 1 and each.state == RUNNING):
            unknown = True
        else:
            expected.append(left)
    running = max(1, sum(each.state == RUNNING for each in states))
    total = max(sum(expected) / running, max(expected, default=0.0))
    return TimeLeft(total, unknown) if total >= 1 else None
