"""Comparison of runs: differing settings, common forecasts, and the errors on them.

The command and the page (:mod:`forerun.report.comparison`) both show the result of :func:`compare`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base import text
from forerun.base.errors import UserError
from forerun.config import models, own_metrics, schema, search
from forerun.config.names import REFERENCE
from forerun.evaluation import comparable
from forerun.evaluation.losses import METRICS
from forerun.evaluation.measures import Measures
from forerun.evaluation.paired import Comparison, holm, paired
from forerun.evaluation.shared_windows import align, score
from forerun.runs.reader import RunReader

_IGNORED = frozenset({"run_id", "output_dir", "log_file"})
#: The row of each run's best model.
BEST_MODEL = "best model"


@dataclass
class Compared:
    """Comparison of several runs.

    Attributes
    ----------
    runs : the runs, in the requested order
    names : their display names
    settings : key -> value in each run, for differing keys
    reasons : why the runs are not ranked; empty if they are
    notes : on which forecasts they are compared, and what is excluded; empty if on all
    tables : for each run ``unique_id, metric`` and one column for each model: comparable errors
        (those of ``metrics.csv`` if the runs are not ranked)
    scores : metric -> model -> mean error in each run, or None
    metric : metric by which the best models are chosen
    best_models : best model of each run
    target : name of the target column in the first run
    weights : weights of the errors, by run; the same where runs are ranked
    is_rescored : whether the errors are those on common forecasts, not those of the runs
    """

    runs: list[RunReader]
    names: list[str]
    settings: dict[str, list[Any]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)
    scores: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    metric: str = ""
    best_models: list[str] = field(default_factory=list)
    target: str = "y"
    weights: list[Measures] = field(default_factory=list)
    is_rescored: bool = False

    @property
    def metrics(self) -> list[str]:
        """Metrics that all runs have."""
        return [m for m, rows in self.scores.items() if None not in rows[BEST_MODEL]]

    def best(self, metric: str, model: str) -> int | None:
        """Return the run with the lowest error; None if they are equal or not ranked."""
        values = self.scores[metric][model]
        available = [value for value in values if value is not None]
        if self.reasons or len(available) < 2 or len(set(available)) == 1:
            return None
        return values.index(min(available))

    def models(self, number: int) -> list[str]:
        """Return the models of a run that have errors, best first."""
        means = _means(self.tables[number], self.weights[number], self.metric)
        return sorted(means, key=means.__getitem__)

    def skill(self, number: int) -> float | None:
        """Return the skill of a run's best model: 1 - error / SeasonalNaive's error."""
        naive = self.scores[self.metric].get(REFERENCE, [None] * len(self.names))[number]
        best = self.scores[self.metric][self.best_models[number]][number]
        return None if not naive or best is None else 1 - best / naive

    def verdicts(self) -> list[str]:
        """Return one sentence for each later run: is its best model better than the first run's?"""
        if self.reasons:
            return []
        pairs = [pair for pair in self.pairs(self.metric) if pair.first == 0 and pair.is_of_best]
        return [
            f"{self.names[0]} and {self.names[pair.second]}, {text.metric(self.metric)} of "
            f"{pair.models}: {pair.verdict}"
            for pair in pairs
        ]

    def pairs(self, metric: str) -> list[Pair]:
        """Compare each pair of runs by series: their best models, and the models of both.

        The p-values are adjusted for the number of comparisons.
        """
        found = []
        for first, second in combinations(range(len(self.names)), 2):
            one, other = self.models(first), self.models(second)
            best = self.best_models[first], self.best_models[second]
            both = [(model, model) for model in one if model in other]
            for chosen in dict.fromkeys([best, *both]):
                tables = self.tables[first], self.tables[second]
                compared, series = paired(*tables, metric, chosen, self.weights[first])
                found.append(Pair(self, first, second, chosen == best, compared, series))
        adjusted = holm([pair.comparison.p for pair in found])
        return [
            replace(pair, comparison=replace(pair.comparison, p=p))
            for pair, p in zip(found, adjusted, strict=True)
        ]


@dataclass(frozen=True)
class Pair:
    """Comparison of two models of two runs in one metric.

    Attributes
    ----------
    first, second : numbers of the runs
    is_of_best : whether each model is the best one of its run
    series : DataFrame by ``unique_id`` with the errors ``first`` and ``second``
    """

    compared: Compared
    first: int
    second: int
    is_of_best: bool
    comparison: Comparison
    series: pd.DataFrame

    @property
    def models(self) -> str:
        """The models in words."""
        one, other = self.comparison.model_first, self.comparison.model_second
        return one if one == other else f"{one} against {other}"

    @property
    def verdict(self) -> str:
        """Which run is better, in words."""
        if self.compared.reasons:
            return "not ranked"
        names = self.compared.names
        return self.comparison.verdict(names[self.first], names[self.second])

    @property
    def real(self) -> bool:
        """Whether the difference is significant and the runs are ranked."""
        return self.comparison.real and not self.compared.reasons


