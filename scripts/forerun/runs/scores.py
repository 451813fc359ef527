"""The scores of a run: whether they are complete, and whether the run may be sealed."""

from __future__ import annotations

from collections.abc import Collection

from forerun.config.names import COMBINED, FORMER
from forerun.runs import state
from forerun.runs.paths import RunPaths


def are_complete(run: RunPaths) -> bool:
    """Return whether all scores exist; runs of earlier versions have fewer."""
    scores = [run.metrics, run.leaderboard, run.folder / "ensemble.json"]
    return all(path.is_file() for path in [*scores, *map(run.cv_results, COMBINED)])


def existing(run: RunPaths, models: Collection[str]) -> list[str]:
    """Return the existing score files that combinations and intervals are computed from."""
    results = [f"cv_results_{name}.csv" for name in [*models, *COMBINED, *FORMER]]
    return [n for n in ["metrics.csv", "ensemble.json", *results] if (run.folder / n).is_file()]


def allow_seal(run: RunPaths, models: Collection[str], accept_failures: bool) -> bool:
    """Return whether a scored run may be sealed: no model failed, or not all and it is accepted."""
    failed = state.failed_models(run.leaderboard)
    return not (set(models) <= set(failed) or (failed and not accept_failures))
