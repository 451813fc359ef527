"""The frequency of a panel, configured or inferred, and rows that do not fit it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forerun.data import deviations
from forerun.data.grid import Grid, check_freq, infer_freq, make_grid
from forerun.data.panel import Panel
from forerun.data.parsing import Bools, Ints
from forerun.data.problems import Problems, count, show


def choose_grid(panel: Panel, freq: str | int | None, problems: Problems) -> Grid | None:
    """Return the grid of the configured frequency, or of one inferred from the data."""
    if freq is None:
        found, trouble = infer_freq(panel)
        if not trouble:
            problems.note(f"freq was inferred from the data: {found}")
    else:
        found, trouble = check_freq(freq, panel.dated)
    if trouble or found is None:
        problems.add(trouble)
        return None
    try:
        return make_grid(found, panel.time)
    except (ValueError, OverflowError):  # beyond the years that time stamps can hold
        problems.add(f"times from {panel.time.min()} to {panel.time.max()} do not fit freq {found}")
        return None


def on_grid(panel: Panel, grid: Grid, inferred: bool, problems: Problems) -> tuple[Panel, Ints]:
    """Report times off the grid and series with another frequency.

    Returns the rows on the grid with their positions in their series.
    """
    position, fits = grid.positions(panel)
    if inferred:
        _check_one_frequency(panel, grid, position, fits, problems)
    off_grid = ~fits & ~panel.damaged[panel.code]
    if off_grid.any():
        row = int(np.argmax(off_grid))
        number = count(int(off_grid.sum()), "time stamp does", "time stamps do")
        why = deviations.explain(panel, row, ~panel.damaged[panel.code])
        problems.add(f"{number} not fit freq {show(grid.freq)} ({panel.place(off_grid)}){why}")
    if fits.all():
        return panel, position
    panel.damaged[panel.code[~fits]] = True
    panel = panel.take(fits)
    return panel, grid.positions(panel)[0]


def _check_one_frequency(
    panel: Panel, grid: Grid, position: Ints, fits: Bools, problems: Problems
) -> None:
    """Report series whose usual step differs from the frequency."""
    same = panel.code[1:] == panel.code[:-1]
    code = panel.code[1:][same]
    usual = (np.diff(position)[same] == 1) & fits[1:][same] & fits[:-1][same]
    steps = np.bincount(code, minlength=len(panel.labels))
    strange = (np.bincount(code, usual, minlength=len(steps)) * 2 < steps) & (steps > 1)
    if not strange.any():
        return
    rows = np.flatnonzero(same)[strange[code]]
    table = pd.DataFrame(
        {
            "code": panel.code[rows],
            "span": panel.time[rows + 1] - panel.time[rows],
            "step": position[rows + 1] - position[rows],
        }
    )
    # Months differ in length, and hours on a daily grid are zero steps: check spans and steps.
    # A series that usually has the common step is only shifted and has no other frequency.
    other = []
    for kind, (low, high) in (("span", grid.spans()), ("step", (1, 1))):
        shares = table.groupby("code")[kind].value_counts(normalize=True)
        often = shares[shares > 0.5].reset_index()
        other.append(often.loc[~often[kind].between(low, high), "code"].to_numpy())
    codes = np.unique(np.concatenate(other)).astype(np.int64)
    if len(codes):
        row = table.index[table["code"] == codes[0]][0]
        panel.damaged[codes] = True
        span = int(table["span"].iloc[row])
        length = deviations.duration(span) if panel.dated else str(span)
        problems.add(
            f"two frequencies: most steps are {show(grid.freq)}, but steps of {length} "
            f"in {panel.name(codes)} (use one frequency in a run, or set freq)"
        )
