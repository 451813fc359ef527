"""Columns as users write them -> arrays: names of series, times and numbers."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as kinds
from pandas.tseries.api import guess_datetime_format

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.object_]

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "nat", "-nan"})
CLOCK_ZONE = re.compile(r"\d{2}:\d{2}.*?\s*(Z|[+-]\d{2}(:?\d{2})?)$")
NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
MONTH_FORMS = ("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%m/%Y", "%m.%Y", "%m-%Y", "%d-%b-%y")
QUARTER = re.compile(r"(\d{4})[- ]?Q([1-4])")


@dataclass
class Times:
    """A parsed time column.

    Attributes
    ----------
    value : array of int64
        Nanoseconds since 1970 where `dated`, otherwise the integers themselves; 0 where `bad`.
    bad : array of bool
        Rows that hold no time.
    dated : bool
        Whether these are time stamps; integers otherwise.
    notes : list of str
        What was decided on the way.
    trouble : str
        What is wrong with the column as a whole, or an empty string.
    """

    value: Ints
    bad: Bools
    dated: bool
    notes: list[str]
    trouble: str = ""


def parse_ids(column: pd.Series) -> tuple[Ints, Labels]:
    """Return for each row the place of its name among the sorted names; -1 where it is missing.

    Numbers become text without ``.0``.
    """
    codes, raw = _factorize(column)
    names = [_name(value) for value in raw]
    known = sorted({name for name in names if name})
    place = {name: number for number, name in enumerate(known)}
    table = np.array([place.get(name, -1) for name in names] + [-1], dtype=np.int64)
    labels = np.empty(len(known), dtype=object)
    labels[:] = known
    return table[codes], labels


def parse_numbers(column: pd.Series) -> tuple[Floats, Bools]:
    """Return a column as float64 (NaN where missing) and the rows that hold something else."""
    dtype = column.dtype
    if kinds.is_complex_dtype(dtype) or kinds.is_datetime64_any_dtype(dtype):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=bool)
    if kinds.is_numeric_dtype(dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=bool)
    codes, raw = _factorize(column)
    parsed = [_number(value) for value in raw]
    values = np.array([value for value, _ in parsed] + [np.nan])
    bad = np.array([wrong for _, wrong in parsed] + [False])
    return values[codes], bad[codes]


def parse_times(column: pd.Series) -> Times:
    """Return a time column as integers: time stamps (UTC, without zone) or whole numbers."""
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        return _stamps(column)
    if kinds.is_numeric_dtype(dtype) and not kinds.is_bool_dtype(dtype):
        return _whole_numbers(column)
    codes, raw = _factorize(column)
    parsed = _parse_values(raw)
    value = np.append(parsed.value, 0)
    bad = np.append(parsed.bad, True)
    return Times(value[codes], bad[codes], parsed.dated, parsed.notes, parsed.trouble)


def _factorize(column: pd.Series) -> tuple[Ints, list[Any]]:
    """Return codes (-1 where missing) and the distinct values, whatever they are."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = np.asarray(column.cat.codes)
        return codes.astype(np.int64), list(column.cat.categories)
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and dictionaries cannot be hashed
        codes, values = pd.factorize(column.map(str))
    return codes.astype("int64"), list(values)


