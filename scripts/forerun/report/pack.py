"""Series for the interactive chart, compressed to fit into a page.

Values are rounded to integer multiples of about a thousandth of the range of their series (finer
than a screen) and stored as differences, which gzip compresses to little more than a byte each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from forerun.base.text import time_text
from forerun.evaluation.computed import Computed
from forerun.plots.frames import intervals, keys_of
from forerun.report.page import LARGEST_DATA, data_text

HISTORY, WINDOW, FORECAST = range(3)
#: Minimum and maximum number of observed steps of a series.
FEWEST_STEPS, MOST_STEPS = 60, 3000
#: Approximate number of values that fit into a page.
MOST_NUMBERS = 1_200_000


@dataclass
class Line:
    """A line of the chart: functions that read the back-tests and forecasts of a model."""

    name: str
    column: str
    cv_results: Callable[[], pd.DataFrame]
    predictions: Callable[[], pd.DataFrame]

    def of_series(self, ids: Sequence[str]) -> Line:
        """Return the line of some series; its tables are read once and only their rows kept."""
        cv_results = cache(lambda: _of_series(self.cv_results(), ids))
        predictions = cache(lambda: _of_series(self.predictions(), ids))
        return Line(self.name, self.column, cv_results, predictions)


def _of_series(frame: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    inside = frame["unique_id"].isin(ids)
    return frame if inside.all() else frame[inside]


def pack(
    history: pd.DataFrame,
    lines: Sequence[Line],
    ids: Sequence[str],
    room: int = LARGEST_DATA,
    extra: dict[str, Any] | None = None,
) -> tuple[str, dict[str, int]]:
    """Return the compressed data of a page with as many series as fit.

    Parameters
    ----------
    history : DataFrame
        ``unique_id, ds, y`` of all series.
    ids : names
        The series, the most important first; the last ones are omitted if there is no room.
    room : int
        Maximum size of the result in bytes.
    extra : dict, optional
        Additional data.

    Returns
    -------
    tuple of str and dict
        The data, and its extent: number of ``series``, ``of`` all series, maximum number of
        ``steps`` of history (``cut`` if fewer than available).
    """
    ids = list(ids)
    sizes = history.groupby("unique_id", observed=True).size()
    longest = int(sizes.max()) if len(sizes) else 0
    history = _of_series(history[["unique_id", "ds", "y"]], ids)
    lines = [line.of_series(ids) for line in lines]
    while True:
        steps = min(longest, _steps(len(ids)))
        packed = _pack(history, lines, ids, steps)
        result = data_text({**(extra or {}), "explorer": packed})
        if len(result) <= room or len(ids) <= 1:
            size = {"series": len(ids), "of": len(sizes), "steps": steps, "cut": steps < longest}
            return result, size
        ids = ids[: max(1, int(0.93 * len(ids) * room / len(result)))]


def _steps(series: int) -> int:
    """Return the number of observations for each of a number of series that fit into a page."""
    return max(FEWEST_STEPS, min(MOST_STEPS, MOST_NUMBERS // 4 // max(series, 1)))


def _pack(
    history: pd.DataFrame, lines: Sequence[Line], ids: list[str], steps: int
) -> dict[str, Any]:
    code = {name: number for number, name in enumerate(ids)}
    past = _Rows.of(history, code).last(steps)
    parts = [_Values(past, history[["y"]], -1, HISTORY)]
    rows: Computed[_Rows] = Computed()
    for number, line in enumerate(lines):
        for kind, read in ((WINDOW, line.cv_results), (FORECAST, line.predictions)):
            frame = read()
            if len(frame) and line.column in frame:
                sides = list(intervals(frame, line.column).values())[-1:]
                columns = [line.column, *(side for pair in sides for side in pair)]
                own = rows.of(keys_of(frame), partial(_Rows.of, frame, code))
                parts.append(_Values(own, frame[columns], number, kind))
    times = _times(each.times for each in (past, *rows.values))
    grid = _grid(past.code, history["y"].to_numpy(dtype=float)[past.places], len(ids))
    spans = {id(each): each.spans(times) for each in (past, *rows.values)}
    series: list[dict[str, Any]] = [
        {"n": name, "s": grid[0][i], "b": int(grid[1][i]), "v": []} for i, name in enumerate(ids)
    ]
    for part in parts:
        values = part.differences(*grid)
        for owner, start, end, when in spans[id(part.rows)]:
            segment = [part.line, part.kind, when, *(each[start:end] for each in values)]
            series[owner]["v"].append(segment)
    return {"times": [time_text(time) for time in times], "series": series}


def _times(columns: Iterable[pd.Series]) -> pd.Index:
    kept = [column for column in columns if len(column)]
    return pd.Index(pd.concat(kept).unique()).sort_values() if kept else pd.Index([])


def _grid(code: np.ndarray, past: np.ndarray, series: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the step size of each series, and its lowest value in steps."""
    groups = pd.Series(past).groupby(code)
    low = groups.min().reindex(range(series)).fillna(0).to_numpy(dtype=float)
    high = groups.max().reindex(range(series)).fillna(1).to_numpy(dtype=float)
    size = np.array(
        [round_step(float(top - bottom), float(top)) for bottom, top in zip(low, high, strict=True)]
    )
    return size, np.round(low / size)


