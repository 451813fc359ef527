"""Inputs of a linear regression of one series: trend, season, and columns with a known future."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

#: Longest season with a column for each step, without a calendar.
MOST_DUMMIES = 60


def design(
    position: npt.NDArray[Any],
    length: int,
    settings: Mapping[str, Any],
    table: pd.DataFrame,
    columns: list[str],
) -> npt.NDArray[Any]:
    """Return one row for each step: the trend, all steps of the season but one, the columns.

    Parameters
    ----------
    position : steps from the end of the series, the last one being -1
    length : number of steps of the series
    table : `columns` of these steps
    """
    season = int(settings["season_length"])
    if not 1 < season <= MOST_DUMMIES or settings.get("calendar"):
        season = 1
    trend = (position / length)[:, None]
    dummies = (position % season)[:, None] == np.arange(1, season)[None, :]
    return np.hstack([trend, dummies, table[columns].to_numpy(dtype=float)])
