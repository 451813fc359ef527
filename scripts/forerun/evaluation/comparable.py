"""Comparability of runs: whether they can be ranked, on which forecasts, and what is excluded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.base import text
from forerun.base.text import time_text
from forerun.config import schema
from forerun.data.checksums import history_sha256
from forerun.evaluation.measures import Measures
from forerun.evaluation.shared_windows import Shared
from forerun.runs.reader import RunReader

#: Settings that define the forecast: runs that differ in one are shown but not ranked.
SCORED = ("horizon", "gap", "target_col", "freq")
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
    if not found and not _weigh_steps_alike(runs):
        shown = ", ".join(schema.show(run.config.get("horizon_weight")) for run in runs)
        found.append(f"horizon_weight differs ({shown})")
    found += [f"{run.run_id} has no data.parquet" for run in runs if not run.paths.data.is_file()]
    if not found and not _have_same_weights(runs):
        found.append("the weights of their series differ (weights_file)")
    if not found and not set.intersection(*map(_series, runs)):
        found.append("they have no series in common")
    return found


def _weigh_steps_alike(runs: Sequence[RunReader]) -> bool:
    """Return whether the weights of the steps are the same but for a factor."""
    weights = [Measures.of_steps(run.config).steps for run in runs]
    steps = next((one.size for one in weights if one is not None), 1)
    given = [np.ones(steps) if one is None else one for one in weights]
    return all(_are_proportional(one, given[0]) for one in given)


def _have_same_weights(runs: Sequence[RunReader]) -> bool:
    """Return whether the series that runs share have the same weights but for a factor."""
    found = [Measures.of_weights(run.config, run.folder).series for run in runs]
    if all(one is None for one in found):
        return True
    ids = [pd.Index(sorted(_series(run))) for run in runs]
    weights = [
        pd.Series(1.0, each) if one is None else one.reindex(each).dropna()
        for one, each in zip(found, ids, strict=True)
    ]
    first = weights[0]
    shared = [first.index.intersection(one.index) for one in weights]
    return all(
        _are_proportional(one[each].to_numpy(), first[each].to_numpy())
        for one, each in zip(weights, shared, strict=True)
    )


def _are_proportional(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Return whether weights differ at most by a factor; they are not negative."""
    largest = one.max(initial=0), other.max(initial=0)
    if one.size != other.size or not all(largest):
        return one.size == other.size and not any(largest)
    return bool(np.allclose(one / largest[0], other / largest[1], rtol=1e-9, atol=0))


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
