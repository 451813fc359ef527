"""Summaries of cross-validation: errors by window and by step, coverage of intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

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


def backtest(cv: pd.DataFrame, model: str, scale: pd.Series) -> Backtest:
    """Summarize the cross-validation of one model.

    Parameters
    ----------
    cv : DataFrame
        ``unique_id, ds, cutoff, y, <model>`` and intervals.
    scale : Series
        In-sample error of the seasonal naive forecast by ``unique_id``.
    """
    frame = with_step(cv)
    window = frame.groupby("unique_id", sort=False)["cutoff"].rank("dense").astype(int)
    error = (frame["y"] - frame[model]).abs()
    scaled = error / frame["unique_id"].map(scale).astype(float)
    errors = pd.DataFrame({"mae": error, "scaled": scaled})
    actual = values(frame, "y")
    coverage = {
        level: float(mean(inside(actual, values(frame, low), values(frame, high)), 0))
        for level, (low, high) in intervals(frame, model).items()
    }
    return Backtest(
        by_window=errors.groupby(window.to_numpy()).mean(),
        by_step=errors.groupby(frame["step"].to_numpy()).mean(),
        coverage=dict(sorted(coverage.items())),
    )


def window_names(cv: pd.DataFrame) -> list[str]:
    """Return a name for each window: its cutoff if all series share it, otherwise its number."""
    first = cv.groupby("unique_id", sort=False)["cutoff"].nunique().max()
    cutoffs = sorted(cv["cutoff"].unique())
    if len(cutoffs) != first:
        return [f"window {number}" for number in range(1, int(first) + 1)]
    return [f"after {time_text(cutoff)}" for cutoff in cutoffs]
