"""Frequencies: inferred from the data, checked, and converted to integer positions."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.tseries.frequencies import to_offset

from forerun.base.errors import suggest
from forerun.data import deviations
from forerun.data.deviations import DAY, HOUR, MINUTE, usual
from forerun.data.panel import Panel
from forerun.data.parsing import Bools, Ints
from forerun.data.problems import show

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
KNOWN = ("s", "min", "h", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE")
MOST = 0.9
"""Minimum share of time stamps that must fit a frequency; the others are reported."""


@dataclass(frozen=True)
class Grid:
    """The times of a frequency.

    Attributes
    ----------
    freq : str or int
        pandas' name of the frequency, or the step between integer times.
    step : int
        Steps of the underlying index between consecutive times of a series.
    kind : {"even", "business", "calendar"}
        Fixed steps; business days; or months, weeks and the like, listed in `marks`.
    marks : array of int64
        For a calendar: all its times over the span of the data.
    clock : int
        Common time of day of business days, in nanoseconds since midnight.
    """

    freq: str | int
    step: int
    kind: str
    marks: Ints
    clock: int = 0

    def index(self, time: Ints) -> tuple[Ints, Bools]:
        """Return the integer index of each time, and whether it is on the grid."""
        if self.kind == "even":
            return time, np.ones(len(time), dtype=bool)
        if self.kind == "business":
            days, clock = np.divmod(time, DAY)
            weeks, weekday = np.divmod(days + 3, 7)  # 1970-01-01 was a Thursday
            index = weeks * 5 + np.minimum(weekday, 5)
            return index, (weekday < 5) & (clock == self.clock)
        place = np.searchsorted(self.marks, time)
        fits = self.marks[np.minimum(place, len(self.marks) - 1)] == time
        return place.astype(np.int64), fits

    def time(self, index: Ints) -> Ints:
        """Return the times of indices on the grid, within the span of the data."""
        if self.kind == "even":
            return index
        if self.kind == "business":
            weeks, weekday = np.divmod(index, 5)
            return (weeks * 7 + weekday - 3) * DAY + self.clock
        return self.marks[index]

    def spans(self) -> tuple[int, int]:
        """Return the shortest and the longest duration of a step, with an hour of tolerance."""
        if self.kind == "even":
            return self.step, self.step
        marks = np.diff(self.marks) if len(self.marks) > 1 else np.array([DAY])
        return int(marks.min()) * self.step - HOUR, int(marks.max()) * self.step + HOUR

    def positions(self, panel: Panel) -> tuple[Ints, Bools]:
        """Return the steps of each row from the first row of its series, for a sorted panel.

        The second array marks the rows on the grid.
        """
        index, fits = self.index(panel.time)
        first = np.flatnonzero(panel.firsts())
        behind = np.repeat(index[first], np.diff(first, append=len(index)))
        np.subtract(index, behind, out=behind)  # large arrays: in place
        if self.step == 1:
            return behind, fits
        fits = fits & (behind % self.step == 0)
        behind //= self.step
        return behind, fits

    def times(self, panel: Panel, row: Ints, position: Ints) -> Ints:
        """Return the times at given positions of the series of given rows."""
        index, _ = self.index(panel.time)
        return self.time(index[panel.starts()[row]] + position * self.step)


def check_freq(freq: str | int, dated: bool) -> tuple[str | int, str]:
    """Return a configured frequency (numbers as integers), and what is wrong with it (or "").

    Spellings such as ``M`` are kept, so that the same command matches the frozen configuration.
    """
    if isinstance(freq, str) and re.fullmatch(r"\s*\d{1,12}\s*", freq):
        freq = int(freq)
    if isinstance(freq, int):
        if dated:
            return freq, f"times are time stamps, but freq is the number {freq} (use e.g. 'MS')"
        return freq, "" if freq > 0 else f"freq is {freq}; it must be at least 1"
    if not dated:
        return freq, f"times are whole numbers, but freq is {show(freq)} (use a number, e.g. 1)"
    offset = offset_of(freq)
    if offset is None:
        return freq, f"freq {show(freq)} is not a pandas frequency{suggest(freq, KNOWN)}"
    if offset.n < 1 or isinstance(offset, pd.offsets.BusinessHour):
        return freq, f"freq {show(freq)} cannot be used here"
    return freq, ""


def offset_of(freq: str) -> pd.offsets.BaseOffset | None:
    """Return the pandas offset of a frequency, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            offset: pd.offsets.BaseOffset = to_offset(freq)
            return offset
    except (ValueError, TypeError, OverflowError):
        return None


def make_grid(freq: str | int, time: Ints) -> Grid:
    """Return the grid of a valid frequency over the span of the given times."""
    none = np.zeros(0, dtype=np.int64)
    if isinstance(freq, int):
        return Grid(freq, freq, "even", none)
    offset = offset_of(freq)
    assert offset is not None, freq
    if isinstance(offset, (pd.offsets.Tick, pd.offsets.Day)):
        return Grid(freq, offset.nanos, "even", none)
    clock = usual(time % DAY)
    if type(offset) is pd.offsets.BusinessDay:
        return Grid(freq, offset.n, "business", none, clock)
    low, high = int(time.min()), int(time.max())
    start = pd.Timestamp(max(low - low % DAY + clock, pd.Timestamp.min.value))
    marks = pd.date_range(start, pd.Timestamp(high), freq=offset.base)
    if marks.empty:
        marks = pd.DatetimeIndex([start])
    return Grid(freq, offset.n, "calendar", marks.as_unit("ns").asi8)


