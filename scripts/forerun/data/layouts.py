"""Hints for tables in another layout than one row per series and time."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from forerun.data.formats import SAVE

_TIME = re.compile(
    r"(19|20)\d{2}([-/. ]?(Q[1-4]|M?\d{1,2}|W\d{2})([-/. ]?\d{1,2})?)?"
    r"|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|[A-Za-z]{3,9}[- ]\d{2,4}",
    re.IGNORECASE,
)
_TIME_NAME = re.compile(r"date|time|datum|^(ds|day|week|month|year|period)$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d*[.,]?\d+")
_PARTS = ("year", "month", "day", "hour", "minute", "second")


def hint(frame: pd.DataFrame, names: Sequence[str], missing: set[str], time_col: str) -> str:
    """Return how to convert a table that lacks columns, or an empty string.

    Parameters
    ----------
    names : sequence of str
        All columns of the table, including those that were not read.
    missing : set of str
        The missing ones of ``id_col``, ``time_col`` and ``target_col``.
    """
    table = _table(frame)
    if len(names) == 1 and len(names[0].split()) > 1:
        return (
            "columns must be separated by commas, semicolons, tabs or bars: "
            f"pd.read_csv({str(frame.attrs.get('path', 'table'))!r}, sep=r'\\s+'){SAVE}"
        )
    times = [name for name in names if _TIME.fullmatch(name)]
    if "time_col" in missing and len(times) > 2:
        others = [name for name in names if name not in times]
        return (
            "the table is wide, with a column for each time; make it long: "
            f"{table}.melt({others}, var_name={time_col!r}, value_name='y'){SAVE}"
        )
    data_like = [name for name in names if _TIME.fullmatch(name) or _NUMBER.fullmatch(name)]
    if len(missing) == 3 and len(names) <= 8 and data_like and 2 * len(data_like) >= len(names) - 1:
        columns = str([f"name_{number}" for number in range(1, len(names) + 1)])
        return (
            "the first line looks like data, not like column names; add them: "
            f"{_table(frame, f'header=None, names={columns}')}{SAVE}"
        )
    parts = {name.lower(): name for name in names}
    if "time_col" in missing and {"year", "month"} <= parts.keys():
        return f"combine the parts of the date: {_date(table, parts)}{SAVE}"
    if {"id_col", "target_col"} <= missing and len(names) > 2:
        key = time_col if time_col in names else _time_like(names)
        table += "" if key == time_col else f".rename(columns={{{key!r}: {time_col!r}}})"
        keys = ", ".join(key for key in ("id_col", "time_col", "target_col") if key in missing)
        return (
            f"if these columns have other names, give them as {keys}; "
            "if each series has a column, make the table long: "
            f"{table}.melt({time_col!r}, var_name='unique_id', value_name='y'){SAVE}"
        )
    one = "for a table with a single series set id_col: null"
    return one if missing == {"id_col"} else ""


def _time_like(names: Sequence[str]) -> str:
    """Return the first column whose name suggests a time, otherwise the first column."""
    return next((name for name in names if _TIME_NAME.search(name)), names[0])


def _table(frame: pd.DataFrame, more: str = "") -> str:
    path, separator = frame.attrs.get("path"), frame.attrs.get("separator")
    if path is None or separator is None:
        reader = frame.attrs.get("reader", "read_parquet")
        return "table" if path is None else f"pd.{reader}({str(path)!r})"
    options = [repr(str(path)), *([] if separator == "," else [f"sep={separator!r}"])]
    return f"pd.read_csv({', '.join([*options, *([more] if more else [])])})"


def _date(table: str, parts: dict[str, str]) -> str:
    present = [parts[name] for name in _PARTS if name in parts]
    rename = {parts[name]: name for name in _PARTS if name in parts and parts[name] != name}
    source = f"t[{present}]" + (f".rename(columns={rename})" if rename else "")
    source += "" if "day" in parts else ".assign(day=1)"
    return f"{table}.assign(ds=lambda t: pd.to_datetime({source}))"
