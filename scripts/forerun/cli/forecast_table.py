"""Forecasts in the terminal: all steps of a single series, or a summary of many series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.base.terminal import echo
from forerun.cli.console import cell, show, table
from forerun.config.names import COMBINED, ENSEMBLE
from forerun.evaluation.intervals import columns, levels_of

if TYPE_CHECKING:
    import pandas as pd

#: Significant digits of a forecast; integer digits are never cut.
DIGITS = 5
#: Maximum number of rows of forecasts to show.
MOST_ROWS = 24


def present(frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any] | None = None) -> None:
    """Show the forecasts of some models, combinations first.

    Parameters
    ----------
    settings : settings of the run, with the user's column names

    Raises
    ------
    UserError
        There are no forecasts.
    """
    if not frames:
        raise UserError("no model has a forecast")
    wanted = [name for name in (ENSEMBLE, *COMBINED, *frames) if name in frames]
    ordered = {name: frames[name] for name in dict.fromkeys(wanted)}
    if next(iter(ordered.values()))["unique_id"].nunique() == 1:
        _one_series(ordered, settings or {})
    else:
        _many_series(ordered, settings or {})


def _column(settings: Mapping[str, Any], key: str, name: str) -> str:
    return str(settings.get(key) or name)


def _one_series(frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]) -> None:
    """Show all steps, with intervals for the first forecast that has any."""
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
    time = _column(settings, "time_col", "ds")
    show(table([time, *head], list(zip(times, *cells, strict=False))))
    others = [name for name, frame in frames.items() if name != leader and levels_of(frame, name)]
    if leader is not None:
        more = "; those of the other models are in the files" if others else ""
        echo(f"intervals of {leader}{more}")


def _many_series(frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]) -> None:
    """Show the first rows of the first model, and a summary of each model."""
    name, frame = next(iter(frames.items()))
    sides = levels_of(frame, name)
    shown = [columns(name, level)[0] for level in sides[::-1]] + [name]
    shown += [columns(name, level)[1] for level in sides]
    some = frame.head(MOST_ROWS)
    cells = [[cell(float(value), digits=DIGITS) for value in some[column]] for column in shown]
    head = [_column(settings, "id_col", "unique_id"), _column(settings, "time_col", "ds")]
    head += [column.removeprefix(f"{name}-") if column != name else name for column in shown]
    keys = some["unique_id"].astype(str), some["ds"].astype(str)
    show(table(head, list(zip(*keys, *cells, strict=True))))
    if len(frame) > len(some):
        echo(f"{len(frame) - len(some):,} more rows are in the files")
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
