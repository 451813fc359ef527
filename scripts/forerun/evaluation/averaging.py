"""The mean of the forecasts of several models: points and limits of intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forerun.base.errors import UserError


def mean_of_members(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Return forecasts named `name`: the mean of each column over the members.

    Quantiles are averaged like point forecasts (Vincentization).

    Parameters
    ----------
    tables : member -> ``unique_id``, ``ds``, ``<member>``, ``<member>-lo-80``..., the same rows

    Raises
    ------
    UserError
        The tables have other rows or columns.
    """
    first, *others = [
        table.rename(columns={c: _renamed(str(c), member, name) for c in table.columns})
        for member, table in tables.items()
    ]
    forecasts = [c for c in first.columns if c == name or str(c).startswith(f"{name}-")]
    keys = [c for c in first.columns if c in ("unique_id", "ds", "cutoff")]
    for other in others:
        same = list(other.columns) == list(first.columns) and len(other) == len(first)
        if not same or any((other[key].to_numpy() != first[key].to_numpy()).any() for key in keys):
            raise UserError(f"the members of {name} have forecasts of different series or times")
    stacked = np.stack([table[forecasts].to_numpy(dtype=float) for table in (first, *others)])
    means = pd.DataFrame(stacked.mean(axis=0), columns=forecasts, index=first.index)
    return first.assign(**{column: means[column] for column in forecasts})


def _renamed(column: str, member: str, name: str) -> str:
    own = column == member or column.startswith((f"{member}-lo-", f"{member}-hi-"))
    return name + column.removeprefix(member) if own else column
