"""The plan of ``train --dry-run``: the action for each model, its reason and duration."""

from __future__ import annotations

import io
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.text import duration
from forerun.config import search, threads, windows
from forerun.config.models import ModelSpec, specs
from forerun.config.settings import dump
from forerun.forecasting import freeze
from forerun.jobs import fingerprint, fit_history, model_cache
from forerun.runs import search as search_files
from forerun.runs import state
from forerun.runs.fit import Fit, fits
from forerun.runs.outcome import Outcome
from forerun.runs.paths import RunPaths

if TYPE_CHECKING:
    import pandas as pd

    from forerun.data import Prepared

NO_EARLIER = "no earlier run"


@dataclass(frozen=True)
class Row:
    """The plan of a model.

    Attributes
    ----------
    final, cv : actions for the final fit and for cross-validation
    why : reason in words
    seconds : estimated training time, fits in sequence; None without earlier runs
    """

    model: str
    final: str
    cv: str
    why: str
    seconds: float | None = 0.0


@dataclass(frozen=True)
class _Step:
    """The planned action for a fit.

    Attributes
    ----------
    action : ``nothing``, ``reuse``, ``retry`` or ``train``
    before : current outcome
    source : run whose equal fit is reused
    """

    action: str
    before: Outcome | None
    seconds: float | None = 0.0
    source: str = ""


@dataclass(frozen=True)
class _Run:
    """An existing or new run, with the costs of earlier fits; `data` only of a new run."""

    folder: Path
    settings: dict[str, Any]
    data: pd.DataFrame | None
    size: float
    earlier: list[fit_history.Cost]

    def step(self, spec: ModelSpec, fit: Fit) -> _Step:
        """Return the planned action for a fit."""
        before = fit.outcome()
        if fit.is_completed():
            return _Step("nothing", before)
        if spec.members:
            return _Step("average", before)
        if source := self.stored(fit):
            return _Step("reuse", before, source=source)
        seconds = fit_history.seconds(
            self.earlier,
            fit_history.kind(spec, self.settings),
            self.size,
            0 if fit.fold is None else len(windows.folds(self.settings)[fit.fold]),
            fit_history.steps(spec, self.settings),
        )
        return _Step("retry" if fit.needs_retry() else "train", before, seconds)

    def stored(self, fit: Fit) -> str:
        """Return the run whose equal fit can be reused; empty if there is none."""
        if not self.settings["reuse"]:
            return ""
        what = fingerprint.ingredients(fit, self.settings, self.settings["threads"], self.data)
        entry = model_cache.entry(model_cache.of_run(self.folder), fingerprint.key(what))
        return str(entry.info["run_id"]) if entry and not entry.damaged() else ""


def rows(folder: Path, settings: dict[str, Any], prepared: Prepared | None = None) -> list[Row]:
    """Return the plan of each model of a run; `prepared` is the data of a new run."""
    if state.is_sealed(folder):
        why = "the run is sealed"
        return [Row(spec.name, "nothing", "nothing", why) for spec in specs(settings)]
    run = _existing(folder, settings) if prepared is None else _new(folder, settings, prepared)
    new = "not started yet" if prepared is None else "new run"
    found = [_search(run, study, new) for study in search.studies(run.settings)]
    for spec in specs(run.settings):
        steps = [run.step(spec, fit) for fit in fits(RunPaths(folder), run.settings, spec.name)]
        final, *cv = steps
        seconds = [step.seconds for step in steps if step.seconds is not None]
        total = sum(seconds) if len(seconds) == len(steps) else None
        found.append(Row(spec.name, final.action, _counted(cv), _why(steps, new), total))
    return found


def _search(run: _Run, study: search.Study, new: str) -> Row:
    """Return the plan of a search: the number of its trials, and how many have ended."""
    paths = RunPaths(run.folder)
    trials = search_files.trials(paths, study)
    ended = sum(trial.outcome() is not None for trial in trials)
    if search_files.chosen(paths, study).status == "ok":
        return Row(study.name, "nothing", "nothing", "completed before")
    why = f"{ended} of {len(trials)} trials have ended" if ended else new
    return Row(study.name, "search", f"{len(trials)} trials", why, None)


def _existing(folder: Path, settings: dict[str, Any]) -> _Run:
    return _Run(folder, settings, None, fit_history.size(folder), fit_history.costs(folder.parent))


def _new(folder: Path, settings: dict[str, Any], prepared: Prepared) -> _Run:
    """Return a new run as if it had been created."""
    settings = freeze.settled(settings | {"threads": _threads(settings)}, prepared)
    table = io.BytesIO()
    prepared.frame.to_parquet(table, index=False)
    size = (len(table.getvalue()) + len(dump(settings))) / 1024**2
    return _Run(folder, settings, prepared.frame, size, fit_history.costs(folder.parent))


def _threads(settings: dict[str, Any]) -> int:
    return int(settings["threads"] or threads.share(os.cpu_count() or 1, settings))


def _counted(steps: list[_Step]) -> str:
    """Describe the actions for cross-validation: ``train``, or ``train 2, reuse 1``."""
    counts = Counter(step.action for step in steps)
    if len(counts) == 1:
        return steps[0].action
    return ", ".join(f"{action} {number}" for action, number in counts.most_common())


def _why(steps: list[_Step], new: str) -> str:
    """Return the reason in words; `new` if no fit has an outcome."""
    before = [step.before for step in steps if step.before]
    if failed := [outcome for outcome in before if not outcome.is_ok]:
        why = f"{failed[0].status} before: {failed[0].reason[:80]}"
    elif all(step.action == "nothing" for step in steps):
        why = "completed before"
    else:
        why = "incomplete" if before else new
    sources = sorted({step.source for step in steps if step.source})
    return f"{why}; equal fits exist in {', '.join(sources)}" if sources else why


def estimate(seconds: float | None) -> str:
    """Return an estimate for display."""
    if seconds is None:
        return NO_EARLIER
    return f"about {duration(max(seconds, 1), whole=True)}" if seconds else ""


def summary(rows: list[Row], settings: dict[str, Any]) -> str:
    """Return the estimated time of all training; empty if nothing is trained."""
    seconds = [row.seconds for row in rows if row.seconds]
    unknown = sum(row.seconds is None for row in rows)
    if not seconds and not unknown:
        return ""
    if not seconds:
        return f"time: {NO_EARLIER} with similar fits"
    at_once = max(1, (os.cpu_count() or 1) // _threads(settings))
    text = f"time: {estimate(sum(seconds))} of training"
    text += f", up to {at_once} fits at once" if at_once > 1 else ""
    return text + (f", and {unknown} models without an earlier run" if unknown else "")
