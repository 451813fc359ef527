"""Integers as times: counters, dates without separators, and Unix time."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from forerun.data.parsing import Bools, Ints, Times
from forerun.data.problems import show

#: Number of digits -> format for pandas, common name, length in months (0 for days and shorter).
DATES = {
    6: ("%Y%m", "YYYYMM", 1),
    8: ("%Y%m%d", "YYYYMMDD", 0),
    10: ("%Y%m%d%H", "YYYYMMDDHH", 0),
    12: ("%Y%m%d%H%M", "YYYYMMDDHHMM", 0),
    14: ("%Y%m%d%H%M%S", "YYYYMMDDHHMMSS", 0),
}
#: Units of Unix time per second.
UNIX = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
FIRST, LAST = 631_152_000, 4_102_444_800  # 1990 and 2100 in Unix time
MOST = 0.9
"""Minimum share of numbers that must be dates; the others are reported as unreadable."""


def is_number(freq: str | int | None) -> bool:
    """Return whether a configured frequency is a step between whole numbers."""
    return bool(re.fullmatch(r"\s*\d+\s*", str(freq)))


def read(value: Ints, bad: Bools, freq: str | int | None) -> Times:
    """Parse integers as dates, Unix time or a counter, whichever they look like.

    A configured frequency decides: a date offset means dates, a number means a counter.
    """
    plain = Times(value, bad, False)
    good = pd.Series(value[~bad])
    if good.empty or is_number(freq):
        return plain
    distinct = good.drop_duplicates()
    reading = _dates(distinct) or _unix(distinct)
    if reading is None and freq is not None:
        reading = _years(distinct)
    if reading is None:
        parts = _parts_of_years(distinct)
        plain.trouble = parts if parts or freq is None else _hint(distinct, freq)
        return plain
    dates, name, months = reading
    lookup = pd.Series(dates.to_numpy(), index=distinct.to_numpy())
    stamps = np.zeros(len(value), dtype=np.int64)
    read = lookup.reindex(good.to_numpy()).to_numpy().astype("datetime64[ns]")
    wrong = bad.copy()
    wrong[~bad] = np.isnat(read)
    stamps[~wrong] = read[~np.isnat(read)].astype(np.int64)
    note = f"whole-number times were read as {name} (freq: 1 would keep them as numbers)"
    return Times(stamps, wrong, True, [note], utc="Unix" in name, months=months)


#: Dates, their name for messages, and the months of a period.
Reading = tuple[pd.Series, str, int]


def _dates(distinct: pd.Series) -> Reading | None:
    """Parse dates such as 202401 or 20240131."""
    digits = {len(str(number)) for number in (distinct.min(), distinct.max())}
    form, name, months = DATES.get(digits.pop(), ("", "", 0)) if len(digits) == 1 else ("", "", 0)
    if not form or distinct.min() < 0:
        return None
    year = distinct // 10 ** (len(str(distinct.iloc[0])) - 4)
    if year.min() < 1900 or year.max() > 2100:
        return None
    dates = pd.to_datetime(distinct.astype(str), format=form, errors="coerce")
    return (dates, f"dates ({name})", months) if dates.notna().mean() >= MOST else None


def _unix(distinct: pd.Series) -> Reading | None:
    for name, steps in UNIX.items():
        if distinct.min() >= FIRST * steps and distinct.max() < LAST * steps:
            stamps = (distinct * (10**9 // steps)).to_numpy().view("datetime64[ns]")
            return pd.Series(stamps), f"Unix {name}", 0
    return None


def _years(distinct: pd.Series) -> Reading | None:
    """Parse years such as 2001; for a configured date offset only, as they may be a counter."""
    if distinct.min() < 1678 or distinct.max() > 2261:
        return None
    return pd.to_datetime(distinct.astype(str), format="%Y", errors="coerce"), "years", 12


def _parts_of_years(distinct: pd.Series) -> str:
    """Return a hint if numbers look like weeks (202052, 202101) or quarters (20014, 20021)."""
    numbers = np.sort(distinct.to_numpy())
    before = numbers[:-1][np.diff(numbers) > 1]
    after = numbers[1:][np.diff(numbers) > 1]
    for name, form, base, ends in (("weeks", "-W", 100, (52, 53)), ("quarters", "Q", 10, (4,))):
        year, part = divmod(numbers, base)
        if year[0] < 1900 or year[-1] > 2100 or part.min() < 1 or part.max() > ends[-1]:
            continue
        if len(before) and np.isin(before % base, ends).all() and (after % base == 1).all():
            digits = len(str(base)) - 1
            example = f"{year[0]}{form}{part[0]:0{digits}d}"
            return (
                f"whole numbers such as {numbers[0]} look like {name} of years; "
                f"write {example} (freq: 1 would keep them as numbers)"
            )
    return ""


def _hint(distinct: pd.Series, freq: str | int | None) -> str:
    text = f"times are whole numbers such as {distinct.iloc[0]}, but freq is {show(freq)}"
    if distinct.min() >= 18_000 and distinct.max() <= 80_000:
        return (
            f"{text}; if they are Excel's day numbers convert them with "
            "pd.to_datetime(column, unit='D', origin='1899-12-30')"
        )
    return f"{text}; write dates as YYYY-MM-DD, or give freq as a number, e.g. 1"
