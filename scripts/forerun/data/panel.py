"""Panels: many series in flat arrays, for checking and filling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.data.parsing import Bools, Floats, Ints, Labels
from forerun.data.problems import name_series, show_time


def series_starts(ids: npt.NDArray[Any]) -> Ints:
    """Return the position of the first row of each series, of the names or codes of sorted rows."""
    return np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.array([], int)


def starts_of(ids: pd.Series) -> Ints:
    """Return the position of the first row of each series, for names or categories of them."""
    codes = ids.cat.codes if isinstance(ids.dtype, pd.CategoricalDtype) else ids
    return series_starts(codes.to_numpy())


def names_of(ids: pd.Series) -> npt.NDArray[Any]:
    """Return the name of each series in order, for names or categories of them."""
    return np.asarray(ids.iloc[starts_of(ids)])


def without_last(history: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Return `history` without the last `steps` rows of each series."""
    if steps == 0 or not len(history):
        return history
    starts = starts_of(history["unique_id"])
    ends = np.append(starts[1:], len(history))
    last = ends[:, None] - np.arange(1, steps + 1)
    kept = np.ones(len(history), dtype=bool)
    kept[last[last >= starts[:, None]]] = False
    rest = history[kept]
    rest.index = pd.RangeIndex(len(rest))  # reset_index would copy the table once more
    return rest


@dataclass
class Panel:
    """Rows of many series.

    Attributes
    ----------
    labels : array of str
        Names of the series, sorted; a series may have no rows left.
    code : array of int64
        Position of each row's series in `labels`.
    time : array of int64
        Nanoseconds since 1970 (UTC) if `dated`, otherwise integers.
    dated : bool
        Whether times are time stamps.
    columns : dict of str to array of float64
        ``y`` and the exogenous variables; NaN for missing values.
    damaged : array of bool
        Series with dropped unusable rows; their missing values are not reported again.
    """

    labels: Labels
    code: Ints
    time: Ints
    dated: bool
    columns: dict[str, Floats]
    damaged: Bools

    def __len__(self) -> int:
        return len(self.code)

    @property
    def y(self) -> Floats:
        """The target."""
        return self.columns["y"]

    def take(self, rows: npt.NDArray[np.generic]) -> Panel:
        """Return the panel with the rows selected by a mask or by positions; itself if all are."""
        if rows.dtype == bool and rows.all():
            return self
        columns = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, code=self.code[rows], time=self.time[rows], columns=columns)

    def extend(self, other: Panel) -> Panel:
        """Return this panel with the rows of another panel of the same series appended."""
        empty = np.full(len(other), np.nan)
        columns = {
            name: np.concatenate([values, other.columns.get(name, empty)])
            for name, values in self.columns.items()
        }
        code = np.concatenate([self.code, other.code])
        return replace(
            self, code=code, time=np.concatenate([self.time, other.time]), columns=columns
        )

    def firsts(self) -> Bools:
        """Return a mask of the first rows of all series."""
        return np.append(True, self.code[1:] != self.code[:-1])[: len(self)]

    def starts(self) -> Ints:
        """Return for each row the position of the first row of its series."""
        first = self.firsts()
        return np.flatnonzero(first)[np.cumsum(first) - 1]

    def last_rows(self, chosen: Bools) -> Ints:
        """Return the position of the last chosen row of each series, or -1."""
        last = np.full(len(self.labels), -1, dtype=np.int64)
        rows = np.flatnonzero(chosen)
        last[self.code[rows]] = rows  # of several rows the last one stays
        return last

    def first_rows(self, chosen: Bools) -> Ints:
        """Return the position of the first chosen row of each series, or -1."""
        first = np.full(len(self.labels), -1, dtype=np.int64)
        rows = np.flatnonzero(chosen)[::-1]
        first[self.code[rows]] = rows
        return first

    def name(self, codes: npt.NDArray[np.integer]) -> str:
        """Return ``series 'a'`` or ``3 series, e.g. 'a'`` for codes, which may be repeated."""
        return name_series(list(self.labels[pd.unique(codes)]))

    def place(self, rows: Bools) -> str:
        """Return the series of some rows and the time of the first row: ``series 'a' at 2024``."""
        return f"{self.name(self.code[rows])} at {self.time_text(int(np.argmax(rows)))}"

    def time_text(self, row: int) -> str:
        """Return the time of a row for messages."""
        return show_time(int(self.time[row]), self.dated)


def in_order(panel: Panel) -> Panel:
    """Return the panel sorted by series and time (stable)."""
    code, time = panel.code, panel.time
    later = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (time[1:] >= time[:-1]))
    return panel if later.all() else panel.take(np.lexsort((time, code)))
