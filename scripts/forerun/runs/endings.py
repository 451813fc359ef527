"""How a call on runs ends: what is said of them, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from forerun.runs import refusals, state
from forerun.runs.fit import unfinished_models
from forerun.runs.paths import RunPaths

ADVICE = "the same command tries again what failed; accept_failures=true keeps it so"


@dataclass
class Ending:
    """What became of the runs of a call.

    Attributes
    ----------
    failures : by run, its failed models that nobody has accepted, each with the reason
    refused : the runs of which a job was refused
    """

    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, runs: Iterable[RunPaths], since: float) -> Self:
        """Look at the runs of a call that began at `since`, in seconds since 1970."""
        found = cls()
        for run in runs:
            if failed := failures(run, since):
                found.failures[run.run_id] = failed
            elif refusals.is_refused(run.folder):
                found.refused.append(run.run_id)
        return found

    @property
    def lines(self) -> list[str]:
        """What to print of the failures."""
        lines = [
            f"forerun: run '{run_id}': {model} failed: {reason}"
            for run_id, failed in self.failures.items()
            for model, reason in failed.items()
        ]
        return [*lines, f"forerun: {ADVICE}"] if lines else []

    @property
    def code(self) -> int:
        """2 if the user has to fix something, 1 if a model failed, otherwise 0."""
        return 2 if self.refused else int(bool(self.failures))


def failures(run: RunPaths, since: float) -> dict[str, str]:
    """Return the failed models of a run, each with its reason; none of a sealed run."""
    if state.is_sealed(run.folder):
        return {}
    failed = unfinished_models(run, since)
    return failed | (state.failed_models(run.leaderboard) if run.leaderboard.is_file() else {})
