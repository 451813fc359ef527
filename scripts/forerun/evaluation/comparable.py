"""Comparability of runs: whether they can be ranked, on which forecasts, and what is excluded."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forerun.base import text
from forerun.base.text import time_text
from forerun.config import schema
from forerun.data.checksums import history_sha256
from forerun.evaluation.measures import Measures
from forerun.evaluation.shared_windows import Shared
from forerun.runs.reader import RunReader

#: Settings that define the forecast: runs that differ in one are shown but not ranked.
SCORED = ("horizon", "gap", "target_col", "freq", "horizon_weight")
#: Settings that define the windows: runs that differ in one may share some of them.
WINDOWS = ("n_windows", "test_size", "step_size")
#: Maximum number of names or times in a sentence.
LISTED = 4


def reasons(runs: Sequence[RunReader]) -> list[str]:
    """Return why the runs cannot be ranked; empty if they can."""
    found = []
    for key in SCORED:
        values = [run.config.get(key) for run in runs]
        if any(value != values[0] for value in values):
            shown = ", ".join(schema.show(value) for value in values)
            found.append(f"{key} differs ({shown})")
    found += [f"{run.run_id} has no data.parquet" for run in runs if not run.paths.data.is_file()]
    if not found and not _have_same_weights(runs):
        found.append("the weights of their series differ (weights_file)")
    if not found and not set.intersection(*map(_series, runs)):
        found.append("they have no series in common")
    return found


def _have_same_weights(runs: Sequence[RunReader]) -> bool:
    """Return whether the series of all runs have the same weights, where they share series."""
    weights = [Measures.of_weights(run.config, run.folder).series for run in runs]
    first = weights[0]
    if first is None or any(one is None for one in weights):
        return all(one is None for one in weights)
    shared = [(one.reindex(first.index).dropna(), first) for one in weights if one is not None]
    return all((one == first[one.index]).all() for one, first in shared)


def _series(run: RunReader) -> set[str]:
    return {str(name) for name in run.metrics["unique_id"]}


def are_alike(runs: Sequence[RunReader]) -> bool:
    """Return whether all runs were scored on the same windows of the same history.

    Exogenous columns and future values may differ, as forecasts are not scored on them.
    """
    windows = [[run.config.get(key) for key in WINDOWS] for run in runs]
    if any(each != windows[0] for each in windows):
        return False
    return len({history_sha256(run.paths.data) for run in runs}) == 1


def notes(runs: Sequence[RunReader], shared: Shared) -> list[str]:
    """Return notes on the forecasts that are compared, and on what is excluded."""
    rows = shared.rows
    series = int(rows["unique_id"].nunique())
    if shared.same_cutoffs:
        basis = f"windows ({_listed(rows['cutoff'], 'after ')})"
        basis = f"{rows['cutoff'].nunique()} {basis}"
    else:
        span = f"{time_text(rows['ds'].min())} to {time_text(rows['ds'].max())}"
        basis = f"{rows['ds'].nunique()} time steps ({span}; no cutoff is the same, but each step "
        basis += "ahead occurs equally often in all runs)"
    found = [f"compared on what all runs forecast: {text.plural(series, 'series')} and {basis}"]
    for number, run in enumerate(runs):
        found += _left_out(run, shared, number)
    for run, ahead in zip(runs, shared.ahead, strict=True):
        if ahead:
            last = time_text(run.history["ds"].max())
            found.append(
                f"the forecasts of {run.run_id} after {last} count as back-tests: later data have "
                "the actual values"
            )
    if shared.revised:
        verb = "was" if shared.revised == 1 else "were"
        found.append(
            f"{text.plural(shared.revised, 'value')} {verb} revised between the runs: the values "
            f"of {runs[shared.last].run_id} are used"
        )
    return found


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
    return [f"excluded from {run.run_id}: {' and '.join(found)}"] if found else []


def _listed(values: pd.Series, before: str = "") -> str:
    every = sorted(values.unique())
    shown = [time_text(v) if not isinstance(v, str) else text.clean(v) for v in every[:LISTED]]
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return before + ", ".join(shown) + more