def round_step(span: float, level: float = 1.0) -> float:
    """Return 1, 2 or 5 times a power of ten, at most a thousandth of `span`."""
    span = span if span > 0 else abs(level) if level else 1.0
    power = 10.0 ** math.floor(math.log10(span / 1000))
    factor = next(f for f in (5, 2, 1) if f * power <= span / 1000 or f == 1)
    return float(f"{factor * power:.0e}")


@dataclass
class _Rows:
    """Rows of the requested series, by series and time.

    Attributes
    ----------
    places : their positions in the table
    code : number of the series of each row
    new : whether a series or a window begins with the row
    times : ``ds`` of each row
    """

    places: np.ndarray
    code: np.ndarray
    new: np.ndarray
    times: pd.Series

    @classmethod
    def of(cls, frame: pd.DataFrame, code: dict[str, int]) -> _Rows:
        keys = [key for key in ("cutoff", "ds") if key in frame]
        numbers = frame["unique_id"].astype(object).map(code).to_numpy(dtype=float)
        part = frame[keys].reset_index(drop=True).assign(code=numbers)[np.isfinite(numbers)]
        part = part.sort_values(["code", *keys])
        own = part["code"].to_numpy(dtype=int)
        new = _begins(own)
        if "cutoff" in part:
            new |= _begins(part["cutoff"].to_numpy())
        return cls(part.index.to_numpy(), own, new, part["ds"])

    def last(self, steps: int) -> _Rows:
        """Return the last rows of each series."""
        ends = np.searchsorted(self.code, self.code, side="right")
        kept = np.arange(len(self.code)) >= ends - steps
        code = self.code[kept]
        return _Rows(self.places[kept], code, _begins(code), self.times[kept])

    def spans(self, times: pd.Index) -> list[tuple[int, int, int, int | list[int]]]:
        """Return series, first row, end and time of each window: its start, or all differences."""
        if not len(self.code):
            return []
        place = times.get_indexer(pd.Index(self.times))
        starts = np.flatnonzero(self.new)
        ends = np.append(starts[1:], len(self.code))
        when: list[int | list[int]] = list(place[starts].tolist())
        gaps = place[ends - 1] - place[starts] != ends - starts - 1
        for number in np.flatnonzero(gaps):
            where = place[starts[number] : ends[number]]
            when[number] = np.diff(where, prepend=0).tolist()
        owners = self.code[starts].tolist()
        return list(zip(owners, starts.tolist(), ends.tolist(), when, strict=True))


def _begins(values: np.ndarray) -> np.ndarray:
    """Return whether each value differs from the one before; True for the first."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


@dataclass
class _Values:
    """Columns of one line: history, back-tests or forecasts."""

    rows: _Rows
    columns: pd.DataFrame
    line: int
    kind: int

    def differences(self, size: np.ndarray, base: np.ndarray) -> list[list[int | None]]:
        """Return the values of all windows, and the distances of the interval's ends."""
        code, new, places = self.rows.code, self.rows.new, self.rows.places
        steps = [
            self.columns[column].to_numpy(dtype=float)[places] / size[code]
            for column in self.columns
        ]
        # Both ends are rounded away from the middle, so that intervals never become empty.
        sides = [_differences(np.abs(side - steps[0]), new) for side in steps[1:]]
        return [_differences(steps[0] - base[code], new), *sides]


def _differences(values: np.ndarray, new: np.ndarray) -> list[int | None]:
    """Return integer differences to the previous value, from zero at each start, or None."""
    finite = np.isfinite(values)
    whole = (
        np.where(finite, np.round(np.where(finite, values, 0)), 0)
        .clip(-1e15, 1e15)
        .astype(np.int64)
    )
    if not finite.all():
        # Missing values repeat the previous value, to which the next difference refers.
        last = np.maximum.accumulate(np.where(finite | new, np.arange(len(whole)), 0))
        whole = whole[last]
    before = np.where(new, 0, np.append(0, whole[:-1]))
    result: list[int | None] = (whole - before).tolist()
    for position in np.flatnonzero(~finite):
        result[position] = None
    return result
