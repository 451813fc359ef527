"""Preparation of users' tables: from any supported layout to the frozen long format of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from forerun.config.windows import reach
from forerun.data import (
    categories,
    checking,
    filling,
    frequencies,
    static_features,
    zones,
)
from forerun.data.checking import Roles
from forerun.data.grid import Grid
from forerun.data.lengths import measure
from forerun.data.numbers import writings
from forerun.data.panel import Panel, in_order
from forerun.data.parsing import Ints, parse_numbers
from forerun.data.problems import Problems, show
from forerun.data.reading import read_table
from forerun.data.times import Asked, parse_both, parse_times

StaticOf = Callable[[Iterable[str]], "pd.DataFrame | None"]


@dataclass
class Prepared:
    """A checked data set, ready to be frozen.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``unique_id`` (str), ``ds`` (datetime64[ns] or int64), ``y`` (float64), then ``hist_exog``,
        ``futr_exog`` and ``stat_exog`` (float64), sorted by series and time, without gaps. Rows
        without ``y`` follow the last value of a series and have known future values.
    freq : str or int
        pandas' name of the frequency, or the step of integer times.
    season_length, input_size, max_steps : int
        As configured, otherwise derived from frequency, lengths and number of series.
    notes : list of str
        What was inferred, converted, filled or dropped, for users.
    padded : bool
        Whether a series is shorter than required for training (``on_short: pad``), so that
        engines must pad it.
    future : bool
        Whether future values of ``futr_exog`` are given for some series.
    categories : dict or None
        The values of each categorical column; text has been replaced by the place in its list.
    columns : list of str
        All columns of the file, used or not; empty if it was not read from a file.
    """

    frame: pd.DataFrame
    freq: str | int
    season_length: int
    input_size: int
    max_steps: int
    notes: list[str] = field(default_factory=list)
    padded: bool = False
    future: bool = False
    categories: dict[str, list[Any]] | None = None
    columns: list[str] = field(default_factory=list)


def load(settings: Mapping[str, Any]) -> Prepared:
    """Read the configured files (``data_file``, ``static_file``, ``futr_file``) and prepare them.

    Only the columns that the run needs are read.
    """
    static, futr = settings.get("static_file"), settings.get("futr_file")
    return _load(settings, settings["data_file"], static, futr)


def load_new(
    settings: Mapping[str, Any],
    data_file: str | Path,
    static_file: str | Path | None = None,
    futr_file: str | Path | None = None,
    frozen_static: StaticOf | None = None,
) -> Prepared:
    """Read and prepare new tables for the models of a run, as `load` does.

    Parameters
    ----------
    frozen_static : function of the table's columns that returns the run's static features among
        the missing ones; used without `static_file`
    """
    return _load(settings, data_file, static_file, futr_file, False, frozen_static)


def _load(
    settings: Mapping[str, Any],
    data_file: str | Path,
    static_file: str | Path | None,
    futr_file: str | Path | None,
    training: bool = True,
    frozen_static: StaticOf | None = None,
) -> Prepared:
    roles = Roles.of(settings)

    def read(path: str | Path) -> pd.DataFrame:
        return read_table(path, None if roles.single else roles.id, roles.time, roles.columns)

    static, futr = (read(path) if path else None for path in (static_file, futr_file))
    tables = [read(data_file)]
    names = [str(name) for name in tables[0].attrs.get("columns", ())]
    if static is None and frozen_static is not None:
        static = frozen_static(tables[0].columns)
    # Without a reference here, the table is freed when it has been parsed.
    return replace(prepare(tables.pop(), settings, static, futr, training), columns=names)


def prepare(
    df: pd.DataFrame,
    settings: Mapping[str, Any],
    static: pd.DataFrame | None = None,
    futr: pd.DataFrame | None = None,
    training: bool = True,
) -> Prepared:
    """Check a user's table and convert it to the long format of a run.

    Parameters
    ----------
    df : pandas.DataFrame
        One row per series and time, columns named as configured; not modified.
    settings : mapping
        The resolved configuration.
    static : pandas.DataFrame, optional
        One row per series with the columns of ``stat_exog``; by default they are taken from `df`.
    futr : pandas.DataFrame, optional
        Future values of ``futr_exog``: columns ``id_col``, ``time_col`` and ``futr_exog``.
    training : bool
        Whether models will be trained and cross-validated on the series; for prediction alone,
        `input_size` values are enough.

    Raises
    ------
    UserError
        One line with all problems.
    """
    problems = Problems()
    problems.note(*_notes(df))
    problems.note(*(f"static_file: {note}" for note in _notes(static)))
    problems.note(*(f"futr_file: {note}" for note in _notes(futr)))
    roles = Roles.of(settings)
    if roles.single:
        problems.note(f"the table was read as one series, named {show(roles.target)}")
    df = checking.tidy(df, roles)
    static = None if static is None else checking.tidy(static, roles)
    futr = None if futr is None or not roles.futr else checking.tidy(futr, roles)
    checking.check_columns(df, roles, static, futr, problems)
    problems.check()
    if not len(df):
        problems.add("there are no rows")
        problems.check()
    texts = categories.encode([df, static, futr], settings, problems)
    panel = _parse(df, settings, roles, static, futr, problems)
    del df
    pa.default_memory_pool().release_unused()  # the columns of the file
    grid = frequencies.choose_grid(panel, settings.get("freq"), problems)
    if grid is None:
        problems.check()
    assert grid is not None
    inferred = settings.get("freq") is None
    panel, position = frequencies.on_grid(panel, grid, inferred, problems)
    if not len(panel):
        problems.check()
    features, panel = static_features.take(panel, roles, static, settings.get("decimal"), problems)
    panel = _complete(panel, position, grid, roles, settings, problems)
    prepared = measure(panel, grid, settings, training, problems)
    chosen = prepared.pop("panel")
    static_features.check(features, chosen, problems)
    problems.check()
    frame = _frame(chosen, roles, features)
    future = bool(roles.futr) and bool(frame["y"].isna().any())
    found = categories.numbers(frame, settings, texts, problems) or None
    return Prepared(
        frame, grid.freq, notes=problems.notes, future=future, categories=found, **prepared
    )


def _notes(table: pd.DataFrame | None) -> list[str]:
    return [] if table is None else [str(note) for note in table.attrs.get("notes", [])]


def _parse(
    df: pd.DataFrame,
    settings: Mapping[str, Any],
    roles: Roles,
    static: pd.DataFrame | None,
    futr: pd.DataFrame | None,
    problems: Problems,
) -> Panel:
    """Return a sorted panel without unusable or duplicate rows; raise an error if it is empty."""
    own = [name for name in roles.stat if static is None or name not in static.columns]
    columns = {"y": roles.target} | {n: n for n in (*roles.hist, *roles.futr, *own)}
    decimal = settings.get("decimal")
    written = writings(df, columns.values(), decimal, problems)
    asked = Asked(settings.get("freq"), settings.get("tz"))
    if trouble := zones.check(asked.tz):
        problems.add(trouble)
        problems.check()
    observed = ~np.isnan(parse_numbers(df[roles.target], written.get(roles.target))[0])
    if futr is None:
        times = parse_times(df[roles.time], asked, observed)
    else:
        times, later = parse_both(df[roles.time], futr[roles.time], asked, observed)
    problems.note(*times.notes)
    panel = checking.to_panel(df, roles, times, columns, written, problems)
    if times.trouble:
        problems.check()  # further checks would depend on guessed times
    checking.check_infinite(panel, columns, problems)
    panel = checking.without_duplicates(panel, problems, roles.single)
    if futr is not None and len(panel):
        where, exogenous = " in futr_file", {name: name for name in roles.futr}
        new = [note for note in later.notes if note not in times.notes]
        problems.note(*(f"futr_file: {note}" for note in new))
        written = writings(futr, roles.futr, decimal, problems, where)
        more = checking.to_panel(futr, roles, later, exogenous, written, problems, where)
        checking.check_infinite(more, exogenous, problems)
        more = checking.without_duplicates(more, problems, roles.single)
        panel = _append(panel, more, problems)
    if not len(panel):
        problems.add("no usable row is left")
        problems.check()
    return panel


def _append(panel: Panel, more: Panel, problems: Problems) -> Panel:
    """Append rows of futr_file to the series; they replace rows of the data without a target."""
    if len(more) and more.dated != panel.dated:
        problems.add("futr_file and the data have different types of times (time stamps, numbers)")
        return panel
    place = {name: code for code, name in enumerate(panel.labels)}
    codes = np.array([place.get(name, -1) for name in more.labels], dtype=np.int64)
    if (codes < 0).any():
        strange = more.name(np.flatnonzero(codes < 0))
        problems.note(f"futr_file: {strange} not in the data, ignored")
    more.code = codes[more.code]
    more = more.take(more.code >= 0)
    last = panel.last_rows(~np.isnan(panel.y))[more.code]
    more = more.take((last < 0) | (more.time > panel.time[last]))
    both = panel.extend(more)
    fresh = np.arange(len(both)) >= len(panel)
    order = np.lexsort((fresh, both.time, both.code))
    both, fresh = both.take(order), fresh[order]
    replaced = np.zeros(len(both), dtype=bool)
    same = (both.code[1:] == both.code[:-1]) & (both.time[1:] == both.time[:-1])
    replaced[:-1] = same & fresh[1:]
    return in_order(both.take(~replaced))


def _complete(
    panel: Panel,
    position: Ints,
    grid: Grid,
    roles: Roles,
    settings: Mapping[str, Any],
    problems: Problems,
) -> Panel:
    """Return the panel without missing values, as far as the configuration allows."""
    has_futr = bool(roles.futr)
    blank = panel.first_rows(~np.isnan(panel.y)) < 0
    blank &= (np.bincount(panel.code, minlength=len(blank)) > 0) & ~panel.damaged
    if blank.any():
        problem = f"no target value at all in {panel.name(np.flatnonzero(blank))}"
        if settings.get("on_short") == "drop" and not blank.all():
            problems.note(f"dropped: {problem}")
        else:
            problems.add(problem)
    panel.damaged[blank] = True
    if settings.get("on_gaps") == "fill":
        panel, position = filling.fill(panel, grid, has_futr, problems)
    else:
        filling.check_missing(panel, position, grid, has_futr, problems)
    filling.check_exogenous(panel, (*roles.hist, *roles.futr), problems)
    horizon = reach(dict(settings))
    panel = filling.known_future(panel, position, grid, roles.futr, horizon, problems)
    for name in roles.hist:
        panel.columns[name][np.isnan(panel.y)] = np.nan
    return panel


def _frame(panel: Panel, roles: Roles, features: static_features.Features) -> pd.DataFrame:
    time = panel.time.view("datetime64[ns]") if panel.dated else panel.time
    columns: dict[str, Any] = {"unique_id": panel.labels[panel.code], "ds": time, "y": panel.y}
    columns |= {name: panel.columns[name] for name in (*roles.hist, *roles.futr)}
    columns |= {name: features[name][panel.code] for name in roles.stat}
    return pd.DataFrame(columns, copy=False)
