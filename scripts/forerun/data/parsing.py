"""Columns as users write them -> arrays: names of series and numbers, and how times come out."""

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
"""Different texts from which on they are read all at once."""


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
    utc : bool
        Whether they are in UTC by definition (Unix time).
    months, days : int
        Length of the periods that the texts name, e.g. 3 months for 2001Q1: their times are the
        first moments of these. Both 0 where texts name moments or days.
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
    """Return for each row the place of its name among the sorted names; -1 where it is missing.

    Numbers become text without ``.0``.
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
    """Return a column as float64 (NaN where missing) and the rows that hold something else.

    The arrays are the caller's: changing them changes no table.
    """
    dtype = column.dtype
    if kinds.is_complex_dtype(dtype) or kinds.is_datetime64_any_dtype(dtype):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=bool)
    if kinds.is_numeric_dtype(dtype):
        # A copy: what Arrow has read cannot be written to, and a user's table must not be.
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


def _number(value: Any, writing: Writing | None) -> tuple[float, bool]:
    """Return one value as (number, False), a missing one as (NaN, False), else (NaN, True)."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING_WORDS:
            return np.nan, False
        if "_" in text:  # Python reads 1_000 as a number, no other process does
            return np.nan, True
        value = text = without_blanks(text)
        if writing is not None and ("," in text or "." in text):
            value = writing.plain(text)
    try:
        return float(value), False
    except (TypeError, ValueError, OverflowError):
        return np.nan, True
