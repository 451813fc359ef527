"""Cross-validation windows as arrays (series x windows x steps)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Columns by which cross-validation results are sorted.
ORDER = ["unique_id", "cutoff", "ds"]


@dataclass
class WindowIndex:
    """Array positions of the rows of a cross-validation frame.

    Attributes
    ----------
    ids : array of str, shape (series,)
    series, window, step : arrays of int, one entry for each row of the frame
        Windows are aligned at the end: the last one has the same number for all series.
    shape : number of series, windows and steps
    """

    ids: npt.NDArray[Any]
    series: Ints
    window: Ints
    step: Ints
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> WindowIndex:
        """Return the positions of the rows of `frame`, sorted by ``unique_id, cutoff, ds``."""
        rows = np.arange(len(frame))
        series, ids = pd.factorize(frame["unique_id"])
        if not len(frame):
            return cls(np.asarray(ids), rows, rows, rows, (0, 0, 0))
        cutoff = frame["cutoff"].to_numpy()
        new_series = np.r_[True, series[1:] != series[:-1]]
        new_window = new_series | np.r_[True, cutoff[1:] != cutoff[:-1]]
        count = np.cumsum(new_window)
        first = np.flatnonzero(new_series)
        rank = count - count[first][series]
        step = rows - np.maximum.accumulate(np.where(new_window, rows, 0))
        last = rank[np.r_[first[1:], len(frame)] - 1]
        windows = int(rank.max()) + 1
        window = rank + (windows - 1 - last)[series]
        return cls(np.asarray(ids), series, window, step, (len(ids), windows, int(step.max()) + 1))

    def spread(self, values: Any) -> Floats:
        """Convert one value for each row to an array of `shape`, with NaN for missing rows."""
        array = np.full(self.shape, np.nan)
        array[self.series, self.window, self.step] = np.asarray(values, dtype=float)
        return array

    def rows(self, array: Floats) -> Floats:
        """Convert an array of `shape` (or one that broadcasts to it) to one value for each row."""
        full = np.broadcast_to(array, self.shape)
        return np.asarray(full[self.series, self.window, self.step])

    def same(self, other: WindowIndex) -> bool:
        """Return whether two frames have the same series, windows and steps in each row."""
        return self.shape == other.shape and np.array_equal(self.ids, other.ids)


def mean(values: Floats, axis: int, weights: Floats | None = None) -> Floats:
    """Return the mean ignoring NaN; NaN, without a warning, if all values are NaN.

    Parameters
    ----------
    weights : array, shape (values of the axis,): relative weights; equal by default
    """
    present = ~np.isnan(values)
    if weights is not None:
        shape = [1] * values.ndim
        shape[axis] = -1
        weights = weights.reshape(shape)
        total = (present * weights).sum(axis=axis)
        sums = (np.where(present, values, 0.0) * weights).sum(axis=axis)
        return np.asarray(np.where(total > 0, sums / np.where(total > 0, total, 1.0), np.nan))
    if present.all():
        return np.asarray(values.mean(axis=axis))
    number = present.sum(axis=axis)
    sums = np.where(present, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(number > 0, sums / np.maximum(number, 1), np.nan))


def sorted_results(frame: pd.DataFrame) -> pd.DataFrame:
    """Return cross-validation results in the order that :class:`WindowIndex` requires.

    The frame itself, not a copy, if it is sorted already.
    """
    if isinstance(frame.index, pd.RangeIndex) and are_sorted(frame[ORDER]):
        return frame
    return frame.sort_values(ORDER, ignore_index=True, kind="stable")


def sorted_by(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the rows sorted by some columns, with their index; the frame itself if they are."""
    return frame if are_sorted(frame[keys]) else frame.sort_values(keys, kind="stable")


def are_sorted(keys: pd.DataFrame) -> bool:
    """Return whether rows are sorted by the columns; False if a value is missing."""
    if keys.isna().any(axis=None):
        return False
    tied = np.ones(max(0, len(keys) - 1), dtype=bool)
    for name in keys:
        column = keys[name]
        is_category = isinstance(column.dtype, pd.CategoricalDtype)
        values = (column.cat.codes if is_category else column).to_numpy()
        if not ((values[:-1] <= values[1:]) | ~tied).all():
            return False
        tied &= values[:-1] == values[1:]
    return True
