"""Checks of a user's table on the way to a sorted panel: columns, names, times, numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forerun.base.errors import suggest
from forerun.data import deviations, layouts
from forerun.data.notations import FORMS, MIXED
from forerun.data.numbers import Writing
from forerun.data.panel import Panel, in_order
from forerun.data.parsing import Bools, Times, parse_ids, parse_numbers
from forerun.data.problems import Problems, count, show
from forerun.data.times import readable

RESERVED = ("unique_id", "ds", "y", "cutoff", "available_mask", "sample_weight", "index")


@dataclass(frozen=True)
class Roles:
    """Roles of the columns of a user's table.

    Attributes
    ----------
    single : bool
        Whether the table is a single series (``id_col: null``); `tidy` then adds the column `id`.
    """

    id: str
    time: str
    target: str
    hist: tuple[str, ...]
    futr: tuple[str, ...]
    stat: tuple[str, ...]
    single: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Roles:
        """Return the roles from the resolved configuration."""
        hist, futr, stat = (
            tuple(str(name) for name in settings.get(key) or ())
            for key in ("hist_exog", "futr_exog", "stat_exog")
        )
        time_col, target_col = (
            str(settings.get(key) or default)
            for key, default in (("time_col", "ds"), ("target_col", "y"))
        )
        single = settings.get("id_col", "") is None
        id_col = str(settings.get("id_col") or "unique_id")
        return cls(id_col, time_col, target_col, hist, futr, stat, single)

    @property
    def columns(self) -> list[str]:
        """All columns that a run reads."""
        own = [] if self.single else [self.id]
        return [*own, self.time, self.target, *self.hist, *self.futr, *self.stat]


def tidy(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Return the table with strings as column names and a default index."""
    if roles.id in frame.index.names and roles.id not in frame.columns:
        frame = frame.reset_index()
    frame = frame.copy(deep=False)
    frame.columns = pd.Index([str(name) for name in frame.columns])
    frame.index = pd.RangeIndex(len(frame))
    if roles.single:
        frame[roles.id] = roles.target
    return frame


def check_columns(
    frame: pd.DataFrame,
    roles: Roles,
    static: pd.DataFrame | None,
    futr: pd.DataFrame | None,
    problems: Problems,
) -> None:
    """Report columns that are missing, duplicated or have two roles."""
    asked = {roles.id: "id_col", roles.time: "time_col", roles.target: "target_col"}
    if len(asked) < 3:
        problems.add("id_col, time_col and target_col must name three different columns")
    for key, names in (
        ("hist_exog", roles.hist),
        ("futr_exog", roles.futr),
        ("stat_exog", roles.stat),
    ):
        for name in names:
            if name in asked:
                problems.add(f"column {show(name)} is in both {asked[name]} and {key}")
            elif name in RESERVED:
                problems.add(f"{key} cannot have the name {show(name)}; rename that column")
            asked[name] = key
    elsewhere = set()
    if static is not None:
        elsewhere = {n for n in roles.stat if n in static.columns or n not in frame.columns}
    _check_table(frame, {n: k for n, k in asked.items() if n not in elsewhere}, "", problems)
    if static is not None:
        keys = {roles.id: "id_col"} | {n: "stat_exog" for n in roles.stat if n in elsewhere}
        _check_table(static, keys, " in static_file", problems)
    if futr is not None:
        keys = {roles.id: "id_col", roles.time: "time_col"}
        _check_table(futr, keys | dict.fromkeys(roles.futr, "futr_exog"), " in futr_file", problems)


def _check_table(
    frame: pd.DataFrame, asked: Mapping[str, str], where: str, problems: Problems
) -> None:
    # `attrs` has the names of all columns of the file, including those that were not read.
    names = frame.attrs.get("columns") or list(frame.columns)
    twice = set(frame.columns[frame.columns.duplicated()])
    missing = {key for name, key in asked.items() if name not in frame.columns}
    for name, key in asked.items():
        if name not in frame.columns:
            hint = suggest(name, names) or f" (there are {', '.join(map(show, names[:8]))})"
            problems.add(f"column {show(name)} ({key}) is missing{where}{hint}")
        elif name in twice:
            problems.add(f"column {show(name)} ({key}) is duplicated{where}")
    time_col = next((name for name, key in asked.items() if key == "time_col"), "")
    if not where and (hint := layouts.hint(frame, names, missing, time_col)):
        problems.add(hint)