def _name(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(value: Any) -> tuple[float, bool]:
    """Return one value as (number, False), a missing one as (NaN, False), else (NaN, True)."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING_WORDS:
            return np.nan, False
        if "_" in text:  # Python reads 1_000 as a number, nobody else does
            return np.nan, True
        value = text
    try:
        return float(value), False
    except (TypeError, ValueError, OverflowError):
        return np.nan, True


def _stamps(column: pd.Series) -> Times:
    notes = []
    zone = getattr(column.dtype, "tz", None)
    if zone is not None:
        wall = column.dt.tz_localize(None)
        if (wall.dropna() == wall.dropna().dt.normalize()).all():
            notes.append(f"times are whole days in {zone}: the days were kept, the zone dropped")
            column = wall
        else:
            notes.append(f"times were converted from {zone} to UTC")
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    stamps = column.to_numpy()
    unit = NANOSECONDS[np.datetime_data(stamps.dtype)[0]]
    raw = stamps.astype(np.int64)
    bad = np.isnat(stamps) | (np.abs(raw) > (2**63 - 1) // unit)  # no room beyond 1677..2262
    return Times(np.where(bad, 0, raw) * unit, bad, True, notes)


def _whole_numbers(column: pd.Series) -> Times:
    number = column.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(number) | (np.abs(number) > 2**62) | (number != np.round(number))
    if kinds.is_integer_dtype(column.dtype) and not column.isna().any():
        value = np.where(bad, 0, column.to_numpy()).astype(np.int64)
    else:
        value = np.where(bad, 0, number).astype(np.int64)
    return _calendar_numbers(value, bad)


def _calendar_numbers(value: Ints, bad: Bools) -> Times:
    """Integers are a count, unless all are calendar dates: 20240131, or 202401 over some years."""
    good = pd.Series(value[~bad])
    plain = Times(value, bad, False, [])
    if good.empty:
        return plain
    low, high = int(good.min()), int(good.max())
    if low >= 19000101 and high <= 21001231:
        form, example = "%Y%m%d", "YYYYMMDD"
    elif low >= 190001 and high <= 210012 and low // 100 < high // 100:
        form, example = "%Y%m", "YYYYMM"
    else:
        return plain
    distinct = good.drop_duplicates()
    dates = pd.to_datetime(distinct.astype(str), format=form, errors="coerce")
    if dates.isna().any():
        return plain
    lookup = pd.Series(dates.to_numpy(), index=distinct.to_numpy())
    stamps = np.zeros(len(value), dtype=np.int64)
    found = lookup.reindex(good.to_numpy()).to_numpy().astype("datetime64[ns]")
    stamps[~bad] = found.astype(np.int64)
    return Times(stamps, bad, True, [f"whole-number times were read as dates ({example})"])


def _parse_values(raw: list[Any]) -> Times:
    """Parse distinct values: text, dates, numbers, or a mixture of them."""
    empty = Times(np.zeros(len(raw), dtype=np.int64), np.ones(len(raw), dtype=bool), True, [])
    if not raw:
        return empty
    texts = pd.Series(["" if v is None else str(v).strip() for v in raw], dtype=object)
    blank = texts.str.lower().isin(MISSING_WORDS)
    whole = texts.str.fullmatch(r"[+-]?\d{1,18}")
    if whole.sum() * 2 > (~blank).sum():
        numbers = np.array(
            [int(text) if fits else 0 for text, fits in zip(texts, whole, strict=True)]
        )
        return _calendar_numbers(numbers, ~whole.to_numpy(dtype=bool))
    quarters = texts.str.fullmatch(QUARTER)
    if quarters.any() and (quarters | blank).all():
        texts = texts.str.replace(
            QUARTER, lambda m: f"{m[1]}-{3 * int(m[2]) - 2:02d}-01", regex=True
        )
    iso = pd.to_datetime(texts.where(texts.str.match(r"\d{4}")), **_iso())
    if iso.notna().sum() * 2 >= (~blank).sum() and iso.notna().any():
        return _iso_texts(texts, iso)
    return _local_texts(texts, empty)


def _iso() -> dict[str, Any]:
    return {"format": "ISO8601", "errors": "coerce", "utc": True}


def _iso_texts(texts: pd.Series, iso: pd.Series) -> Times:
    """Times in ISO 8601, with a zone in all of them or in none."""
    zone = texts.str.extract(CLOCK_ZONE)[0]
    zoned = zone.notna() & iso.notna()
    notes, trouble = [], ""
    if zoned.any():
        if (~zoned & iso.notna()).any():
            trouble = "some times have a time zone and some have none"
        wall = pd.to_datetime(texts.str.replace(r"\s*(Z|[+-]\d{2}(:?\d{2})?)$", "", regex=True),
                              **_iso())  # fmt: skip
        if (wall[zoned] == wall[zoned].dt.normalize()).all():
            iso = wall.where(zoned, iso)
            notes.append("times are whole days with a zone: the days were kept, the zone dropped")
        else:
            several = " (different offsets)" if zone[zoned].nunique() > 1 else ""
            notes.append(f"times were converted to UTC{several}")
    value, bad = _to_ints(iso.dt.tz_localize(None))
    return Times(value, bad, True, notes, trouble)


def _local_texts(texts: pd.Series, empty: Times) -> Times:
    """Times in another notation, provided that there is only one way to read them."""
    readings: dict[str, pd.Series] = {}
    for form in _forms(texts[texts.str.contains(r"\d")].head(200)):
        reading = pd.to_datetime(texts, format=form, errors="coerce")
        if reading.notna().any():
            readings[form] = reading
    if not readings:
        return empty
    best = max(int(reading.notna().sum()) for reading in readings.values())
    winners = {form: r for form, r in readings.items() if r.notna().sum() == best}
    form, chosen = next(iter(winners.items()))
    trouble = ""
    for other in winners.values():
        apart = (other != chosen) & other.notna() & chosen.notna()
        if apart.any() and not trouble:
            text = texts[apart].iloc[0]
            trouble = (
                f"{text!r} may be {chosen[apart].iloc[0]:%d %B} or {other[apart].iloc[0]:%d %B}"
            )
            trouble += "; write times as YYYY-MM-DD"
    value, bad = _to_ints(chosen)
    return Times(value, bad, True, [f"times were read as {form}"], trouble)


def _forms(texts: pd.Series) -> list[str]:
    """Return the notations that these texts may be in."""
    forms: dict[str, None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns where the day comes first; both are tried
        for text in texts:
            for day_first in (False, True):
                form = guess_datetime_format(text, dayfirst=day_first)
                if form and "%z" not in form and "%Z" not in form:
                    forms[form] = None
    return [*forms, *(form for form in MONTH_FORMS if form not in forms)]


def _to_ints(stamps: pd.Series) -> tuple[Ints, Bools]:
    bad = stamps.isna().to_numpy(dtype=bool)
    filled = stamps.where(~bad, pd.Timestamp(0)).to_numpy().astype("datetime64[ns]")
    return filled.astype(np.int64), bad
