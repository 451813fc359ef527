"""Splitting of a run's frozen table into history, future values and static features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forerun.config.categories import SERIES, names
from forerun.config.models import exogenous_columns, specs
from forerun.config.windows import reach
from forerun.data.calendar import with_calendar
from forerun.data.categories import with_dummies
from forerun.data.checking import Roles


def split(
    frame: pd.DataFrame, settings: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame | None]:
    """Split the frozen table for the engines.

    Parameters
    ----------
    frame : pandas.DataFrame
        A frame from `prepare`, or the content of ``data.parquet``.
    settings : mapping
        The run's configuration.

    Returns
    -------
    history : pandas.DataFrame
        ``unique_id``, ``ds``, ``y``, ``hist_exog``, ``futr_exog`` and those of ``calendar``: the
        rows with a target.
    futr_df : pandas.DataFrame or None
        ``unique_id``, ``ds``, ``futr_exog`` and those of ``calendar`` for the steps to forecast
        (and a gap before them); None if no future values are known.
    static_df : pandas.DataFrame or None
        ``unique_id`` and ``stat_exog``, one row per series; None without static features.
    """
    roles = Roles.of(settings)
    observed = frame["y"].notna().to_numpy()
    columns = ["unique_id", "ds", "y", *roles.hist, *roles.futr]
    # Usually all rows have a target, and a copy of the table can be avoided.
    if observed.all():
        history = only(frame, columns)
    else:
        history = frame.loc[observed, columns].reset_index(drop=True)
    futr_df = static_df = None
    if roles.futr and not observed.all():
        futr_df = frame.loc[~observed, ["unique_id", "ds", *roles.futr]]
        futr_df = futr_df.groupby("unique_id", sort=False, observed=True).head(
            reach(dict(settings))
        )
        futr_df = futr_df.reset_index(drop=True)
    if roles.stat:
        first = ~frame["unique_id"].duplicated()
        static_df = frame.loc[first, ["unique_id", *roles.stat]].reset_index(drop=True)
    if SERIES in names(settings):
        if static_df is None:
            static_df = history[["unique_id"]].drop_duplicates(ignore_index=True)
        static_df[SERIES] = static_df["unique_id"].astype(str)
    if settings.get("categories"):
        wanted = _columns_of_models(settings)
        history = with_dummies(history, settings, wanted)
        futr_df, static_df = (
            None if table is None else with_dummies(table, settings, wanted)
            for table in (futr_df, static_df)
        )
    history, futr_df = with_calendar(history, futr_df, settings, reach(dict(settings)))
    return history, futr_df, static_df


def only(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the table with only some columns; itself, not a copy, if it has no others."""
    return frame if list(frame.columns) == columns else frame[columns]


def observed_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a target; the table itself, not a copy, if all have one."""
    has_target = frame["y"].notna()
    return frame if has_target.all() else frame[has_target]


def _columns_of_models(settings: Mapping[str, Any]) -> set[str]:
    """Return the columns that some model uses."""
    used = (exogenous_columns(spec, settings) for spec in specs(settings))
    return {column for kinds in used for columns in kinds.values() for column in columns}


def summary(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a summary of a frozen table, ready for JSON.

    Returns
    -------
    dict
        ``rows`` and ``future_rows`` (with and without a target), ``series``, ``start`` and ``end``
        of the targets (ISO 8601 or a number), ``columns``, ``lengths`` (min, median, max).
    """
    history = observed_rows(frame)
    lengths = history["unique_id"].value_counts(sort=False).to_numpy()
    start, end = (_plain(history["ds"].agg(how)) for how in ("min", "max"))
    return {
        "rows": len(history),
        "future_rows": len(frame) - len(history),
        "series": len(lengths),
        "start": start,
        "end": end,
        "columns": [str(name) for name in frame.columns],
        "lengths": {
            "min": int(lengths.min()) if len(lengths) else 0,
            "median": float(np.median(lengths)) if len(lengths) else 0.0,
            "max": int(lengths.max(initial=0)),
        },
    }


def _plain(value: Any) -> str | int | None:
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else int(value)
