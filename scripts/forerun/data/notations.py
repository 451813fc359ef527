"""Notations of times as strings: quarters, months, weeks, and two-digit years."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from forerun.data.parsing import Bools

_GAP = r"\s*[-/:. ]?\s*"
_YEAR = r"(?P<year>\d{4})"
_ANY_YEAR = r"(?P<year>\d{4}|\d{2})"
_MONTH_FORMS = (
    "%b %Y", "%B %Y", "%b-%Y", "%B-%Y", "%b/%Y", "%Y %b", "%Y-%b", "%Y %B", "%m/%Y", "%m.%Y",
    "%m-%Y", "%b-%y", "%b %y", "%B-%y", "%B %y", "%b/%y", "%b'%y", "%b '%y", "%y-%b",
    "%b%Y", "%b%y", "%Y%b",
)  # fmt: skip
_DAY_FORMS = (
    "%d-%b-%y", "%d %b %y", "%d-%b-%Y", "%d %B %y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y",
    "%m-%d-%y", "%y-%m-%d",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S")
LONGEST_GAP = 10
"""Longest gap in two-digit years, in years; beyond it the century is ambiguous."""
FORMS = (
    "write days as 2001-01-31, months as 2001-01, quarters as 2001Q1, weeks as 2001-W01, hours as "
    "2001-01-31 13:00 or, with a zone, 2001-01-31T13:00+01:00"
)

MIXED = "the other times have another format: use one format for all"


@dataclass(frozen=True)
class Notation:
    """A notation of periods.

    Attributes
    ----------
    name : str
        Name of the periods, for messages.
    patterns : tuple of str
        Regular expressions with the groups ``year``, ``number`` and, for weeks, ``day``.
    months, days : int
        Length of a period.
    """

    name: str
    patterns: tuple[str, ...]
    months: int = 0
    days: int = 0

    def start(self, match: re.Match[str], century: Callable[[int], int]) -> date | None:
        """Return the first day of a period; None if the period does not exist."""
        parts = match.groupdict()
        year, number = int(parts["year"]), int(parts["number"])
        if len(parts["year"]) == 2:
            year = century(year)
        try:
            if self.months:
                return date(year, (number - 1) * self.months + 1, 1)
            return date.fromisocalendar(year, number, int(parts.get("day") or 1))
        except ValueError:
            return None


def _both_ways(number: str) -> tuple[str, ...]:
    return (_YEAR + _GAP + number, number + _GAP + _ANY_YEAR)


PERIODS = (
    Notation("quarters", (*_both_ways(r"Q0?(?P<number>[1-4])"),
                          r"(?P<number>[1-4])\.?\s?Q" + _GAP + _ANY_YEAR), months=3),
    Notation("months", _both_ways(r"M(?P<number>\d{1,2})"), months=1),
    Notation("half-years", _both_ways(r"[HS](?P<number>[12])"), months=6),
    Notation("ISO weeks, dated by their Mondays",
             (_YEAR + _GAP + r"(?:KW|CW|W)\s?(?P<number>\d{1,2})",
              r"(?:KW|CW|W)\s?(?P<number>\d{1,2})" + _GAP + _YEAR), days=7),
    Notation("days of ISO weeks",
             (_YEAR + r"-?W(?P<number>\d{2})-?(?P<day>[1-7])",)),
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """Strings parsed as times.

    Attributes
    ----------
    times : pandas.Series of datetime64
        NaT for strings that do not match the notation.
    notes : tuple of str
    trouble : str
        Why the result is ambiguous, or an empty string.
    months, days : int
        Length of the periods; 0 for points in time.
    """

    times: pd.Series
    notes: tuple[str, ...] = ()
    trouble: str = ""
    months: int = 0
    days: int = 0


def periods(texts: pd.Series, blank: pd.Series, observed: Bools) -> Reading | None:
    """Parse quarters, months or weeks if more than half of the strings match one notation."""
    least = (~blank).sum() / 2
    for notation in PERIODS:
        pattern = "|".join(f"(?:{one})" for one in notation.patterns)
        if texts.str.fullmatch(_ungrouped(pattern), flags=re.IGNORECASE).sum() <= least:
            continue
        matches = [_match(notation.patterns, text) for text in texts]
        two = [int(m["year"]) if m and len(m["year"]) == 2 else -1 for m in matches]
        century, notes, trouble = _century(np.array(two), observed)
        starts = [m and notation.start(m, century) for m in matches]
        times = pd.to_datetime(pd.Series(starts, dtype=object), errors="coerce")
        note = f"times were read as {notation.name}"
        return Reading(times, (note, *notes), trouble, notation.months, notation.days)
    return None


def local(texts: pd.Series, observed: Bools) -> Reading | None:
    """Parse times in a local format, if only one interpretation is possible."""
    readings: dict[str, Reading] = {}
    for form in _forms(texts[texts.str.contains(r"\d")].head(200)):
        times = pd.to_datetime(texts, format=form, errors="coerce")
        if times.notna().any():
            readings[form] = _with_century(form, times, observed)
    if not readings:
        return None
    most = max(int(reading.times.notna().sum()) for reading in readings.values())
    winners = {form: r for form, r in readings.items() if r.times.notna().sum() == most}
    form, chosen = next(iter(winners.items()))
    trouble = chosen.trouble
    for other in winners.values():
        apart = (other.times != chosen.times) & other.times.notna() & chosen.times.notna()
        if apart.any() and not trouble:
            trouble = _ambiguous(texts[apart].iloc[0], chosen.times[apart], other.times[apart])
    months = 0 if "%d" in form else 1
    notes = (f"times were read as {_in_words(form)}", *chosen.notes)
    return Reading(chosen.times, notes, trouble, months)


def _ambiguous(text: str, first: pd.Series, second: pd.Series) -> str:
    one, other = first.iloc[0], second.iloc[0]
    form = "%d %B" if one.year == other.year else "%d %B %Y"
    return f"{text!r} may be {one:{form}} or {other:{form}}; write times as YYYY-MM-DD"


def _in_words(form: str) -> str:
    """Return ``day.month.year (%d.%m.%Y)`` for a format."""
    words = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year", "%b": "month", "%B": "month"}
    text = re.sub(r"%[dmYybB]", lambda m: words[m[0]], form.split(" %H")[0])
    return f"{text} ({form})"


def _match(patterns: tuple[str, ...], text: str) -> re.Match[str] | None:
    tried = (re.fullmatch(one, text, re.IGNORECASE) for one in patterns)
    return next((match for match in tried if match), None)


def _ungrouped(pattern: str) -> str:
    """Return the pattern without group names, which must be unique in a pattern."""
    return re.sub(r"\?P<\w+>", "?:", pattern)


def _forms(texts: pd.Series) -> list[str]:
    """Return the formats that match some of the strings."""
    forms: dict[str, None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns where the day comes first; both are tried
        for text in texts:
            for day_first in (False, True):
                form = guess_datetime_format(text, dayfirst=day_first)
                # Names of zones (CET) are ambiguous, and pandas would ignore them.
                if form and not re.search(r"%[zZ]|[A-Z]{2}", form):
                    forms[form] = None
    more = [*_MONTH_FORMS, *(day + clock for day in _DAY_FORMS for clock in _CLOCKS)]
    return [*forms, *(form for form in more if form not in forms)]


def _with_century(form: str, times: pd.Series, observed: Bools) -> Reading:
    """Complete two-digit years with their century."""
    if "%y" not in form:
        return Reading(times)
    present = times.notna().to_numpy()
    two = np.where(present, times.dt.year.fillna(0).to_numpy().astype(np.int64) % 100, -1)
    century, notes, trouble = _century(two, observed)
    parts = {name: getattr(times.dt, name) for name in ("month", "day", "hour", "minute", "second")}
    year = pd.Series([century(int(one)) if one >= 0 else np.nan for one in two])
    table = pd.DataFrame({"year": year} | parts)
    whole = table.dropna().astype("int64")  # pandas rounds what is in memory where a row has gaps
    moved = pd.to_datetime(whole, errors="coerce").reindex(table.index)
    return Reading(moved, notes, trouble)


def _century(two: np.ndarray, observed: Bools) -> tuple[Callable[[int], int], tuple[str, ...], str]:
    """Return a function that completes two-digit years, without gaps and not in the future.

    The years of a column are consecutive, so the longest gap on the circle 00..99 separates its end
    from its beginning. It ends in the latest century with no observed value in the future.

    Parameters
    ----------
    two : array of int
        The two digits of each distinct string, or -1.
    observed : array of bool
        Whether the target has a value at that time.
    """
    years = np.unique(two[two >= 0])
    if not len(years):
        return lambda year: year, (), ""
    gaps = np.diff(np.append(years, years[0] + 100))
    widest = int(np.argmax(gaps))
    first = int(years[(widest + 1) % len(years)])
    last_seen = two[(two >= 0) & observed] if (observed & (two >= 0)).any() else years
    newest = int(((last_seen - first) % 100).max())
    latest = pd.Timestamp.now().year + 1  # a year may be named after its end
    start = latest - newest
    start -= (start - first) % 100

    def century(year: int) -> int:
        return start + (year - first) % 100

    end = century(int(years[widest]))
    years_text = f"{start} to {end}" if end > start else str(start)
    others = np.delete(gaps, widest)
    trouble = ""
    if len(others) and (others.max() > LONGEST_GAP or gaps[widest] <= 1):
        trouble = "the century of two-digit years is ambiguous; write years with four digits"
    return century, (f"two-digit years were read as {years_text}",), trouble
