"""Summaries of cross-validation: errors by window and by step, coverage of intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forerun.base.text import time_text
from forerun.evaluation.arrays import mean
from forerun.evaluation.losses import inside
from forerun.plots.frames import intervals, values, with_step


@dataclass
class Backtest:
    """Mean absolute errors of a model over all series.

    Attributes
    ----------
    by_window, by_step : DataFrame
        Columns ``mae`` and ``scaled``; the index counts from 1.
    coverage : dict
        Share of values inside the intervals, by level (80 for 80 %).
    """

    by_window: pd.DataFrame
    by_step: pd.DataFrame
    coverage: dict[float, float] = field(default_factory=dict)


@dataclass
class Places:
    """Rows of cross-validation results by series, window and time; models may share them.

    Attributes
    ----------
    rows : their positions in the table
    window, step : numbers from 1
    scale : in-sample error of the seasonal naive forecast
    """

    rows: np.ndarray
    window: np.ndarray
    step: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, cv: pd.DataFrame, scale: pd.Series) -> Places:
        """Return the places of a table with the columns ``unique_id, ds, cutoff``.

        Parameters
        ----------
        scale : in-sample error of the seasonal naive forecast by ``unique_id``
        """
        frame = with_step(cv[["unique_id", "ds", "cutoff"]].reset_index(drop=True))
        window = frame.groupby("unique_id", sort=False)["cutoff"].rank("dense").astype(int)
        scales = frame["unique_id"].map(scale).astype(float)
        columns = (window, frame["step"], scales)
        return cls(frame.index.to_numpy(), *(column.to_numpy() for column in columns))


def backtest(cv: pd.DataFrame, model: str, places: Places) -> Backtest:
    """Summarize the cross-validation of one model.

    Parameters
    ----------
    cv : DataFrame
        ``unique_id, ds, cutoff, y, <model>`` and intervals.
    """
    sides = [column for pair in intervals(cv, model).values() for column in pair]
    frame = cv[["y", model, *sides]]
    if (np.diff(places.rows) != 1).any():
        frame = frame.take(places.rows)
    error = (frame["y"] - frame[model]).abs()
    errors = pd.DataFrame({"mae": error, "scaled": error / places.scale})
    actual = values(frame, "y")
    coverage = {
        level: float(mean(inside(actual, values(frame, low), values(frame, high)), 0))
        for level, (low, high) in intervals(frame, model).items()
    }
    return Backtest(
        by_window=errors.groupby(places.window).mean(),
        by_step=errors.groupby(places.step).mean(),
        coverage=dict(sorted(coverage.items())),
    )


def window_names(cv: pd.DataFrame) -> list[str]:
    """Return a name for each window: its cutoff if all series share it, otherwise its number."""
    first = cv.groupby("unique_id", sort=False)["cutoff"].nunique().max()
    cutoffs = sorted(cv["cutoff"].unique())
    if len(cutoffs) != first:
        return [f"window {number}" for number in range(1, int(first) + 1)]
    return [f"after {time_text(cutoff)}" for cutoff in cutoffs]
