"""Cross-validation results as arrays: series x windows x steps, without a loop over series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: About so many rows of the history are worked on at once.
ROWS = 1_000_000


@dataclass
class Cube:
    """Where each row of a cross-validation frame stands.

    Attributes
    ----------
    ids : array of str, shape (series,)
    series, window, step : arrays of int, one entry per row of the frame
        Windows are aligned at the end: the last one is the same number for every series.
    shape : number of series, of windows and of steps
    """

    ids: npt.NDArray[Any]
    series: Ints
    window: Ints
    step: Ints
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Cube:
        """Place the rows of `frame`, sorted by ``unique_id``, ``cutoff``, ``ds``."""
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
        """Return one value per row as an array of `shape`; NaN where there is no row."""
        array = np.full(self.shape, np.nan)
        array[self.series, self.window, self.step] = np.asarray(values, dtype=float)
        return array

    def rows(self, array: Floats) -> Floats:
        """Return the entries of an array of `shape` (or one that broadcasts) row by row."""
        whole = np.broadcast_to(array, self.shape)
        return np.asarray(whole[self.series, self.window, self.step])

    def same(self, other: Cube) -> bool:
        """Tell whether two frames have the same series, windows and steps, row by row."""
        return self.shape == other.shape and np.array_equal(self.ids, other.ids)


def mean(values: Floats, axis: int) -> Floats:
    """Mean without NaN; NaN, and no warning, where nothing else is there."""
    there = ~np.isnan(values)
    if there.all():
        return np.asarray(values.mean(axis=axis))
    number = there.sum(axis=axis)
    sums = np.where(there, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(number > 0, sums / np.maximum(number, 1), np.nan))


def sorted_results(frame: pd.DataFrame) -> pd.DataFrame:
    """Return cross-validation results in the order that :class:`Cube` needs."""
    return frame.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True, kind="stable")


def naive_scales(
    history: pd.DataFrame, ids: npt.NDArray[Any], before_end: list[int], season: int, power: int = 1
) -> Floats:
    """Return the mean error (absolute or squared) of the seasonal naive forecast in sample.

    Parameters
    ----------
    history : ``unique_id``, ``y``, sorted by series and time
    before_end : for each column of the result, how many steps before the series' end it stops
    power : 1 for absolute, 2 for squared errors

    Returns
    -------
    array, shape (series of `ids`, len(before_end)); NaN where a series has no whole season.
    """
    code, names = pd.factorize(history["unique_id"])
    y = history["y"].to_numpy(dtype=float)
    ends = np.flatnonzero(np.r_[code[1:] != code[:-1], True]) + 1
    starts = np.r_[0, ends[:-1]]
    del code
    scales = np.full((len(names) + 1, len(before_end)), np.nan)  # the last: of unknown series
    first = 0
    while first < len(names):  # so many series at a time: the memory stays that of their rows
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + ROWS, side="right")))
        some, offset = slice(first, last), starts[first]
        bounds = starts[some] - offset, ends[some] - offset
        scales[some] = _scales(y[offset : ends[last - 1]], *bounds, before_end, season, power)
        first = last
    return scales[pd.Index(names).get_indexer(ids)]


def _scales(
    y: Floats, starts: Ints, ends: Ints, before_end: list[int], season: int, power: int
) -> Floats:
    """Do the work of :func:`naive_scales` for series that lie one after the other in `y`."""
    error = np.zeros(len(y))
    error[season:] = np.abs(y[season:] - y[:-season]) ** power if season < len(y) else 0
    within = np.arange(len(y)) - np.repeat(starts, ends - starts) >= season
    total = np.r_[0.0, np.cumsum(np.where(within, error, 0.0))]
    scales = np.full((len(starts), len(before_end)), np.nan)
    for column, steps in enumerate(before_end):
        stop = ends - steps
        number = stop - starts - season
        sums = total[np.maximum(stop, starts)] - total[starts]
        scales[:, column] = np.where(number > 0, sums / np.maximum(number, 1), np.nan)
    return scales
