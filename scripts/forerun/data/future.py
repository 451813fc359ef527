"""Missing future values of exogenous columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forerun.data.grid import add_steps
from forerun.data.problems import name_series, show_time

#: Maximum number of names in a message.
MOST_NAMES = 8


@dataclass(frozen=True)
class MissingFuture:
    """Missing future values.

    Attributes
    ----------
    columns : columns with missing values
    steps : number of steps needed after the end of each series
    series : names of the series with missing values
    of : number of all series
    first : first missing time of the first such series
    present : number of steps that the first such series has
    any_given : whether any series has any of the steps
    """

    columns: tuple[str, ...]
    steps: int
    series: tuple[str, ...]
    of: int
    first: str
    present: int
    any_given: bool

    def __str__(self) -> str:
        names = listed(self.columns)
        steps = "step" if self.steps == 1 else f"{self.steps} steps"
        needed = f"the values of {names} for the {steps} after each series' end"
        if not self.any_given:
            return f"{needed}, none are given (from {self.first} on)"
        which = name_series(self.series)
        return (
            f"{needed}, missing for {which} of {self.of} "
            f"({self.present} of {self.steps} given, first missing: {self.first})"
        )


def listed(names: Sequence[str]) -> str:
    """Return names separated by commas; of many, the first."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def missing_future(
    history: pd.DataFrame,
    future: pd.DataFrame | None,
    columns: Sequence[str],
    steps: int,
    freq: str | int,
) -> MissingFuture | None:
    """Return the missing values of `columns` in the `steps` after each series; None if complete.

    Parameters
    ----------
    history : DataFrame
        ``unique_id`` and ``ds`` up to the end of each series, sorted.
    future : DataFrame or None
        ``unique_id``, ``ds`` and `columns` after the end of each series, sorted.
    freq : str or int
        The frequency of the run.
    """
    if not columns:
        return None
    names = history["unique_id"].unique()
    if future is None:
        future = pd.DataFrame(columns=["unique_id", "ds", *columns])
    whole = future.loc[future[list(columns)].notna().all(axis=1), ["unique_id", "ds"]]
    counts = whole["unique_id"].value_counts().reindex(names, fill_value=0)
    lacking = counts.index[(counts < steps).to_numpy()]
    if not len(lacking):
        return None
    name = lacking[0]
    last = history.loc[history["unique_id"] == name, "ds"].iloc[-1]
    given = set(whole.loc[whole["unique_id"] == name, "ds"])
    incomplete = [column for column in columns if future[column].notna().sum() < steps * len(names)]
    return MissingFuture(
        columns=tuple(incomplete or columns),
        steps=steps,
        series=tuple(map(str, lacking)),
        of=len(names),
        first=_first_missing(last, given, steps, freq),
        present=int(counts.to_numpy()[(counts < steps).to_numpy()][0]),
        any_given=bool(len(whole)),
    )


def _first_missing(last: Any, given: set[Any], steps: int, freq: str | int) -> str:
    dated = isinstance(last, pd.Timestamp)
    start = last.value if dated else int(last)
    for step in range(1, steps + 1):
        moment = add_steps(start, step, freq)
        if (pd.Timestamp(moment) if dated else moment) not in given:
            break
    return show_time(moment, dated)
