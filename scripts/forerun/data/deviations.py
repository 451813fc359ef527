"""Diagnosis of irregular time steps: their place and likely cause."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forerun.data import zones
from forerun.data.panel import Panel
from forerun.data.parsing import Bools, Ints
from forerun.data.problems import count

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: Frequencies that jittering times are compared with: pandas' name and length.
_CLOCKS = {"D": DAY, "h": HOUR, "30min": 30 * MINUTE, "15min": 15 * MINUTE, "10min": 10 * MINUTE,
           "5min": 5 * MINUTE, "min": MINUTE, "s": SECOND}  # fmt: skip
_TOLERANCE = 0.05
"""Maximum deviation that counts as jitter, as a share of a step."""
_SUMMER = (HOUR, HOUR // 2)


def usual(values: Ints) -> int:
    """Return the most frequent value; of several, the smallest."""
    if (values == values[0]).all():
        return int(values[0])
    counts = pd.Series(values).value_counts()
    return int(counts[counts == counts.max()].index.min())


def duration(span: int) -> str:
    """Return a span of time in words: ``1 day``, ``23 hours``, ``1 hour 2 seconds``."""
    parts = []
    for name, length in (("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", SECOND)):
        number, span = divmod(span, length)
        if number:
            parts.append(count(number, name))
    if span or not parts:
        parts.append(f"{span / SECOND:g} seconds")
    return " ".join(parts)


def jitter(panel: Panel) -> str:
    """Return a message if times deviate slightly from even steps, or an empty string."""
    for name, length in _CLOCKS.items():
        if not (panel.time % length).any():
            return ""
        rounded = (panel.time + length // 2) // length * length
        off = np.abs(panel.time - rounded)
        steps = np.diff(rounded)[panel.code[1:] == panel.code[:-1]]
        if not len(steps) or not (steps > 0).all() or (off > _TOLERANCE * usual(steps)).any():
            continue
        uneven = off > 0
        even = pd.Series(off).groupby(panel.code).nunique().max() <= 1
        if even or (off % _SUMMER[-1] == 0).all():
            return ""  # a constant shift, or daylight saving time
        return (
            f"{int(uneven.sum())} of {len(panel)} time stamps are up to {duration(int(off.max()))} "
            f"off even steps of {duration(usual(steps))} ({panel.place(uneven)}), "
            f"likely clock jitter; round them: "
            f"table[time] = table[time].dt.round('{name}')"
        )
    return ""


def clock_change(times: Ints, dated: bool, what: str) -> str:
    """Return a hint if all given times are at hours at which clocks change.

    Parameters
    ----------
    times : array of int64
        Duplicate or missing times.
    what : str
        What clocks do with the hour, such as "skip".
    """
    stamps = pd.DatetimeIndex(times.astype("datetime64[ns]")) if dated else pd.DatetimeIndex([])
    sundays = (stamps.weekday == 6) & (stamps.hour < 4) & stamps.month.isin([3, 4, 9, 10, 11])
    if not len(stamps) or not sundays.all() or (stamps == stamps.normalize()).all():
        return ""
    return f"; likely the hour that clocks {what}: write times in UTC or with their offset"


def explain(panel: Panel, row: int, sound: Bools) -> str:
    """Describe the step to a time that is off the grid, and its likely cause.

    Parameters
    ----------
    row : int
        First row that is off the grid.
    sound : array of bool
        Rows of series without unreadable values.
    """
    if not panel.dated:
        return ""
    same = (panel.code[1:] == panel.code[:-1]) & sound[1:]
    steps = np.diff(panel.time)[same]
    if not len(steps):
        return ""
    step, common = int(panel.time[row] - panel.time[row - 1]), usual(steps)
    if panel.firsts()[row] or step == common:
        return _cause(panel, sound, steps, common)
    before = panel.time_text(row - 1)
    text = f"; the step from {before} to it takes {duration(step)}, most take {duration(common)}"
    return text + _cause(panel, sound, steps, common)


def _cause(panel: Panel, sound: Bools, steps: Ints, common: int) -> str:
    stamps = pd.Series(panel.time[sound].view("datetime64[ns]"))
    rest = np.abs((steps + common // 2) % common - common // 2)
    odd = rest[rest > 0]
    if zones.clocks(stamps) > 1 and common >= 2 * HOUR and _shifted(panel, sound):
        zone = zones.suggestion(stamps) or "tz, e.g. tz: Europe/Berlin"
        return (
            ": likely days of a zone with daylight saving time, written in UTC; set the zone "
            f"with {zone}"
        )
    days = stamps.dt.day
    if 13 * DAY <= common <= 18 * DAY and days.nunique() <= 2 + 3:
        return (
            ": likely twice a month; freq SMS means the 1st and the 15th, SME the 15th and the "
            "last day of each month"
        )
    if len(odd) > 0.02 * len(steps) and odd.max() <= _TOLERANCE * common:
        return ": likely clock jitter; round the times"
    return ""


def _shifted(panel: Panel, sound: Bools) -> bool:
    """Return whether the times of day of each series differ by an hour (or half of it)."""
    clock = pd.Series(panel.time[sound] % DAY).groupby(panel.code[sound])
    spans = clock.agg(lambda values: _around(values.to_numpy()))
    spans = spans[spans > 0]
    return bool(len(spans)) and bool(spans.isin(_SUMMER).all())


def _around(clock: Ints) -> int:
    """Return the distance of two times of day around midnight; a day if there are more than two."""
    different = np.unique(clock)
    if len(different) == 1:
        return 0
    if len(different) > 2:
        return DAY
    apart = int(different[1] - different[0])
    return min(apart, DAY - apart)
