"""Rescoring runs with different data on their common forecasts.

Weekly runs, for example, differ by the last week. Their forecasts are comparable if they have the
same cutoff, time and series. Forecasts of an earlier run count as an additional window if a later
run has the actual values. If there is no common cutoff, whole cycles of the horizon are compared:
times that all runs forecast, in which each step ahead occurs equally often in all runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from forerun.evaluation.arrays import Floats, WindowIndex, mean
from forerun.evaluation.losses import SCALED, errors
from forerun.evaluation.measures import Measures
from forerun.evaluation.scales import naive_scales
from forerun.runs.reader import RunReader

KEYS = ["unique_id", "ds", "cutoff"]
#: Relative tolerance of equal values, as a table may have been converted.
TOLERANCE = 1e-9


@dataclass
class Shared:
    """Common forecasts of several runs.

    Attributes
    ----------
    rows : DataFrame
        ``unique_id, ds``; ``y``, the actual value; ``cutoff``, which identifies the window;
        ``scale_from``, the last time of the values that scale the error; ``cutoff_0``,
        ``cutoff_1``..., the cutoff in each run. Sorted by series, window and time.
    history : DataFrame
        ``unique_id, ds, y`` of the run with the latest values.
    last : int
        The number of that run.
    same_cutoffs : bool
        Whether the forecasts have the same cutoffs.
    used : list of DataFrame
        ``unique_id, ds, cutoff`` of all comparable forecasts of each run.
    ahead : list of bool
        Whether the rows include forecasts beyond the run's own data.
    revised : int
        Number of values of earlier runs that differ in the last one.
    """

    rows: pd.DataFrame
    history: pd.DataFrame
    last: int
    same_cutoffs: bool
    used: list[pd.DataFrame]
    ahead: list[bool] = field(default_factory=list)
    revised: int = 0


def align(runs: Sequence[RunReader]) -> Shared | None:
    """Return the common forecasts of runs; None if there are none."""
    last = max(range(len(runs)), key=lambda number: (runs[number].history["ds"].max(), number))
    history = _values(runs[last])
    keys = [_keys(run) for run in runs]
    rows = _same_cutoffs(keys, history)
    same = len(rows) > 0
    rows = rows if same else _same_times(keys, history)
    if rows.empty:
        return None
    rows = rows.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    ahead = [bool((rows[f"cutoff_{n}"] >= _ends(run, rows)).any()) for n, run in enumerate(runs)]
    revised = sum(_revised(_values(run), history) for run in runs)
    return Shared(rows, history, last, same, keys, ahead, revised)


def finished(run: RunReader) -> list[str]:
    """Return the models and combinations with cross-validation results, best first."""
    return [name for name in run.ranked if name not in run.failed and len(run.cv_results_of(name))]


def _values(run: RunReader) -> pd.DataFrame:
    frame = run.history[["unique_id", "ds", "y"]]
    return frame.assign(unique_id=frame["unique_id"].astype(str))


def _keys(run: RunReader) -> pd.DataFrame:
    """Return ``unique_id, ds, cutoff, step`` of all forecasts of a run."""
    models = finished(run)
    if not models:
        return pd.DataFrame(columns=[*KEYS, "step"])
    frame = forecasts_of(run, models[0], all(len(run.predictions_of(m)) for m in models))[KEYS]
    frame = frame.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    step = frame.groupby(["unique_id", "cutoff"], sort=False).cumcount()
    return frame.assign(step=step)


def forecasts_of(run: RunReader, model: str, ahead: bool = True) -> pd.DataFrame:
    """Return ``unique_id, ds, cutoff, <model>`` of back-tests and, with `ahead`, forecasts."""
    frames = [run.cv_results_of(model)[[*KEYS, model]]]
    future = run.predictions_of(model) if ahead else pd.DataFrame()
    if len(future):
        ends = run.history.groupby("unique_id", observed=True)["ds"].max()
        ends.index = ends.index.astype(str)
        cutoff = future["unique_id"].map(ends).astype(frames[0]["cutoff"].dtype)
        frames.append(future.assign(cutoff=cutoff)[[*KEYS, model]])
    return pd.concat(frames, ignore_index=True)


def _same_cutoffs(keys: Sequence[pd.DataFrame], history: pd.DataFrame) -> pd.DataFrame:
    shared = reduce(lambda left, right: left.merge(right, on=KEYS), [k[KEYS] for k in keys])
    shared = _with_actual(shared, history)
    cutoffs = {f"cutoff_{number}": shared["cutoff"] for number in range(len(keys))}
    return shared.assign(scale_from=shared["cutoff"], **cutoffs)


def _same_times(keys: Sequence[pd.DataFrame], history: pd.DataFrame) -> pd.DataFrame:
    """Return the last times of each series on which all steps ahead occur equally often.

    The result is empty if a run forecasts a time more than once (overlapping windows).
    """
    times = ["unique_id", "ds"]
    if any(frame.duplicated(times).any() for frame in keys):
        return pd.DataFrame(columns=times)
    named = [
        frame.rename(columns={"cutoff": f"cutoff_{n}", "step": f"step_{n}"})
        for n, frame in enumerate(keys)
    ]
    shared = reduce(lambda left, right: left.merge(right, on=times), named)
    shared = _with_actual(shared, history).sort_values(times, ignore_index=True)
    shared = shared[_balanced(shared, len(keys))]
    if shared.empty:
        return shared
    groups = shared.groupby("unique_id", sort=False)
    cutoffs = [f"cutoff_{number}" for number in range(len(keys))]
    first = groups[cutoffs].transform("min").min(axis=1)
    return shared.assign(cutoff=groups["ds"].transform("min"), scale_from=first)


def _balanced(shared: pd.DataFrame, runs: int) -> np.ndarray:
    """Return a mask of the longest end of each series with the same steps in all runs.

    Each step gets a random number: two multisets of steps are equal if their sums are.
    """
    steps = [int(shared[f"step_{number}"].max()) for number in range(runs)] if len(shared) else [0]
    weights = np.random.default_rng(1).integers(1, 2**40, size=1 + max(steps))
    kept = np.full(len(shared), True)
    backwards = shared["unique_id"].iloc[::-1]
    for number in range(1, runs):
        change = weights[shared[f"step_{number}"]] - weights[shared["step_0"]]
        sums = (
            pd.Series(change[::-1], index=backwards.index).groupby(backwards, sort=False).cumsum()
        )
        kept &= sums.iloc[::-1].to_numpy() == 0
    # The end starts at the first time at which all sums are zero.
    started = pd.Series(kept).groupby(shared["unique_id"].to_numpy(), sort=False).cummax()
    return started.to_numpy(dtype=bool)


def _with_actual(rows: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    return rows.merge(history, on=["unique_id", "ds"]).dropna(subset="y")


def _ends(run: RunReader, rows: pd.DataFrame) -> Any:
    ends = run.history.groupby("unique_id", observed=True)["ds"].max()
    ends.index = ends.index.astype(str)
    return rows["unique_id"].map(ends)


def _revised(own: pd.DataFrame, history: pd.DataFrame) -> int:
    """Count the values that differ between two tables."""
    both = own.merge(history, on=["unique_id", "ds"], suffixes=("", "_last"))
    same = np.isclose(both["y"], both["y_last"], rtol=TOLERANCE, atol=0, equal_nan=True)
    return int((~same).sum())


# -- Scores -------------------------------------------------------------------------------------


def score(
    shared: Shared, run: RunReader, number: int, metrics: Sequence[str], season: int
) -> pd.DataFrame:
    """Return ``unique_id, metric`` and one column for each model: errors of run `number`.

    Like ``metrics.csv``, the mean of each metric over the windows. Scales are the same for all
    runs.
    """
    index = WindowIndex.of(shared.rows)
    actual = index.spread(shared.rows["y"])
    given = Measures.of_steps(run.config).steps
    steps = None if given is None else given[: index.shape[2]]
    scale = {
        name: _scales(shared, index, season, SCALED[name]) for name in metrics if name in SCALED
    }
    table: dict[str, Any] = {
        "unique_id": np.repeat(index.ids, len(metrics)),
        "metric": np.tile(np.array(list(metrics), dtype=object), len(index.ids)),
    }
    for model in finished(run):
        forecast = index.spread(_aligned(shared, run, number, model))
        values = np.stack(
            [mean(errors(forecast, actual, n, scale.get(n), steps), 1) for n in metrics], axis=1
        )
        values[~np.isfinite(values)] = np.nan
        table[model] = values.ravel()
    return pd.DataFrame(table)


def _aligned(shared: Shared, run: RunReader, number: int, model: str) -> pd.Series:
    wanted = shared.rows[["unique_id", "ds", f"cutoff_{number}"]]
    wanted = wanted.rename(columns={f"cutoff_{number}": "cutoff"})
    aligned = wanted.merge(forecasts_of(run, model, shared.ahead[number]), on=KEYS, how="left")
    return aligned[model]


def _scales(shared: Shared, index: WindowIndex, season: int, power: int) -> Floats:
    """Return the in-sample error of the seasonal naive forecast, shape (series, windows)."""
    history = shared.history.sort_values(["unique_id", "ds"], ignore_index=True)
    later = history.groupby("unique_id", sort=False).cumcount(ascending=False)
    rows = shared.rows[["unique_id", "scale_from"]].rename(columns={"scale_from": "ds"})
    steps = rows.merge(history.assign(later=later), on=["unique_id", "ds"], how="left")["later"]
    before_end = index.spread(steps)[:, :, 0]
    counted = ~np.isnan(before_end)
    scale = naive_scales(history, index.ids, np.where(counted, before_end, 0), season, power)
    return np.where(counted & (scale > 0), scale, np.nan)
