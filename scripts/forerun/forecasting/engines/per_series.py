"""A linear regression of each series on its trend, its season and known future columns.

It has no lags, so all steps are forecast at once. Like a statistical model it is fitted to the
series it forecasts, which takes a millisecond per series; no coefficients are saved.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forerun.config.windows import reach, step_size
from forerun.forecasting.engines import regressors
from forerun.forecasting.engines.base import Data, future_values
from forerun.forecasting.engines.series_design import design

if TYPE_CHECKING:
    import numpy.typing as npt

    from forerun.config.models import ModelSpec


def forecast(
    spec: ModelSpec, settings: dict[str, Any], data: Data, columns: list[str]
) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``<model>`` after the end of each series."""
    from utilsforecast.processing import make_future_dataframe

    steps = reach(settings)
    known = future_values(data, columns, spec.name, settings)
    ends = data.history.groupby("unique_id", observed=True, sort=False)["ds"].last()
    frame = make_future_dataframe(ends.index, ends.reset_index(drop=True), settings["freq"], steps)
    if known is not None:
        frame = frame.merge(known, on=["unique_id", "ds"], how="left")
    later = dict(iter(frame.groupby("unique_id", observed=True, sort=False)))
    values = [
        _one(spec, settings, past, later[name], columns)
        for name, past in data.history.groupby("unique_id", observed=True, sort=False)
    ]
    return frame[["unique_id", "ds"]].assign(**{spec.name: np.concatenate(values)})


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, columns: list[str], windows: int
) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``cutoff``, ``y``, ``<model>``; refitted in each window."""
    steps, table = reach(settings), data.history
    from_end = table.groupby("unique_id", observed=True).cumcount(ascending=False)
    found = []
    for window in range(windows):
        later = (windows - 1 - window) * step_size(settings)
        past = table[from_end >= later + steps]
        future = table[(from_end >= later) & (from_end < later + steps)]
        frame = forecast(spec, settings, Data(past, future, data.static), columns)
        ends = past.groupby("unique_id", observed=True)["ds"].last()
        frame.insert(2, "cutoff", frame["unique_id"].map(ends))
        truth = future[["unique_id", "ds", "y"]]
        frame = frame.merge(truth, on=["unique_id", "ds"], how="left")
        found.append(frame[["unique_id", "ds", "cutoff", "y", spec.name]])
    return pd.concat(found, ignore_index=True)


def _one(
    spec: ModelSpec,
    settings: dict[str, Any],
    past: pd.DataFrame,
    later: pd.DataFrame,
    columns: list[str],
) -> npt.NDArray[Any]:
    length = len(past)
    seen = design(np.arange(-length, 0), length, settings, past, columns)
    regressor = regressors.make(spec, settings)
    if length < 2 * seen.shape[1] and spec.model == "LinearRegression":
        name = past["unique_id"].iloc[0]
        print(f"{spec.name}: series '{name}' is short, it gets a Ridge", file=sys.stderr)
        regressor = regressors.make(replace(spec, model="Ridge", params={}), settings)
    regressor.fit(seen, past["y"].to_numpy(dtype=float))
    ahead = design(np.arange(len(later)), length, settings, later, columns)
    return np.asarray(regressor.predict(ahead), dtype=float)
