"""Parsing of users' time columns to time stamps or integers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as kinds
from pandas.api.types import union_categoricals

from forerun.data import calendar_numbers, notations, zones
from forerun.data.grid import offset_of
from forerun.data.numbers import MISSING_WORDS
from forerun.data.parsing import Bools, Ints, Times, factorize

NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
CLOCK_ZONE = re.compile(r"\d{2}:\d{2}.*?\s*(Z|[+-]\d{2}(:?\d{2})?)$")
_ZONE_END = r"\s*(Z|[+-]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Asked:
    """The user's settings for the times of a table.

    Attributes
    ----------
    freq : str, int or None
        The configured frequency: a date offset means dates, a number means integers.
    tz : str or None
        The time zone of days.
    """

    freq: str | int | None = None
    tz: str | None = None


def parse_times(column: pd.Series, asked: Asked, observed: Bools | None = None) -> Times:
    """Return a time column as integers: time stamps (without zone) or whole numbers.

    Parameters
    ----------
    observed : array of bool, optional
        Rows with a target value; their times cannot be in the future.
    """
    return _to_freq(_parse(column, asked, observed), asked.freq)


def parse_both(
    first: pd.Series, second: pd.Series, asked: Asked, observed: Bools
) -> tuple[Times, Times]:
    """Parse two time columns together if possible, so that both are interpreted alike."""
    if (
        isinstance(first.dtype, pd.CategoricalDtype)
        and first.dtype.categories.dtype == getattr(second.dtype, "categories", pd.Index([])).dtype
    ):
        both = pd.Series(union_categoricals([first, second]))
    elif first.dtype == second.dtype:
        both = pd.concat([first, second], ignore_index=True)
    else:
        return parse_times(first, asked, observed), parse_times(second, asked)
    cut = len(first)
    times = parse_times(both, asked, np.append(observed, np.zeros(len(second), dtype=bool)))
    return (
        replace(times, value=times.value[:cut], bad=times.bad[:cut]),
        Times(times.value[cut:], times.bad[cut:], times.dated),
    )


def readable(value: Any) -> bool:
    """Return whether a value alone can be parsed as a date or a period."""
    if not isinstance(value, str):
        return False
    one = parse_times(pd.Series([value], dtype=object), Asked())
    return one.dated and not one.bad.any()


def _parse(column: pd.Series, asked: Asked, observed: Bools | None) -> Times:
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        return _stamps(column, asked.tz)
    if kinds.is_numeric_dtype(dtype) and not kinds.is_bool_dtype(dtype):
        return _whole_numbers(column, asked)
    codes, raw = factorize(column)
    seen = np.ones(len(column), dtype=bool) if observed is None else observed
    occurring = np.zeros(len(raw) + 1, dtype=bool)
    occurring[codes[seen]] = True  # the last entry: missing times
    parsed = _parse_values(raw, asked, occurring[:-1])
    value, bad = np.append(parsed.value, 0), np.append(parsed.bad, True)
    return replace(parsed, value=value[codes], bad=bad[codes])


def _stamps(column: pd.Series, tz: str | None) -> Times:
    zone = getattr(column.dtype, "tz", None)
    trouble = ""
    if zone is None:
        column, notes = zones.settle_bare(column, tz)
    else:
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None)
        wall = column.dt.tz_localize(None)
        column, notes, trouble = zones.settle(utc, wall, tz, f"in {zone}")
    stamps = column.to_numpy()
    unit = NANOSECONDS[np.datetime_data(stamps.dtype)[0]]
    raw = stamps.astype(np.int64)
    bad = np.isnat(stamps) | (np.abs(raw) > (2**63 - 1) // unit)  # no room beyond 1677..2262
    return Times(np.where(bad, 0, raw) * unit, bad, True, notes, trouble)


def _whole_numbers(column: pd.Series, asked: Asked) -> Times:
    number = column.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(number) | (np.abs(number) > 2**62) | (number != np.round(number))
    if kinds.is_integer_dtype(column.dtype):
        value = np.where(bad, 0, column.fillna(0).to_numpy()).astype(np.int64)
    else:
        value = np.where(bad, 0, number).astype(np.int64)
    return _numbers(value, bad, asked)


def _numbers(value: Ints, bad: Bools, asked: Asked) -> Times:
    """Parse integers; Unix time is in UTC by definition."""
    times = calendar_numbers.read(value, bad, asked.freq)
    if not times.dated or asked.tz is None:
        return times
    stamps = pd.Series(times.value.view("datetime64[ns]")).where(~times.bad)
    if times.utc:
        stamps, notes, times.trouble = zones.settle(stamps, stamps, asked.tz, "in UTC")
    else:
        stamps, notes = zones.settle_bare(stamps, asked.tz)
    times.notes += notes
    times.value, _ = _to_ints(stamps)
    return times


def _parse_values(raw: list[Any], asked: Asked, observed: Bools) -> Times:
    """Parse distinct values: strings, dates, numbers or a mixture."""
    empty = Times(np.zeros(len(raw), dtype=np.int64), np.ones(len(raw), dtype=bool), True)
    if not raw:
        return empty
    texts = pd.Series(["" if v is None else str(v).strip() for v in raw], dtype=object)
    texts = texts.str.replace(r"(?<=\d)\s*(UTC|GMT)$", "Z", regex=True)
    blank = texts.str.lower().isin(MISSING_WORDS)
    texts = texts.str.replace(r"^(\d{5,19})\.0+$", r"\1", regex=True)  # whole, saved as a float
    whole = texts.str.fullmatch(r"[+-]?\d{1,19}")
    if whole.sum() * 2 > (~blank).sum():
        numbers = [int(text) if fits else 0 for text, fits in zip(texts, whole, strict=True)]
        fits = whole.to_numpy(dtype=bool) & np.array([abs(number) < 2**62 for number in numbers])
        small = [number if fit else 0 for number, fit in zip(numbers, fits, strict=True)]
        return _numbers(np.array(small, dtype=np.int64), ~fits, asked)
    reading = notations.periods(texts, blank, observed)
    if reading is None:
        iso = pd.to_datetime(texts.where(texts.str.match(r"\d{4}")), **_iso())
        if iso.notna().sum() * 2 >= (~blank).sum() and iso.notna().any():
            return _iso_texts(texts, iso, asked.tz)
        reading = notations.local(texts, observed)
    if reading is None:
        return empty
    stamps, notes = zones.settle_bare(reading.times, asked.tz)
    value, bad = _to_ints(stamps)
    notes = [*reading.notes, *notes]
    return Times(value, bad, True, notes, reading.trouble, months=reading.months, days=reading.days)


def _iso() -> dict[str, Any]:
    return {"format": "ISO8601", "errors": "coerce", "utc": True}


def _iso_texts(texts: pd.Series, iso: pd.Series, tz: str | None) -> Times:
    """Parse times in ISO 8601; all or none of them must have a zone."""
    zone = texts.str.extract(CLOCK_ZONE)[0]
    zoned = zone.notna() & iso.notna()
    utc = iso.dt.tz_localize(None)
    trouble = ""
    if not zoned.any():
        stamps, notes = zones.settle_bare(utc, tz)
    else:
        wall = pd.to_datetime(texts.str.replace(_ZONE_END, "", regex=True), **_iso())
        wall = wall.dt.tz_localize(None).where(zoned, utc)
        stamps, notes, trouble = zones.settle(utc, wall, tz, "with a zone")
        if (~zoned & iso.notna()).any():
            trouble = "some times have a time zone and some have none"
    value, bad = _to_ints(stamps)
    months = int(texts[~bad].str.fullmatch(r"\d{4}-\d{2}").all())
    return Times(value, bad, True, notes, trouble, months=months)


def _to_ints(stamps: pd.Series) -> tuple[Ints, Bools]:
    bad = stamps.isna().to_numpy(dtype=bool)
    filled = stamps.where(~bad, pd.Timestamp(0)).to_numpy().astype("datetime64[ns]")
    return filled.astype(np.int64), bad


def _to_freq(times: Times, freq: str | int | None) -> Times:
    """Move periods to the dates of the configured frequency: 2001Q1 to its last day for ``QE``."""
    offset = offset_of(freq) if isinstance(freq, str) else None
    if offset is None or not (times.months or times.days) or isinstance(offset, pd.offsets.Tick):
        return times
    length = pd.DateOffset(months=times.months, days=times.days)
    distinct, codes = np.unique(times.value[~times.bad], return_inverse=True)
    moved = []
    for start in map(pd.Timestamp, distinct):
        stamp = offset.rollforward(start)
        moved.append(stamp.value if stamp < start + length else start.value)
    times.value[~times.bad] = np.array(moved, dtype=np.int64)[codes]
    return times
