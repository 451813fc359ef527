"""The logarithm of the target, set per model: ``{name: NHITS, transform: log}``.

The target is transformed before training; forecasts and intervals are transformed back. ``log1p``,
the logarithm of the target plus 1, accepts zeros, and its forecasts are not negative.
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
    """Refuse a target with values whose logarithm a model cannot take."""
    for plus, needs in ((0.0, "above 0"), (1.0, "of at least 0")):
        asking = [spec for spec in specs if spec.takes_log and spec.plus == plus]
        if not asking:
            continue
        wrong = history[history["y"] < 0 if plus else history["y"] <= 0]
        if len(wrong):
            first, zeros = wrong.iloc[0], not plus and bool((wrong["y"] == 0).all())
            raise UserError(
                f"transform: {'log1p' if plus else 'log'} of "
                f"{', '.join(spec.name for spec in asking)} needs a target {needs}, but series "
                f"'{first['unique_id']}' is {first['y']:g} at {first['ds']} ({len(wrong)} such "
                f"values in all); {'use log1p or ' if zeros else ''}leave transform out"
            )


def forward(data: Data, spec: ModelSpec) -> Data:
    """Return the transformed data."""
    if not spec.takes_log:
        return data
    check(data.history, [spec])
    target = data.history["y"].to_numpy(dtype=float)
    history = data.history.assign(y=np.log(target + spec.plus))
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
    lower, upper = (limit.to_numpy() for limit in _limits(frame, data.history, spec.plus))
    return converted(
        frame, data.history, lambda values: np.exp(np.clip(values, lower, upper)) - spec.plus
    )


def _limits(frame: pd.DataFrame, history: pd.DataFrame, plus: float) -> tuple[pd.Series, pd.Series]:
    """Return the lower and the upper limit of the logarithm for each row of `frame`."""
    if "cutoff" in frame.columns:
        first = frame.groupby("unique_id", observed=True)["cutoff"].min()
        history = history[history["ds"] <= history["unique_id"].map(first)]
    logs = pd.Series(np.log(history["y"].to_numpy(dtype=float) + plus), index=history.index)
    grouped = logs.groupby(history["unique_id"], observed=True)
    low, high = grouped.min(), grouped.max()
    more = ((high - low) / 2).clip(np.log(LEAST), np.log(MOST))
    ids, least = frame["unique_id"], np.log(plus) if plus else -np.inf
    return ids.map((low - more).clip(lower=least)), ids.map(high + more)
