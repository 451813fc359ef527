"""The end of a call: messages about its runs, and the exit code."""

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
    """Result of a call.

    Attributes
    ----------
    failures : by run, the failed models that were not accepted, each with the reason
    refused : runs with a refused job
    """

    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, runs: Iterable[RunPaths], since: float) -> Self:
        """Return the result of a call that started at `since` (seconds since 1970)."""
        ending = cls()
        for run in runs:
            if failed := failures(run, since):
                ending.failures[run.run_id] = failed
            elif refusals.is_refused(run.folder):
                ending.refused.append(run.run_id)
        return ending

    @property
    def lines(self) -> list[str]:
        """Messages about the failures."""
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
    """Return the failed models of a run, each with the reason; none if it is sealed."""
    if state.is_sealed(run.folder):
        return {}
    failed = unfinished_models(run, since)
    return failed | (state.failed_models(run.leaderboard) if run.leaderboard.is_file() else {})
