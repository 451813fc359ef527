"""Encode strings of categorical columns; report values not seen in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from forerun.base.text import plural
from forerun.config.categories import MOST, SERIES, UNSEEN, dummies, names
from forerun.data.problems import Problems, show

Vocabulary = dict[str, list[Any]]


def encode(
    tables: list[pd.DataFrame | None],
    settings: Mapping[str, Any],
    problems: Problems,
) -> Vocabulary:
    """Replace strings of categorical columns by codes, in place; return the strings by column.

    Parameters
    ----------
    tables : data, static_file and futr_file; None if missing
    settings : with ``categories`` of a run, or without to take them from the tables
    """
    frozen = settings.get("categories") or {}
    found: Vocabulary = {}
    for column in settings.get("categorical") or ():
        holders = [table for table in tables if table is not None and column in table.columns]
        if any(isinstance(value, str) for value in frozen.get(column) or ()):
            found[column] = list(frozen[column])
            # Numbers are codes: the table is the frozen one of a run.
            holders = [table for table in holders if not is_numeric_dtype(table[column])]
        if column == settings.get("id_col") or not holders:
            continue
        texts = [_text(table[column]) for table in holders]
        given = frozen.get(column)
        is_text = any(isinstance(v, str) for v in given) if given else any(map(_is_text, texts))
        if not is_text:
            continue
        distinct = given or sorted({value for text in texts for value in text.dropna()})
        if len(distinct) > MOST:
            _add_too_many(column, len(distinct), problems)
            distinct = distinct[:MOST]
        codes = {value: float(code) for code, value in enumerate(distinct)}
        for table, text in zip(holders, texts, strict=True):
            unseen = sorted(set(text.dropna()) - set(codes))
            _note_unseen(column, unseen, problems)
            table[column] = text.map(codes).where(text.isna() | text.isin(codes), UNSEEN)
        found[column] = list(distinct)
    return found


def _text(column: pd.Series) -> pd.Series:
    """Return values as text without surrounding blanks; numbers and truth values as written."""
    text = column.astype(object).where(column.notna(), None)
    text = text.map(lambda value: None if value is None else str(value).strip())
    return text.where(text != "", None)


def _is_text(text: pd.Series) -> bool:
    values = text.dropna()
    return bool(pd.to_numeric(values.str.replace(",", "."), errors="coerce").isna().any())


def _note_unseen(column: str, unseen: list[Any], problems: Problems) -> None:
    if unseen:
        shown = ", ".join(show(value) for value in unseen[:5])
        problems.note(
            f"column {show(column)}: {plural(len(unseen), 'value')} not seen in training "
            f"({shown}), treated as an unknown category"
        )


def numbers(
    frame: pd.DataFrame, settings: Mapping[str, Any], found: Vocabulary, problems: Problems
) -> Vocabulary:
    """Return the values of all categorical columns in the rows with y.

    Codes of strings that only other rows have become :data:`UNSEEN`, in place.

    Parameters
    ----------
    frame : the prepared table
    found : the values of string columns
    """
    frozen = settings.get("categories") or {}
    complete = dict(found)
    for column in settings.get("categorical") or ():
        if column not in frame.columns or column == settings.get("id_col"):
            continue
        used = frame.loc[frame[column].notna(), [column, "y"]]
        given, seen = frozen.get(column), _whole(used.loc[used["y"].notna(), column])
        unseen = [value for value in _whole(used[column]) if value not in {*(given or seen)}]
        shown = [f"{value:g}" for value in unseen]
        if column not in found:
            if len(seen) > MOST and not given:
                _add_too_many(column, len(seen), problems)
            complete[column] = given or seen
        elif given:
            continue  # encode() has reported the unseen ones
        elif unseen:
            codes = {float(code): float(place) for place, code in enumerate(seen)}
            shown = [found[column][int(code)] for code in unseen]
            complete[column] = [found[column][int(code)] for code in seen]
            recoded = frame[column].map(codes)
            frame[column] = recoded.where(frame[column].isna() | recoded.notna(), UNSEEN)
        _note_unseen(column, shown, problems)
    problems.check()
    return complete


def _whole(column: pd.Series) -> list[Any]:
    """Return the sorted values, integers as such."""
    return [
        int(value) if value == int(value) else float(value) for value in sorted(column.unique())
    ]


def _add_too_many(column: str, count: int, problems: Problems) -> None:
    problems.add(
        f"column {show(column)} of categorical has {count} values, at most {MOST} are allowed"
    )


def with_dummies(
    frame: pd.DataFrame, settings: Mapping[str, Any], wanted: set[str]
) -> pd.DataFrame:
    """Add the 0/1 columns in `wanted` for the table's categorical columns."""
    added = {}
    for column in names(settings):
        if column in frame.columns and column != SERIES:
            values = frame[column].to_numpy(dtype=float)
            for name, value in dummies(settings, column).items():
                if name in wanted:
                    added[name] = np.where(np.isnan(values), np.nan, values == value)
    return frame.assign(**added) if added else frame


def decoded(column: pd.Series, settings: Mapping[str, Any]) -> pd.Series:
    """Return a frozen column with its original strings in place of codes."""
    frozen = (settings.get("categories") or {}).get(str(column.name)) or []
    if not any(isinstance(value, str) for value in frozen):
        return column
    return column.map(dict(enumerate(frozen)))
