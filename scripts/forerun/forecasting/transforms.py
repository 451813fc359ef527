"""Transformations of the target, set per model: ``{name: NHITS, transform: log}``.

The target is transformed before an engine sees it; forecasts and intervals are brought back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forerun.base.errors import UserError
from forerun.config.models import ModelSpec
from forerun.forecasting.engines.base import Data

if TYPE_CHECKING:
    from collections.abc import Iterable

LOG = "log"
#: A forecast leaves the range of its series by half of it on the log scale, within these factors.
#: A network that runs away on that scale is off by orders of magnitude.
LEAST, MOST = 1.1, 2.0


def check(history: pd.DataFrame, specs: Iterable[ModelSpec]) -> None:
    """Refuse a target that is not positive where a model takes its logarithm."""
    asking = [spec.name for spec in specs if spec.transform == LOG]
    wrong = history[history["y"] <= 0] if asking else history.iloc[:0]
    if len(wrong):
        first = wrong.iloc[0]
        raise UserError(
            f"transform: log of {', '.join(asking)} needs a target above 0, series "
            f"'{first['unique_id']}' is {first['y']:g} at {first['ds']} ({len(wrong)} such values "
            "in all); leave transform out"
        )


def forward(data: Data, spec: ModelSpec) -> Data:
    """Return what the model is to see."""
    if spec.transform != LOG:
        return data
    check(data.history, [spec])
    history = data.history.assign(y=np.log(data.history["y"].to_numpy(dtype=float)))
    return replace(data, history=history)


def back(frame: pd.DataFrame, data: Data, spec: ModelSpec) -> pd.DataFrame:
    """Return forecasts, and the target beside them, as they would be without the transformation.

    Parameters
    ----------
    frame : ``unique_id``, ``ds``, forecasts; of cross-validation also ``cutoff`` and ``y``
    data : the data before :func:`forward`; what is later than a series' first cutoff is not used
    """
    if spec.transform != LOG or not len(frame):
        return frame
    keys = ("unique_id", "ds", "cutoff", "y")
    lower, upper = (limit.to_numpy() for limit in _limits(frame, data.history))
    back: dict[str, Any] = {
        name: np.exp(np.clip(frame[name].to_numpy(dtype=float), lower, upper))
        for name in frame.columns
        if name not in keys
    }
    if "y" in frame.columns:
        actual = data.history.set_index(["unique_id", "ds"])["y"]
        rows = pd.MultiIndex.from_frame(frame[["unique_id", "ds"]])
        back["y"] = actual.reindex(rows).to_numpy(dtype=float)
    return frame.assign(**back)


def _limits(frame: pd.DataFrame, history: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the lowest and the highest logarithm that each row of `frame` may have."""
    if "cutoff" in frame.columns:
        first = frame.groupby("unique_id", observed=True)["cutoff"].min()
        history = history[history["ds"] <= history["unique_id"].map(first)]
    logs = pd.Series(np.log(history["y"].to_numpy(dtype=float)), index=history.index)
    grouped = logs.groupby(history["unique_id"], observed=True)
    low, high = grouped.min(), grouped.max()
    more = ((high - low) / 2).clip(np.log(LEAST), np.log(MOST))
    ids = frame["unique_id"]
    return ids.map(low - more), ids.map(high + more)
