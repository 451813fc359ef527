"""Forecasts in the terminal: of one series all steps, of many what there is of each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forerun.cli.console import cell, say, show, table
from forerun.errors import UserError
from forerun.intervals import columns, levels_of
from forerun.names import COMBINED, ENSEMBLE

if TYPE_CHECKING:
    import pandas as pd

#: Significant digits of a forecast; whole numbers keep all of theirs.
DIGITS = 5


def present(frames: Mapping[str, pd.DataFrame]) -> None:
    """Show the forecasts of some models, the combined ones first.

    Raises
    ------
    UserError
        There are none.
    """
    if not frames:
        raise UserError("none of the models gave a forecast")
    wanted = [name for name in (ENSEMBLE, *COMBINED, *frames) if name in frames]
    ordered = {name: frames[name] for name in dict.fromkeys(wanted)}
    if next(iter(ordered.values()))["unique_id"].nunique() == 1:
        _one_series(ordered)
    else:
        _many_series(ordered)


def _one_series(frames: Mapping[str, pd.DataFrame]) -> None:
    """Show each step: the first forecast that has intervals with them, the others without."""
    first = next(iter(frames.values()))
    leader = next((name for name, frame in frames.items() if levels_of(frame, name)), None)
    head, cells = [], []
    for name, frame in frames.items():
        sides = levels_of(frame, name) if name == leader else []
        low = [columns(name, level)[0] for level in sides[::-1]]
        high = [columns(name, level)[1] for level in sides]
        for column in [*low, name, *high]:
            head.append(column.removeprefix(f"{name}-") if column != name else name)
            cells.append([cell(float(value), digits=DIGITS) for value in frame[column]])
    times = first["ds"].astype(str).to_list()
    show(table(["ds", *head], list(zip(times, *cells, strict=False))))
    others = [name for name, frame in frames.items() if name != leader and levels_of(frame, name)]
    if leader is not None:
        more = "; those of the other models are in the files" if others else ""
        say(f"intervals: of {leader}{more}")


def _many_series(frames: Mapping[str, pd.DataFrame]) -> None:
    rows = [
        (
            name,
            f"{frame['unique_id'].nunique():,}",
            f"{len(frame):,}",
            frame["ds"].min(),
            frame["ds"].max(),
            ", ".join(f"{level:g} %" for level in levels_of(frame, name)),
        )
        for name, frame in frames.items()
    ]
    show(table(["forecasts of", "series", "rows", "from", "to", "intervals"], rows))
