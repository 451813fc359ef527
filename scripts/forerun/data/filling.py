"""Missing values: gaps, missing targets and exogenous values, known future values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from utilsforecast.preprocessing import fill_gaps

from forerun.data.deviations import clock_change
from forerun.data.grid import Grid, add_steps
from forerun.data.panel import Panel
from forerun.data.parsing import Bools, Floats, Ints
from forerun.data.problems import Problems, count, show, show_time

ROW_LIMIT = 10_000
"""Number of rows that may always be added; more only up to ten times the existing rows."""


def past_rows(panel: Panel) -> Bools:
    """Return which rows are not after the last target value of their series."""
    last = panel.last_rows(~np.isnan(panel.y))
    return np.arange(len(panel)) <= last[panel.code]


def check_missing(
    panel: Panel, position: Ints, grid: Grid, has_futr: bool, problems: Problems
) -> None:
    """Report gaps and missing targets (``on_gaps: error``)."""
    reported = panel.damaged[panel.code]
    past = past_rows(panel) if has_futr else np.ones(len(panel), dtype=bool)
    missing = np.isnan(panel.y) & past & ~reported
    if missing.any():
        number = count(int(missing.sum()), "target value is", "target values are")
        problems.add(
            f"{number} missing ({panel.place(missing)}); on_gaps: fill carries values forward"
        )
    jumps = np.zeros(len(panel), dtype=np.int64)
    np.subtract(position[1:], position[:-1], out=jumps[1:])  # a large array: in place
    jumps[1:] -= 1
    gap = (jumps > 0) & ~panel.firsts() & past & ~reported
    if gap.any():
        row = int(np.argmax(gap))
        lost = show_time(int(add_steps(int(panel.time[row - 1]), 1, grid.freq)), panel.dated)
        before = panel.time[np.flatnonzero(gap) - 1]
        after = np.array([add_steps(int(time), 1, grid.freq) for time in before[:100]])
        why = clock_change(after, panel.dated, "skip")
        number = count(int(jumps[gap].sum()), "time step is", "time steps are")
        problems.add(
            f"{number} missing in {count(int(gap.sum()), 'gap')} "
            f"({panel.name(panel.code[gap])} at {lost}); on_gaps: fill carries values forward{why}"
        )


def fill(panel: Panel, grid: Grid, has_futr: bool, problems: Problems) -> tuple[Panel, Ints]:
    """Fill gaps and carry values forward (``on_gaps: fill``).

    Rows before the first target value of a series are dropped, and so are rows after the last one
    unless they may have known future values. Values are carried forward only: interpolation would
    leak values after a cutoff into its window.
    """
    observed = ~np.isnan(panel.y)
    row = np.arange(len(panel))
    keep = row >= panel.first_rows(observed)[panel.code]
    if not has_futr:
        keep &= row <= panel.last_rows(observed)[panel.code]
    if not keep.all():
        dropped = int((~keep).sum())
        problems.note(f"{count(dropped, 'row')} without a target value at a series' end dropped")
        panel = panel.take(keep)
    position, _ = grid.positions(panel)
    panel, position = _close_gaps(panel, position, grid, problems)
    past = past_rows(panel)
    missing = np.isnan(panel.y) & past
    if missing.any():
        where = panel.name(panel.code[missing])
        number = _carry_forward(panel, panel.y, past)
        problems.note(f"{count(number, 'target value')} carried forward ({where})")
    for name, values in panel.columns.items():
        if name != "y" and (np.isnan(values) & past).any():
            number = _carry_forward(panel, values, past)
            problems.note(f"column {show(name)}: {count(number, 'value')} carried forward")
    return panel, position


def _close_gaps(panel: Panel, position: Ints, grid: Grid, problems: Problems) -> tuple[Panel, Ints]:
    """Insert a row of missing values for each missing step before the end of a series."""
    past = past_rows(panel)
    jumps = np.zeros(len(panel), dtype=np.int64)
    jumps[1:] = np.diff(position) - 1
    jumps[panel.firsts() | ~past] = 0
    new = int(jumps.sum())
    if not new:
        return panel, position
    where = panel.name(panel.code[jumps > 0])
    if new > max(ROW_LIMIT, 10 * len(panel)):
        problems.add(f"filling the gaps would add {new} rows to {len(panel)} ({where})")
        return panel, position
    problems.note(f"{count(new, 'missing time step')} filled ({where})")
    # Positions are integers for any frequency, so one call is enough.
    hit = np.zeros(len(panel.labels), dtype=bool)
    hit[panel.code[jumps > 0]] = True
    rows = np.flatnonzero(hit[panel.code] & past)
    table = pd.DataFrame({"unique_id": panel.code[rows], "ds": position[rows], "row": rows})
    filled = fill_gaps(table, freq=1, start="per_serie", end="per_serie")
    filled = filled[filled["row"].isna()]
    code = filled["unique_id"].to_numpy(dtype=np.int64)
    place = filled["ds"].to_numpy(dtype=np.int64)
    anchor = panel.first_rows(np.ones(len(panel), dtype=bool))[code]
    columns = {name: np.full(len(code), np.nan) for name in panel.columns}
    added = Panel(
        panel.labels, code, grid.times(panel, anchor, place), panel.dated, columns, panel.damaged
    )
    extended = panel.extend(added)
    order = np.lexsort((extended.time, extended.code))
    return extended.take(order), np.concatenate([position, place])[order]


def _carry_forward(panel: Panel, values: Floats, past: Bools) -> int:
    """Fill missing values from the row before, in place; return their number."""
    row = np.where(np.isnan(values), -1, np.arange(len(values)))
    source = np.maximum.accumulate(row)
    fillable = np.isnan(values) & past & (source >= panel.starts())
    values[fillable] = values[source[fillable]]
    return int(fillable.sum())


def check_exogenous(panel: Panel, names: Sequence[str], problems: Problems) -> None:
    """Report exogenous values that are missing in rows with a target."""
    past = past_rows(panel) & ~panel.damaged[panel.code]
    for name in names:
        missing = np.isnan(panel.columns[name]) & past
        if missing.any():
            number = count(int(missing.sum()), "value is", "values are")
            problems.add(f"column {show(name)}: {number} missing ({panel.place(missing)})")


def known_future(
    panel: Panel,
    position: Ints,
    grid: Grid,
    futr: Sequence[str],
    horizon: int,
    problems: Problems,
) -> Panel:
    """Keep the rows of the `horizon` steps after each series and note missing values.

    Whether they are an error depends on the models: see :mod:`forerun.data.forecastable`.
    """
    past = past_rows(panel)
    if not futr:
        return panel.take(past)
    last = panel.last_rows(past)
    ahead = position - position[last[panel.code]]
    given = ~past & (ahead <= horizon) & (last[panel.code] >= 0)
    full = given.copy()
    some = np.zeros(len(panel), dtype=bool)
    for name in futr:
        full &= ~np.isnan(panel.columns[name])
        some |= given & ~np.isnan(panel.columns[name])
    if not some.any():
        problems.note(
            f"no future values of {', '.join(map(show, futr))} are given: models that use them "
            "need them to forecast (rows without target, or futr_file)"
        )
        return panel.take(past)
    number = np.bincount(panel.code[full], minlength=len(panel.labels))
    lacking = np.flatnonzero((number < horizon) & (last >= 0) & ~panel.damaged)
    if len(lacking):
        code = lacking[0]
        existing = set(ahead[full & (panel.code == code)].tolist())
        step = next(step for step in range(1, horizon + 1) if step not in existing)
        moment = add_steps(int(panel.time[last[code]]), step, grid.freq)
        total = count(int((horizon - number[lacking]).sum()), "future row")
        problems.note(
            f"{total} with {', '.join(map(show, futr))} missing within the horizon of {horizon} "
            f"({panel.name(lacking)} at {show_time(moment, panel.dated)})"
        )
    return panel.take(past | some)
