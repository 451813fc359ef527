"""Loss of each forecast value, and its change since the previous origin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forerun.evaluation.losses import METRICS, inside

#: Metric -> the loss per value whose mean it is.
LOSSES = {
    "mae": "mae",
    "mse": "mse",
    "rmse": "mse",
    "mape": "mape",
    "smape": "smape",
    "mase": "mase",
}
#: Mean change since the previous origin: in the data's units, and scaled as in MASE.
CHANGES = ("change", "scaled_change")


def losses(table: pd.DataFrame, scale: pd.Series) -> pd.DataFrame:
    """Add the losses of each row.

    ``error`` is the forecast minus the actual value. The scale of MASE is computed from the history
    up to the origin (Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001).
    ``scaled_change_step`` is the change since the previous origin with the same scale.
    ``inside_<level>`` is 1 if the value is inside the interval, ``width_<level>`` its width.

    Parameters
    ----------
    table : ``y``, ``point`` and ``lo-<level>``, ``hi-<level>``
    scale : denominator of MASE, one value per row
    """
    y, point = table["y"].to_numpy(float), table["point"].to_numpy(float)
    added: dict[str, Any] = {"error": point - y}
    for name in dict.fromkeys(LOSSES.values()):
        value = METRICS[name].of_step(point.copy(), y)
        if METRICS[name].power is not None:
            divisor = scale.to_numpy(float)
            value = value / np.where(divisor > 0, divisor, np.nan)
        added[f"{name}_step"] = value
    if "change_step" in table:
        divisor = scale.to_numpy(float)
        change = table["change_step"].to_numpy(float)
        added["scaled_change_step"] = change / np.where(divisor > 0, divisor, np.nan)
    for column in [str(c) for c in table if str(c).startswith("lo-")]:
        level = column.removeprefix("lo-")
        low, high = table[column].to_numpy(float), table[f"hi-{level}"].to_numpy(float)
        added[f"inside_{level}"] = inside(y, low, high)
        added[f"width_{level}"] = high - low
    return table.assign(**added)


def with_changes(forecasts: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Add `change_step`: absolute difference from the previous origin's forecast of the same time.

    Its mean is the mean absolute change, a measure of vertical stability (Godahewa et al., "On
    Forecast Stability", arXiv 2310.17332). It is NaN if the same model of the same run has not
    forecast that time at the previous origin.
    """
    if before is None:
        return forecasts.assign(change_step=np.nan)
    keys = ["unique_id", "ds", "model", "run_id"]
    codes = np.zeros(len(before) + len(forecasts), int)
    for key in keys:
        both = np.concatenate([before[key].to_numpy(), forecasts[key].to_numpy()])
        found, distinct = pd.factorize(both)
        codes = pd.factorize(codes * len(distinct) + found)[0]
    here = pd.Index(codes[len(before) :])
    places = pd.Index(codes[: len(before)]).get_indexer(here)
    earlier = np.append(before["point"].to_numpy(float), np.nan)[places]
    return forecasts.assign(change_step=np.abs(forecasts["point"].to_numpy(float) - earlier))
