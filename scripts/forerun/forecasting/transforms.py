"""The logarithm of the target, set per model: ``{name: NHITS, transform: log}``.

The target is transformed before training; forecasts and intervals are transformed back.
:mod:`forerun.forecasting.remainder` is the other transformation, which comes after the logarithm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forerun.base.errors import UserError
from forerun.config.models import ModelSpec
from forerun.forecasting.engines.base import Data
from forerun.forecasting.scaling import converted

if TYPE_CHECKING:
    from collections.abc import Iterable

#: On the log scale, forecasts may exceed the range of their series by half of it, within these
#: factors: a network that diverges there would be off by orders of magnitude.
LEAST, MOST = 1.1, 2.0


def check(history: pd.DataFrame, specs: Iterable[ModelSpec]) -> None:
    """Refuse a target with values that are not positive if a model takes its logarithm."""
    asking = [spec.name for spec in specs if spec.takes_log]
    wrong = history[history["y"] <= 0] if asking else history.iloc[:0]
    if len(wrong):
        first = wrong.iloc[0]
        raise UserError(
            f"transform: log of {', '.join(asking)} needs a target above 0, but series "
            f"'{first['unique_id']}' is {first['y']:g} at {first['ds']} ({len(wrong)} such values "
            "in all); leave transform out"
        )


def forward(data: Data, spec: ModelSpec) -> Data:
    """Return the transformed data."""
    if not spec.takes_log:
        return data
    check(data.history, [spec])
    history = data.history.assign(y=np.log(data.history["y"].to_numpy(dtype=float)))
    return replace(data, history=history)


def back(frame: pd.DataFrame, data: Data, spec: ModelSpec) -> pd.DataFrame:
    """Return forecasts, and the target in column ``y``, transformed back.

    Parameters
    ----------
    frame : ``unique_id``, ``ds``, forecasts; of cross-validation also ``cutoff`` and ``y``
    data : data before :func:`forward`; rows after a series' first cutoff are not used
    """
    if not spec.takes_log or not len(frame):
        return frame
    lower, upper = (limit.to_numpy() for limit in _limits(frame, data.history))
    return converted(frame, data.history, lambda values: np.exp(np.clip(values, lower, upper)))


def _limits(frame: pd.DataFrame, history: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the lower and the upper limit of the logarithm for each row of `frame`."""
    if "cutoff" in frame.columns:
        first = frame.groupby("unique_id", observed=True)["cutoff"].min()
        history = history[history["ds"] <= history["unique_id"].map(first)]
    logs = pd.Series(np.log(history["y"].to_numpy(dtype=float)), index=history.index)
    grouped = logs.groupby(history["unique_id"], observed=True)
    low, high = grouped.min(), grouped.max()
    more = ((high - low) / 2).clip(np.log(LEAST), np.log(MOST))
    ids = frame["unique_id"]
    return ids.map(low - more), ids.map(high + more)