def to_panel(
    frame: pd.DataFrame,
    roles: Roles,
    times: Times,
    columns: Mapping[str, str],
    writings: Mapping[str, Writing],
    problems: Problems,
    where: str = "",
) -> Panel:
    """Convert a table to a panel; unusable rows are reported and dropped.

    Parameters
    ----------
    times : Times
        The parsed time column.
    columns : mapping
        Name in the panel -> column of the table, for all numeric columns.
    writings : mapping
        Column of the table -> number format, for columns of strings.
    where : str
        Added to column names in messages.
    """
    code, labels = parse_ids(frame[roles.id])
    nameless = code < 0
    if nameless.any():
        problems.add(
            f"column {show(roles.id)}{where}: {count(int(nameless.sum()), 'row')} without a name, "
            f"first in data row {int(np.argmax(nameless)) + 1}"
        )
    _check_times(frame[roles.time], times, problems, where)
    damaged = np.zeros(len(labels), dtype=bool)
    damaged[code[times.bad & ~nameless]] = True
    values = {}
    for name, column in columns.items():
        values[name], wrong = parse_numbers(frame[column], writings.get(column))
        check_numbers(frame[column], wrong, problems, where)
        damaged[code[wrong & ~nameless]] = True
    panel = Panel(labels, code, times.value, times.dated, values, damaged)
    return in_order(panel.take(~(nameless | times.bad)))


def _check_times(column: pd.Series, times: Times, problems: Problems, where: str) -> None:
    """Report times that cannot be parsed."""
    name = f"column {show(column.name)}{where}"
    if times.trouble:
        problems.add(f"{name}: {times.trouble}")
    if times.bad.any():
        row = int(np.argmax(times.bad))
        number = count(int(times.bad.sum()), "value")
        mixed = not times.bad.all() and readable(column.iloc[row])
        how = MIXED if mixed else FORMS
        problems.add(
            f"{name}: {number} of {len(column)} cannot be read as a time, "
            f"e.g. {show(column.iloc[row])} in data row {row + 1} ({how})"
        )


def check_numbers(column: pd.Series, wrong: Bools, problems: Problems, where: str) -> None:
    """Report values that are not numbers."""
    if wrong.any():
        row = int(np.argmax(wrong))
        value = str(column.iloc[row])
        comma = re.fullmatch(r"\s*[+-]?[\d.]*,\d+\s*", value)
        hint = " (write numbers with a decimal point)" if comma else ""
        number = count(int(wrong.sum()), "value is not a number", "values are not numbers")
        problems.add(
            f"column {show(column.name)}{where}: {number}, e.g. {show(value)} "
            f"in data row {row + 1}{hint}"
        )


def check_infinite(panel: Panel, names: Mapping[str, str], problems: Problems) -> None:
    """Report infinite values and set them to NaN."""
    for name, values in panel.columns.items():
        infinite = np.isinf(values)
        if infinite.any():
            number = count(int(infinite.sum()), "value is", "values are")
            problems.add(f"column {show(names[name])}: {number} infinite ({panel.place(infinite)})")
            values[infinite] = np.nan
            panel.damaged[panel.code[infinite]] = True


def without_duplicates(panel: Panel, problems: Problems, single: bool = False) -> Panel:
    """Report duplicate times of a series and keep the first row.

    `single` means that the table has no column with the names of series.
    """
    again = np.zeros(len(panel), dtype=bool)
    again[1:] = (panel.code[1:] == panel.code[:-1]) & (panel.time[1:] == panel.time[:-1])
    if not again.any():
        return panel
    number = count(int(again.sum()), "row repeats", "rows repeat")
    why = deviations.clock_change(panel.time[again], panel.dated, "show twice")
    if single:
        why = "; id_col is null: name the column of the series if there are several"
    problems.add(f"{number} a time of the same series ({panel.place(again)}){why}")
    return panel.take(~again)
