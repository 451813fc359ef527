"""Scales of scaled errors (the in-sample error of the seasonal naive forecast), and levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.data.panel import starts_of
from forerun.evaluation.arrays import Floats, Ints

#: Approximate number of rows of the history to process at once.
ROWS = 1_000_000


def naive_scales(
    history: pd.DataFrame,
    ids: npt.NDArray[Any],
    before_end: Sequence[int] | Ints,
    season: int,
    power: int = 1,
) -> Floats:
    """Return the mean error (absolute or squared) of the seasonal naive forecast in sample.

    Parameters
    ----------
    history : ``unique_id``, ``y``, sorted by series and time; missing values are ignored
    before_end : for each column of the result, the number of steps to exclude at the end of the
        series: the same for all series, or an array of shape (series of `ids`, columns)
    power : 1 for absolute, 2 for squared errors

    Returns
    -------
    array, shape (series of `ids`, columns); NaN for series shorter than a season.
    """

    def block(y: Floats, starts: Ints, ends: Ints, steps: Ints) -> Floats:
        error = np.zeros(len(y))
        if season < len(y):
            error[season:] = _changes(y, season) if power == 1 else _changes(y, season) ** power
        first = np.minimum(starts + season, ends)  # the first season has no forecast
        error[_rows(starts, first)] = 0.0
        return _means(error, first[:, None], np.maximum(ends[:, None] - steps, first[:, None]))

    return _by_series(history, ids, before_end, block)


def levels(
    history: pd.DataFrame, ids: npt.NDArray[Any], before_end: Sequence[int] | Ints, season: int
) -> Floats:
    """Return the mean absolute value of the last season; parameters as in :func:`naive_scales`."""

    def block(y: Floats, starts: Ints, ends: Ints, steps: Ints) -> Floats:
        stop = np.maximum(ends[:, None] - steps, starts[:, None])
        return _means(np.abs(y), np.maximum(stop - season, starts[:, None]), stop)

    return _by_series(history, ids, before_end, block)


def positive_shares(
    history: pd.DataFrame, ids: npt.NDArray[Any], before_end: Sequence[int] | Ints
) -> Floats:
    """Return the share of positive values; parameters as in :func:`naive_scales`."""

    def block(y: Floats, starts: Ints, ends: Ints, steps: Ints) -> Floats:
        stop = np.maximum(ends[:, None] - steps, starts[:, None])
        return _means(np.where(np.isnan(y), np.nan, y > 0), starts[:, None], stop)

    return _by_series(history, ids, before_end, block)


def _by_series(
    history: pd.DataFrame,
    ids: npt.NDArray[Any],
    before_end: Sequence[int] | Ints,
    block: Callable[[Floats, Ints, Ints, Ints], Floats],
) -> Floats:
    """Call `block` with values, starts and ends of some series and the steps to exclude."""
    column = history["unique_id"]
    starts = starts_of(column)
    names = np.asarray(column.iloc[starts])
    ends = np.append(starts[1:], len(history))[: len(starts)]
    y = history["y"].to_numpy(dtype=float)
    place = pd.Index(names).get_indexer(pd.Index(ids))
    asked = np.asarray(before_end, dtype=np.int64)
    steps = np.zeros((len(names) + 1, asked.shape[-1]), dtype=np.int64)
    steps[place] = asked
    result = np.full(steps.shape, np.nan)  # the last row is for unknown series
    first = 0
    while first < len(names):  # blocks of series bound the memory
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + ROWS, side="right")))
        some, offset = slice(first, last), starts[first]
        bounds = starts[some] - offset, ends[some] - offset
        result[some] = block(y[offset : ends[last - 1]], *bounds, steps[some])
        first = last
    return result[place]


def _rows(starts: Ints, ends: Ints) -> Ints:
    """Return the positions from each start to its end."""
    sizes = ends - starts
    before = np.cumsum(sizes) - sizes
    return np.arange(sizes.sum()) + np.repeat(starts - before, sizes)


def _means(values: Floats, first: Ints, stop: Ints) -> Floats:
    """Return the means of the values from `first` to `stop` that are not NaN; NaN if none is."""
    total = np.zeros(len(values) + 1)
    np.cumsum(values, out=total[1:])
    if np.isfinite(total[-1]):  # as all values are
        count = np.broadcast_to(stop - first, stop.shape)
    else:
        present = ~np.isnan(values)
        np.cumsum(np.where(present, values, 0.0), out=total[1:])
        number = np.r_[0, np.cumsum(present)]
        count = number[stop] - number[first]
    return np.where(count > 0, (total[stop] - total[first]) / np.maximum(count, 1), np.nan)


def _changes(y: Floats, season: int) -> Floats:
    """Return the absolute errors of the seasonal naive forecast, for ``0 < season < len(y)``."""
    return np.abs(y[season:] - y[:-season])


def naive_error(values: Floats, season: int) -> float:
    """Return the mean absolute error of the seasonal naive forecast of one series in sample.

    Of the naive forecast if the series is not longer than a season; 0 for less than two values.
    """
    lag = season if season < len(values) else 1
    return float(_changes(values, lag).mean()) if len(values) > 1 else 0.0


def naive_scale(history: pd.DataFrame, ids: Any, season: int, before_end: int = 0) -> Floats:
    """Return the mean absolute seasonal difference of each series; never zero or NaN.

    If it is zero or unknown, the difference of consecutive steps is used, otherwise the median over
    the other series.
    """
    scale = naive_scales(history, ids, [before_end], season)[:, 0]
    plain = naive_scales(history, ids, [before_end], 1)[:, 0]
    scale = np.where(scale > 0, scale, plain)
    positive = scale[scale > 0]
    return np.where(scale > 0, scale, np.median(positive) if len(positive) else 1.0)


def scale_by_series(history: pd.DataFrame, season: int) -> pd.Series:
    """Return :func:`naive_scale` of all series of `history`, by name."""
    ids = np.asarray(history["unique_id"].unique())
    return pd.Series(naive_scale(history, ids, season), index=pd.Index(ids).astype(str))
