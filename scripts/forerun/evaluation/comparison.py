"""Runs side by side: which settings differ, what they can be compared on, and their errors there.

The command and the page (:mod:`forerun.report.comparison`) both show what :func:`compare` finds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.text import time_text
from forerun.config import models, schema
from forerun.config.names import REFERENCE
from forerun.data.checksums import history_sha256
from forerun.evaluation.losses import METRICS
from forerun.evaluation.paired import Comparison, paired
from forerun.evaluation.shared_windows import Shared, align, score
from forerun.runs.reader import RunReader

#: Settings that say what is forecast: runs that differ in one are shown, not ranked.
SCORED = ("horizon", "gap", "target_col", "freq")
#: Settings that say which windows there are: runs that differ in one share some of them.
WINDOWS = ("n_windows", "test_size", "step_size")
_IGNORED = frozenset({"run_id", "output_dir", "log_file"})
#: The row of each run's best model.
BEST_MODEL = "best model"
#: Most names or times listed in a sentence.
LISTED = 4


@dataclass
class Compared:
    """What there is to say about several runs.

    Attributes
    ----------
    names : the runs, in the order asked for
    settings : key -> its value in each run, for keys that differ
    reasons : why the runs are not ranked; none: they are
    notes : on what they are compared, and what was left out; none: on everything
    tables : for each run ``unique_id, metric`` and a column per model: errors that may be compared
        with each other (those of its ``metrics.csv`` where the runs are not ranked)
    scores : metric -> model -> its mean error in each run (None: the run has none)
    metric : what the best models are chosen by
    best_models : each run's best model
    target : name of what is forecast, in the first run
    """

    names: list[str]
    settings: dict[str, list[Any]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)
    scores: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    metric: str = ""
    best_models: list[str] = field(default_factory=list)
    target: str = "y"

    @property
    def metrics(self) -> list[str]:
        """The metrics that every run has."""
        return [m for m, rows in self.scores.items() if None not in rows[BEST_MODEL]]

    def best(self, metric: str, model: str) -> int | None:
        """Return which run has the lower error; None if they may not be ranked or are equal."""
        values = self.scores[metric][model]
        known = [value for value in values if value is not None]
        if self.reasons or len(known) < 2 or len(set(known)) == 1:
            return None
        return values.index(min(known))

    def models(self, number: int) -> list[str]:
        """Return the models of a run that have errors here, best first."""
        means = _means(self.tables[number], self.metric)
        return sorted(means, key=means.__getitem__)

    def skill(self, number: int) -> float | None:
        """Return the share of SeasonalNaive's error that a run's best model saves."""
        naive = self.scores[self.metric].get(REFERENCE, [None] * len(self.names))[number]
        best = self.scores[self.metric][self.best_models[number]][number]
        return None if not naive or best is None else 1 - best / naive

    def verdicts(self) -> list[str]:
        """Say of each later run whether its best model is better than that of the first one."""
        if self.reasons:
            return []
        found = []
        for number, name in enumerate(self.names[1:], start=1):
            best = self.best_models[0], self.best_models[number]
            comparison, _ = self.pair(0, number, self.metric, best)
            both = best[0] if best[0] == best[1] else f"{best[0]} against {best[1]}"
            words = comparison.verdict(self.names[0], name)
            found.append(
                f"{self.names[0]} and {name}, {text.metric(self.metric)} of {both}: {words}"
            )
        return found

    def pair(
        self, first: int, second: int, metric: str, models: tuple[str, str]
    ) -> tuple[Comparison, pd.DataFrame]:
        """Compare two models of two runs series by series (see :func:`paired.paired`)."""
        return paired(self.tables[first], self.tables[second], metric, models)


def compare(folders: Sequence[str | Path]) -> Compared:
    """Compare two runs or more on the series and windows that they share.

    Raises
    ------
    UserError
        A run has no scores yet.
    """
    runs = [RunReader.open(folder) for folder in folders]
    boards = [_leaderboard(run) for run in runs]
    found = Compared([run.run_id for run in runs], settings=_differing(runs))
    found.reasons = _reasons(runs)
    found.tables = [run.metrics for run in runs]
    if not found.reasons and not _are_alike(runs):
        _compare_shared(runs, found)
    every = list(dict.fromkeys(model for board in boards for model in board))
    for metric in METRICS:
        means = [_means(table, metric) for table in found.tables]
        if any(means):
            found.scores[metric] = {model: [m.get(model) for m in means] for model in every}
            found.scores[metric][BEST_MODEL] = [min(m.values(), default=None) for m in means]
    found.metric = _metric(runs[0], found)
    found.target = str(runs[0].config.get("target_col") or "y")
    found.best_models = [
        _best(run, _means(table, found.metric))
        for run, table in zip(runs, found.tables, strict=True)
    ]
    return found


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


def _means(table: pd.DataFrame, metric: str) -> dict[str, float]:
    """Return the mean over series of each model."""
    part = table[table["metric"] == metric].drop(columns=["unique_id", "metric"])
    return {str(model): float(value) for model, value in part.mean().dropna().items()}


def _metric(run: RunReader, found: Compared) -> str:
    wanted = str(run.config["sort_metric"])
    return wanted if wanted in found.metrics else next(iter(found.metrics or found.scores), wanted)


def _best(run: RunReader, means: dict[str, float]) -> str:
    ranked = [model for model in run.ranked if model in means]
    if not ranked:
        raise UserError(f"run '{run.run_id}' has no model that finished: nothing to compare")
    return min(ranked, key=means.__getitem__)


def _differing(runs: Sequence[RunReader]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for key in schema.properties():
        values = [run.config.get(key) for run in runs]
        if key in ("models", "baselines"):
            values = [models.brief(value) for value in values]
        if key not in _IGNORED and any(value != values[0] for value in values):
            found[key] = values
    return found


# -- What can be compared -----------------------------------------------------------------------


def _reasons(runs: Sequence[RunReader]) -> list[str]:
    """Return why the runs must not be ranked against each other."""
    reasons = []
    for key in SCORED:
        values = [run.config.get(key) for run in runs]
        if any(value != values[0] for value in values):
            shown = ", ".join(schema.show(value) for value in values)
            reasons.append(f"{key} differs ({shown})")
    reasons += [f"{run.run_id} has no data.parquet" for run in runs if not run.paths.data.is_file()]
    if not reasons and not set.intersection(*map(_series, runs)):
        reasons.append("they have no series in common")
    return reasons


def _series(run: RunReader) -> set[str]:
    return {str(name) for name in run.metrics["unique_id"]}


def _are_alike(runs: Sequence[RunReader]) -> bool:
    """Tell whether all runs were scored on the same windows of the same history.

    Exogenous columns and future values may differ: they are not what forecasts are scored on.
    """
    windows = [[run.config.get(key) for key in WINDOWS] for run in runs]
    if any(each != windows[0] for each in windows):
        return False
    return len({history_sha256(run.paths.data) for run in runs}) == 1


def _compare_shared(runs: Sequence[RunReader], found: Compared) -> None:
    """Score the runs on what they share, and say what that is."""
    shared = align(runs)
    if shared is None:
        found.reasons.append(
            "their back-tests have no window in common, and no whole horizon of the same times; "
            "more windows (n_windows), or a step_size of the steps between the runs, give them some"
        )
        return
    metrics = [m for m in METRICS if any(m in run.config["metrics"] for run in runs)]
    season = int(runs[0].config.get("season_length") or 1)
    found.tables = [score(shared, run, number, metrics, season) for number, run in enumerate(runs)]
    found.notes = _notes(runs, shared)


def _notes(runs: Sequence[RunReader], shared: Shared) -> list[str]:
    """Say on what the runs are compared and what was left out; nothing if it is everything."""
    rows = shared.rows
    series = int(rows["unique_id"].nunique())
    if shared.same_cutoffs:
        basis = f"windows ({_listed(rows['cutoff'], 'after ')})"
        basis = f"{rows['cutoff'].nunique()} {basis}"
    else:
        span = f"{time_text(rows['ds'].min())} to {time_text(rows['ds'].max())}"
        basis = f"{rows['ds'].nunique()} time steps ({span}; no cutoff is the same, but each step "
        basis += "ahead occurs as often in every run)"
    notes = [f"compared on what all runs forecast: {text.plural(series, 'series')} and {basis}"]
    for number, run in enumerate(runs):
        notes += _left_out(run, shared, number)
    for run, ahead in zip(runs, shared.ahead, strict=True):
        if ahead:
            last = time_text(run.history["ds"].max())
            notes.append(
                f"the forecasts of {run.run_id} after {last} count as back-tests: later data hold "
                "the actual values"
            )
    if shared.revised:
        verb = "was" if shared.revised == 1 else "were"
        notes.append(
            f"{text.plural(shared.revised, 'value')} {verb} revised between the runs: the values "
            f"of {runs[shared.last].run_id} are used"
        )
    return notes


def _left_out(run: RunReader, shared: Shared, number: int) -> list[str]:
    rows, used = shared.rows, shared.used[number]
    found = []
    others = sorted(_series(run) - set(rows["unique_id"].astype(str)))
    if others:
        found.append(f"series {_listed(pd.Series(others))}")
    mine = used[used["unique_id"].isin(rows["unique_id"])]
    if shared.same_cutoffs:
        kept = set(rows["cutoff"])
        lost = mine.loc[~mine["cutoff"].isin(kept), "cutoff"]
        lost = lost[lost < run.history["ds"].max()]
        if len(lost):
            found.append(f"windows {_listed(lost, 'after ')}")
    else:
        lost = mine.loc[
            ~mine["ds"].isin(rows["ds"]) & (mine["ds"] <= run.history["ds"].max()), "ds"
        ]
        if len(lost):
            span = f"{time_text(lost.min())} to {time_text(lost.max())}"
            found.append(f"{text.plural(int(lost.nunique()), 'time step')} of {span}")
    return [f"left out of {run.run_id}: {' and '.join(found)}"] if found else []


def _listed(values: pd.Series, before: str = "") -> str:
    every = sorted(values.unique())
    shown = [time_text(v) if not isinstance(v, str) else text.clean(v) for v in every[:LISTED]]
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return before + ", ".join(shown) + more