def infer_freq(panel: Panel) -> tuple[str | int | None, str]:
    """Infer the frequency from the steps of all series.

    Returns
    -------
    freq : str, int or None
        pandas' name, or a number for integer times; None if there is none.
    trouble : str
        Why there is none.
    """
    steps = np.diff(panel.time)[panel.code[1:] == panel.code[:-1]]
    steps = steps[steps > 0]
    if not len(steps):
        trouble = "freq cannot be inferred from series of one row (set freq)"
        return (None, trouble) if panel.dated else (1, "")
    step = usual(steps)
    if not panel.dated:
        return step, ""
    if jitter := deviations.jitter(panel):
        return None, jitter
    if 13 * DAY <= step <= 18 * DAY and (freq := _half_months(panel)):
        return freq, ""
    if step >= 28 * DAY:
        freq = _months(panel)
        if freq is not None:
            return freq, ""
        if (steps == step).mean() < MOST:
            return None, (
                "no frequency fits the time stamps, e.g. "
                f"{panel.time_text(0)}, {panel.time_text(min(1, len(panel) - 1))} (monthly, "
                "quarterly and yearly data must have the first or the last day of the month)"
            )
    if step == DAY and _weekdays_only(panel, steps):
        return "B", ""
    if step % (7 * DAY) == 0:
        weekday = (panel.time // DAY + 3) % 7
        if (weekday == weekday[0]).all():
            number = step // (7 * DAY)
            return f"{number if number > 1 else ''}W-{WEEKDAYS[int(weekday[0])]}", ""
    return to_offset(pd.Timedelta(step)).freqstr, ""


def _weekdays_only(panel: Panel, steps: Ints) -> bool:
    return bool((steps == 3 * DAY).any() and ((panel.time // DAY + 3) % 7 < 5).all())


def _half_months(panel: Panel) -> str | None:
    """Return ``SMS-15`` for the 1st and the 15th, ``SME-15`` for the 15th and the last day."""
    days = panel.time.astype("datetime64[ns]").astype("datetime64[D]")
    middle = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) == 14
    ends = _month_ends(days)
    for freq, fits in (("SMS-15", ends["MS"]), ("SME-15", ends["ME"])):
        if (middle | fits).mean() >= MOST and middle.any() and fits.any():
            return freq
    return None


def _months(panel: Panel) -> str | None:
    """Return a frequency of months if the time stamps are the first or last days of months."""
    place, distinct = pd.factorize(panel.time)  # there are only a few hundred different months
    stamps = distinct.astype("datetime64[ns]")
    month = stamps.astype("datetime64[M]").astype(np.int64)
    spans = np.diff(month[place])[panel.code[1:] == panel.code[:-1]]
    number = usual(spans[spans > 0]) if (spans > 0).any() else 1
    days = stamps.astype("datetime64[D]")
    for base, fits in _month_ends(days).items():
        if fits.mean() >= MOST:
            anchors = np.unique(month[fits] % number)
            if number in (3, 12) and len(anchors) == 1:
                return _anchored(base, number, int(anchors[0]))
            return f"{number if number > 1 else ''}{base}"
    return None


def _month_ends(day: npt.NDArray[np.datetime64]) -> dict[str, Bools]:
    """Return masks of the days that are first or last (business) days of their month."""
    first = day.astype("datetime64[M]").astype("datetime64[D]")
    last = (first.astype("datetime64[M]") + 1).astype("datetime64[D]") - 1
    return {
        "MS": day == first,
        "ME": day == last,
        "BMS": day == np.busday_offset(first, 0, roll="forward"),
        "BME": day == np.busday_offset(last, 0, roll="backward"),
    }


def _anchored(base: str, number: int, anchor: int) -> str:
    """Return pandas' name of every third or twelfth month, such as ``QS-OCT``."""
    letter = "Q" if number == 3 else "Y"
    business = "B" if base.startswith("B") else ""
    month = anchor if number == 12 else anchor + 9
    return f"{business}{letter}{base[-1]}-{MONTHS[month]}"


def add_steps(time: int, steps: int, freq: str | int) -> int:
    """Return the time `steps` steps after a time on the grid."""
    if isinstance(freq, int):
        return time + steps * freq
    offset = offset_of(freq)
    assert offset is not None, freq
    try:
        moved: pd.Timestamp = pd.Timestamp(time) + steps * offset
    except (OverflowError, pd.errors.OutOfBoundsDatetime):
        return time
    return moved.value


def season_length(freq: str | int) -> int:
    """Return the usual season length of a frequency, or 1 if there is none.

    ========================  =====
    hours                     24 (a day; 12 for ``2h`` ...)
    5 to 59 minutes           a day, e.g. 96 for ``15min``
    1 to 4 minutes            60 and less (an hour)
    seconds                   60 and less (a minute)
    days, business days       7, 5
    weeks                     52
    months, quarters, years   12, 4, 1
    whole numbers             1
    ========================  =====
    """
    offset = None if isinstance(freq, int) else offset_of(freq)
    if offset is None:
        return 1
    if isinstance(offset, (pd.offsets.Tick, pd.offsets.Day)):
        return _even_season(offset.nanos)
    name = offset.base.freqstr.split("-")[0]
    by_name = {"W": 52, "B": 5, "C": 5, "SMS": 24, "SME": 24}
    by_ending = {"MS": 12, "ME": 12, "QS": 4, "QE": 4, "YS": 1, "YE": 1}
    whole = by_name.get(name) or by_ending.get(name[-2:], 1)
    return whole // offset.n if whole % offset.n == 0 else 1


def _even_season(span: int) -> int:
    if span >= DAY:
        seasons = {DAY: 7}
        weeks = span // (7 * DAY)
        if span % (7 * DAY) == 0 and 52 % weeks == 0:
            seasons[span] = 52 // weeks
        return seasons.get(span, 1)
    for cycle in (DAY, HOUR, MINUTE):
        if cycle % span == 0 and 1 < cycle // span <= 288:
            return cycle // span
    return 1
