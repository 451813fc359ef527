"""Series for the interactive chart, compressed to fit into a page.

Values are rounded to integer multiples of about a thousandth of the range of their series (finer
than a screen) and stored as differences, which gzip compresses to little more than a byte each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from forerun.base.text import time_text
from forerun.plots.frames import intervals
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
    past = _of(history, code)
    past = past.groupby("code", sort=False).tail(steps)
    frames = [_Values(past, ["y"], -1, HISTORY)]
    for number, line in enumerate(lines):
        for kind, read in ((WINDOW, line.cv_results), (FORECAST, line.predictions)):
            frame = read()
            if len(frame) and line.column in frame:
                sides = list(intervals(frame, line.column).values())[-1:]
                columns = [line.column, *(side for pair in sides for side in pair)]
                keys = [key for key in ("unique_id", "ds", "cutoff") if key in frame]
                frames.append(_Values(_of(frame[[*keys, *columns]], code), columns, number, kind))
    times = _times(part.frame["ds"] for part in frames)
    grid = _grid(past, len(ids))
    series: list[dict[str, Any]] = [
        {"n": name, "s": grid[0][i], "b": int(grid[1][i]), "v": []} for i, name in enumerate(ids)
    ]
    for part in frames:
        for owner, segment in part.segments(times, *grid):
            series[owner]["v"].append(segment)
    return {"times": [time_text(time) for time in times], "series": series}


def _of(frame: pd.DataFrame, code: dict[str, int]) -> pd.DataFrame:
    """Return the rows of the requested series with their numbers, in order."""
    numbers = frame["unique_id"].astype(object).map(code)
    part = frame.assign(code=numbers)[numbers.notna().to_numpy()].astype({"code": int})
    keys = ["code", "cutoff", "ds"] if "cutoff" in part else ["code", "ds"]
    return part.sort_values(keys, ignore_index=True)


def _times(columns: Iterable[pd.Series]) -> pd.Index:
    kept = [column for column in columns if len(column)]
    return pd.Index(pd.concat(kept).unique()).sort_values() if kept else pd.Index([])


def _grid(past: pd.DataFrame, series: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the step size of each series, and its lowest value in steps."""
    groups = past.groupby("code")["y"]
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
class _Values:
    """Rows of one line: history, back-tests or forecasts."""

    frame: pd.DataFrame
    columns: list[str]
    line: int
    kind: int

    def segments(
        self, times: pd.Index, size: np.ndarray, base: np.ndarray
    ) -> Iterable[tuple[int, list[Any]]]:
        """Yield each series' number and ``[line, kind, times, values, low, high]`` per window."""
        if not len(self.frame):
            return
        code = self.frame["code"].to_numpy()
        new = np.append(True, code[1:] != code[:-1])
        if "cutoff" in self.frame:
            cutoff = self.frame["cutoff"].to_numpy()
            new[1:] |= cutoff[1:] != cutoff[:-1]
        place = times.get_indexer(pd.Index(self.frame["ds"]))
        steps = [self.frame[column].to_numpy(dtype=float) / size[code] for column in self.columns]
        values = [_differences(steps[0] - base[code], new)]
        # Both ends are rounded away from the middle, so that intervals never become empty.
        values += [_differences(np.abs(side - steps[0]), new) for side in steps[1:]]
        starts = np.flatnonzero(new)
        for start, end in zip(starts, np.append(starts[1:], len(code)), strict=True):
            where = place[start:end]
            contiguous = where[-1] - where[0] == end - start - 1
            when = int(where[0]) if contiguous else np.diff(where, prepend=0).tolist()
            yield int(code[start]), [self.line, self.kind, when, *(v[start:end] for v in values)]


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
