"""The data of a deployment as of an origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.errors import UserError
from forerun.config.windows import reach
from forerun.data import split
from forerun.deployments.inputs import Source
from forerun.deployments.periods import Time
from forerun.forecasting import inference
from forerun.forecasting.engines.base import Data


@dataclass
class Seen:
    """The data available to a run's models at an origin.

    Attributes
    ----------
    data : in the form that engines use
    origin : the last time with a value of the target
    notes : messages about reading and about omitted series
    columns : all columns of the file
    """

    data: Data
    origin: Time
    notes: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


def read(source: Source, run: Path, settings: Mapping[str, Any]) -> Seen:
    """Read the table with the columns and the frequency of a run.

    Raises
    ------
    UserError
        The file lacks columns, holds no usable values, or cannot be read.
    """
    files = (source.data, source.static, source.future)
    prepared = inference.prepare_new(run, settings, *files)
    data, notes = Data(*split(prepared.frame, settings)), list(prepared.notes)
    if settings.get("on_gaps") == "fill":
        notes.append("on_gaps is fill: values that were filled count as actual values")
    return Seen(data, last_time(data.history), notes, prepared.columns)


def last_time(history: pd.DataFrame) -> Time:
    """Return the last time of a table; whole-number times as int."""
    last = history["ds"].max()
    return last if isinstance(last, pd.Timestamp) else int(last)


def until(seen: Seen, origin: Time, settings: Mapping[str, Any]) -> Seen:
    """Return the data as of an earlier origin.

    Later values of the target and of ``hist_exog`` are removed; those of ``futr_exog`` become the
    future. Series shorter than `input_size` at that time are omitted, with a note.
    """
    history = seen.data.history
    past = history[history["ds"] <= origin]
    notes = list(seen.notes)
    lengths = past.groupby("unique_id", sort=False, observed=True).size()
    short = lengths[lengths < int(settings.get("input_size") or 1)].index
    if len(short):
        past = past[~past["unique_id"].isin(short)]
        notes.append(f"{len(short)} series shorter than input_size at the origin are omitted")
    if not len(past):
        raise UserError(f"there are no usable values at or before the origin {origin}")
    past = past.reset_index(drop=True)
    future, columns = None, list(settings.get("futr_exog") or [])
    if columns:
        future = _future(seen, past, origin, columns, reach(dict(settings)))
    static = seen.data.static
    if static is not None:
        static = static[static["unique_id"].isin(past["unique_id"])].reset_index(drop=True)
    data = replace(seen.data, history=past, future=future, static=static, own=False)
    return Seen(data, last_time(past), notes, seen.columns)


def table(seen: Seen, origin: Time, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table of observations as of an earlier origin, with the user's column names.

    Future values of ``futr_exog`` are later rows without a target.
    """
    past = seen.data.history[seen.data.history["ds"] <= origin].reset_index(drop=True)
    columns = list(settings.get("futr_exog") or [])
    if columns:
        later = _future(seen, past, origin, columns, reach(dict(settings)))
        past = pd.concat([past, later], ignore_index=True)
        past = past.sort_values(["unique_id", "ds"], ignore_index=True)
    if seen.data.static is not None:
        past = past.merge(seen.data.static, on="unique_id", how="left")
    past = past.astype({"unique_id": str})
    names = {"unique_id": settings["id_col"], "ds": settings["time_col"]}
    names["y"] = settings["target_col"]
    if settings["id_col"] is None:
        past = past.drop(columns="unique_id")
    return past.rename(columns={own: name for own, name in names.items() if name is not None})


def _future(
    seen: Seen, past: pd.DataFrame, origin: Time, columns: list[str], steps: int
) -> pd.DataFrame:
    keys = ["unique_id", "ds"]
    later = seen.data.history.loc[seen.data.history["ds"] > origin, [*keys, *columns]]
    future = later if seen.data.future is None else pd.concat([later, seen.data.future])
    future = future[future["unique_id"].isin(past["unique_id"])].sort_values(keys)
    return future.groupby("unique_id", sort=False, observed=True).head(steps).reset_index(drop=True)
