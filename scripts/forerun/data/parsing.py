"""Parsing of users' columns to arrays: names of series, numbers; the type of parsed times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as kinds

from forerun.data.numbers import MISSING_WORDS, Floats, Writing, many_numbers, without_blanks

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.object_]
MANY = 10_000
"""Number of distinct strings above which they are converted at once."""


@dataclass
class Times:
    """A parsed time column.

    Attributes
    ----------
    value : array of int64
        Nanoseconds since 1970 if `dated`, otherwise integers; 0 where `bad`.
    bad : array of bool
        Rows without a valid time.
    dated : bool
        Whether the times are time stamps rather than integers.
    notes : list of str
        How the column was interpreted.
    trouble : str
        What is wrong with the column as a whole, or an empty string.
    utc : bool
        Whether the times are in UTC by definition (Unix time).
    months, days : int
        Length of the periods that the strings denote, such as 3 months for 2001Q1; times are the
        starts of the periods. Both are 0 for points in time and days.
    """

    value: Ints
    bad: Bools
    dated: bool
    notes: list[str] = field(default_factory=list)
    trouble: str = ""
    utc: bool = False
    months: int = 0
    days: int = 0


def parse_ids(column: pd.Series) -> tuple[Ints, Labels]:
    """Return for each row the position of its name among the sorted names, or -1.

    Numbers become strings without ``.0``.
    """
    codes, raw = factorize(column)
    names = [_name(value) for value in raw]
    distinct = sorted({name for name in names if name})
    place = {name: number for number, name in enumerate(distinct)}
    table = np.array([place.get(name, -1) for name in names] + [-1], dtype=np.int64)
    labels = np.empty(len(distinct), dtype=object)
    labels[:] = distinct
    return table[codes], labels


def parse_numbers(column: pd.Series, writing: Writing | None = None) -> tuple[Floats, Bools]:
    """Return a column as float64 (NaN for missing values) and a mask of invalid values.

    The arrays are copies that the caller may change.
    """
    dtype = column.dtype
    if kinds.is_complex_dtype(dtype) or kinds.is_datetime64_any_dtype(dtype):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=bool)
    if kinds.is_numeric_dtype(dtype):
        # A copy: arrays from Arrow are read-only, and a user's table must not change.
        values = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        return values, np.zeros(len(column), dtype=bool)
    codes, raw = factorize(column)
    if len(raw) > MANY and all(isinstance(value, str) for value in raw):
        numbers = many_numbers(raw, writing)
        if numbers is not None:
            return np.append(numbers, np.nan)[codes], np.zeros(len(column), dtype=bool)
    parsed = [_number(value, writing) for value in raw]
    values = np.array([value for value, _ in parsed] + [np.nan])
    bad = np.array([wrong for _, wrong in parsed] + [False])
    return values[codes], bad[codes]


def factorize(column: pd.Series) -> tuple[Ints, list[Any]]:
    """Return codes (-1 for missing values) and the distinct values of any type."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = np.asarray(column.cat.codes).astype(np.int64), column.cat.categories
        used = np.zeros(len(values) + 1, dtype=bool)
        used[codes] = True  # the last entry: missing values
        if not used[:-1].all():  # dictionaries of files may have more values than their rows
            codes = np.where(codes < 0, -1, np.cumsum(used)[codes] - 1)
            values = values[used[:-1]]
        return codes, list(values)
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


def _number(value: Any, writing: Writing | None) -> tuple[float, bool]:
    """Return (number, False), (NaN, False) for a missing value, or (NaN, True) if invalid."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING_WORDS:
            return np.nan, False
        if "_" in text:  # 1_000 is a number in Python only
            return np.nan, True
        value = text = without_blanks(text)
        if writing is not None and ("," in text or "." in text):
            value = writing.plain(text)
    try:
        return float(value), False
    except (TypeError, ValueError, OverflowError):
        return np.nan, True
