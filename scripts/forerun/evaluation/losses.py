"""Errors of many series at once, as utilsforecast defines them (a test compares the two).

utilsforecast's ``evaluate`` takes 1.5 ms for each series and model; these take a hundredth of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forerun.base.errors import UserError, suggest
from forerun.config import windows
from forerun.evaluation.arrays import Floats, WindowIndex, mean
from forerun.evaluation.scales import naive_scales


@dataclass(frozen=True)
class Metric:
    """How an error is computed; the smaller the better.

    Attributes
    ----------
    of_step : from forecasts and actual values of one shape to the error of each step
    root : whether the square root of the mean over the steps is taken
    power : for metrics that are scaled by the in-sample error of the seasonal naive forecast: 1 for
        its absolute error, 2 for its squared error
    """

    of_step: Callable[[Floats, Floats], Floats]
    root: bool = False
    power: int | None = None


def _absolute(forecast: Floats, actual: Floats) -> Floats:
    return np.abs(forecast - actual)


def _squared(forecast: Floats, actual: Floats) -> Floats:
    wrong = forecast - actual
    return np.square(wrong, out=wrong)


def _relative(forecast: Floats, actual: Floats) -> Floats:
    size = np.abs(actual)
    return np.abs(forecast - actual) / np.where(size > 0, size, np.nan)


def _symmetric(forecast: Floats, actual: Floats) -> Floats:
    wrong, size = np.abs(forecast - actual), np.abs(forecast) + np.abs(actual)
    wrong = np.divide(wrong, size, out=np.zeros_like(wrong), where=size > 0)
    wrong[np.isnan(size)] = np.nan
    return wrong


#: Each metric that a configuration may name (``metrics`` in the schema).
METRICS = {
    "mae": Metric(_absolute),
    "mse": Metric(_squared),
    "rmse": Metric(_squared, root=True),
    "mape": Metric(_relative),
    "smape": Metric(_symmetric),
    "mase": Metric(_absolute, power=1),
    "rmsse": Metric(_squared, root=True, power=2),
}
#: Metrics that are scaled by the in-sample error of the seasonal naive forecast.
SCALED = {name: metric.power for name, metric in METRICS.items() if metric.power is not None}


def metric_of(name: str) -> Metric:
    """Return a metric by its name; refuse unknown names."""
    if name not in METRICS:
        listed = ", ".join(METRICS)
        raise UserError(f"there is no metric '{name}'{suggest(name, METRICS)}, only {listed}")
    return METRICS[name]


def scales(
    index: WindowIndex, history: pd.DataFrame, settings: dict[str, object], metric: str
) -> Floats | None:
    """Return what `metric` is divided by for each series and window; None for plain metrics.

    It is taken from the data up to each window's cutoff. NaN where it is zero or unknown.
    """
    power = metric_of(metric).power
    if power is None:
        return None
    number, step = index.shape[1], windows.step_size(settings)
    first = windows.reach(settings) + step * (number - 1)
    stops = [first - step * window for window in range(number)]
    season = int(str(settings["season_length"]))
    scale = naive_scales(history, index.ids, stops, season, power)
    return np.where(scale > 0, scale, np.nan)


def errors(forecast: Floats, actual: Floats, metric: str, scale: Floats | None = None) -> Floats:
    """Return the error of each series and window.

    Parameters
    ----------
    forecast : array, shape (..., series, windows, steps)
    scale : array, shape (series, windows), of :func:`scales`

    Raises
    ------
    UserError
        There is no such metric.
    """
    how = metric_of(metric)
    error = mean(how.of_step(forecast, actual), -1)
    error = error if scale is None else error / scale
    return np.sqrt(error) if how.root else error


def inside(actual: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return 1 where a value lies inside its interval, 0 outside, NaN where one is missing.

    Its mean is the coverage.
    """
    found = ((lower <= actual) & (actual <= upper)).astype(float)
    found[np.isnan(actual) | np.isnan(lower) | np.isnan(upper)] = np.nan
    return found


def interval_errors(
    actual: Floats, lower: dict[float, Floats], upper: dict[float, Floats]
) -> dict[str, Floats]:
    """Return, for each series and window: coverage and width of each level, ``mqloss`` (mean
    pinball loss over the levels' quantiles) and ``scaled_crps``, which is 2 ``mqloss`` over the
    mean size of the target.
    """
    found, losses = {}, []
    for level, low in lower.items():
        found[f"coverage_level{level:g}"] = mean(inside(actual, low, upper[level]), -1)
    for level, low in lower.items():
        found[f"width_level{level:g}"] = mean(upper[level] - low, -1)
        tail = (100 - level) / 200
        for quantile, side in ((tail, low), (1 - tail, upper[level])):
            short = actual - side
            losses.append(mean(np.maximum(quantile * short, (quantile - 1) * short), -1))
    found["mqloss"] = mean(np.stack(losses), 0)
    size = mean(np.abs(actual), -1)
    found["scaled_crps"] = 2 * found["mqloss"] / np.where(size > 0, size, np.nan)
    return found