def compare(folders: Sequence[str | Path]) -> Compared:
    """Compare two or more runs on their common series and windows.

    Raises
    ------
    UserError
        A run has no scores yet.
    """
    runs = [RunReader.open(folder) for folder in folders]
    boards = [_leaderboard(run) for run in runs]
    found = Compared(runs, [run.run_id for run in runs], settings=_differing(runs))
    found.reasons = comparable.reasons(runs)
    found.tables = [run.metrics for run in runs]
    found.weights = [Measures.of_weights(run.config, run.folder) for run in runs]
    if not found.reasons and not comparable.are_alike(runs):
        _compare_shared(runs, found)
    every = list(dict.fromkeys(model for board in boards for model in board))
    own = _own_metrics(runs, found)
    for metric in [*METRICS, *own]:
        means = [_means(*each, metric) for each in zip(found.tables, found.weights, strict=True)]
        if any(means):
            found.scores[metric] = {model: [m.get(model) for m in means] for model in every}
            found.scores[metric][BEST_MODEL] = [min(m.values(), default=None) for m in means]
    found.metric = _metric(runs[0], found)
    found.target = str(runs[0].config.get("target_col") or "y")
    found.best_models = [
        _best(run, _means(table, weights, found.metric))
        for run, table, weights in zip(runs, found.tables, found.weights, strict=True)
    ]
    return found


def _own_metrics(runs: Sequence[RunReader], found: Compared) -> list[str]:
    """Return the own metrics that the same function of all runs computed; note the others."""
    every = [{d.name: d.sha256 for d in own_metrics.definitions(run.config)} for run in runs]
    names = list(dict.fromkeys(name for each in every for name in each))
    shared = [name for name in names if len({each.get(name) for each in every}) == 1]
    if differing := [name for name in names if name not in shared]:
        listed = ", ".join(differing)
        found.notes.append(f"not compared, not the same function in all runs: {listed}")
    if found.is_rescored and shared:
        found.notes.append(f"not computed on what all runs forecast: {', '.join(shared)}")
    return [] if found.is_rescored else shared


def _leaderboard(run: RunReader) -> list[str]:
    """Return the models of a run that has scores."""
    for path in (run.paths.leaderboard, run.paths.metrics):
        if os.path.lexists(path) and not path.is_file():
            raise UserError(f"{path}: cannot be read (it is not a regular file)")
    if not (run.paths.leaderboard.is_file() and run.paths.metrics.is_file()):
        runs = run.folder.parent
        where = f" --output-dir {runs.parent}" if runs.parent != Path() else ""
        raise UserError(
            f"run '{run.run_id}' has no leaderboard yet: finish it with 'train --run-id "
            f"{run.run_id}{where}'"
        )
    return run.ranked


def _means(table: pd.DataFrame, weights: Measures, metric: str) -> dict[str, float]:
    """Return the mean over series of each model."""
    part = table[table["metric"] == metric]
    models = [name for name in part.columns if name not in ("unique_id", "metric")]
    means = weights.means(part, models).iloc[0].dropna() if len(part) else pd.Series(dtype=float)
    return {str(model): float(value) for model, value in means.items()}


def _metric(run: RunReader, found: Compared) -> str:
    wanted = str(run.config["sort_metric"])
    return wanted if wanted in found.metrics else next(iter(found.metrics or found.scores), wanted)


def _best(run: RunReader, means: dict[str, float]) -> str:
    ranked = [model for model in run.ranked if model in means]
    if not ranked:
        raise UserError(f"run '{run.run_id}' has no completed model to compare")
    return min(ranked, key=means.__getitem__)


def _differing(runs: Sequence[RunReader]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for key in schema.properties():
        values = [run.config.get(key) for run in runs]
        if key in ("models", "baselines"):
            values = [models.brief(value) for value in values]
        if key == "search":
            values = [search.brief(value or []) for value in values]
        if key not in _IGNORED and any(value != values[0] for value in values):
            found[key] = values
    return found


def _compare_shared(runs: Sequence[RunReader], found: Compared) -> None:
    """Score the runs on their common forecasts, with notes on these."""
    shared = align(runs)
    if shared is None:
        found.reasons.append(
            "their back-tests have no window in common, and no whole horizon of the same times; "
            "use more windows (n_windows), or a step_size equal to the steps between the runs"
        )
        return
    if runs[0].config.get("horizon_weight") and not shared.same_cutoffs:
        found.reasons.append("their back-tests have no cutoff in common, as horizon_weight needs")
        return
    metrics = [m for m in METRICS if any(m in run.config["metrics"] for run in runs)]
    season = int(runs[0].config.get("season_length") or 1)
    found.tables = [score(shared, run, number, metrics, season) for number, run in enumerate(runs)]
    found.notes, found.is_rescored = comparable.notes(runs, shared), True
