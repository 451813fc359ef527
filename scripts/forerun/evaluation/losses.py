"""Vectorized errors of many series, as defined by utilsforecast (a test compares both).

utilsforecast's ``evaluate`` takes 1.5 ms for each series and model, this module a hundredth of it.
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
    """Definition of an error metric (lower is better, except for a signed one).

    Attributes
    ----------
    of_step : function of forecasts and actual values that returns the error of each step
    root : whether to take the square root of the mean over the steps
    by_size : whether to divide by the mean absolute target of the steps
    signed : whether it may be negative; then models cannot be ranked by it
    power : for metrics scaled by the in-sample error of the seasonal naive forecast: 1 for absolute
        errors, 2 for squared errors
    """

    of_step: Callable[[Floats, Floats], Floats]
    root: bool = False
    power: int | None = None
    by_size: bool = False
    signed: bool = False


def _absolute(forecast: Floats, actual: Floats) -> Floats:
    return np.abs(forecast - actual)


def _squared(forecast: Floats, actual: Floats) -> Floats:
    wrong = forecast - actual
    return np.square(wrong, out=wrong)


def _relative(forecast: Floats, actual: Floats) -> Floats:
    size = np.abs(actual)
    return np.abs(forecast - actual) / np.where(size > 0, size, np.nan)


def _signed(forecast: Floats, actual: Floats) -> Floats:
    return np.asarray(forecast - actual)


def _squared_log(forecast: Floats, actual: Floats) -> Floats:
    """Return squared differences of log(1 + x); NaN for values of at most -1."""
    logs = [np.log1p(np.where(values > -1, values, np.nan)) for values in (forecast, actual)]
    return np.asarray(np.square(logs[0] - logs[1]))


def _symmetric(forecast: Floats, actual: Floats) -> Floats:
    wrong, size = np.abs(forecast - actual), np.abs(forecast) + np.abs(actual)
    wrong = np.divide(wrong, size, out=np.zeros_like(wrong), where=size > 0)
    wrong[np.isnan(size)] = np.nan
    return wrong


#: All metrics that a configuration may name (``metrics`` in the schema).
METRICS = {
    "mae": Metric(_absolute),
    "mse": Metric(_squared),
    "rmse": Metric(_squared, root=True),
    "mape": Metric(_relative),
    "smape": Metric(_symmetric),
    "mase": Metric(_absolute, power=1),
    "rmsse": Metric(_squared, root=True, power=2),
    "wape": Metric(_absolute, by_size=True),
    "bias": Metric(_signed, signed=True),
    "rmsle": Metric(_squared_log, root=True),
}
#: Metrics that are scaled by the in-sample error of the seasonal naive forecast.
SCALED = {name: metric.power for name, metric in METRICS.items() if metric.power is not None}


def metric_of(name: str) -> Metric:
    """Return a metric by name; refuse unknown names."""
    if name not in METRICS:
        listed = ", ".join(METRICS)
        raise UserError(f"there is no metric '{name}'{suggest(name, METRICS)}, only {listed}")
    return METRICS[name]


def scales(
    index: WindowIndex, history: pd.DataFrame, settings: dict[str, object], metric: str
) -> Floats | None:
    """Return the scale of `metric` for each series and window; None for unscaled metrics.

    It is computed from the data up to the cutoff of the window; NaN if it is zero or unknown.
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


def errors(
    forecast: Floats,
    actual: Floats,
    metric: str,
    scale: Floats | None = None,
    steps: Floats | None = None,
) -> Floats:
    """Return the error of each series and window.

    Parameters
    ----------
    forecast : array, shape (..., series, windows, steps)
    scale : array, shape (series, windows), of :func:`scales`
    steps : array, shape (steps,): weights of the steps; equal by default

    Raises
    ------
    UserError
        There is no such metric.
    """
    how = metric_of(metric)
    error = mean(how.of_step(forecast, actual), -1, steps)
    error = error if scale is None else error / scale
    if how.by_size:
        size = mean(np.where(np.isnan(forecast), np.nan, np.abs(actual)), -1, steps)
        error = error / np.where(size > 0, size, np.nan)
    return np.sqrt(error) if how.root else error


def inside(actual: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return 1 for values inside their interval, 0 outside, and NaN for missing values.

    The mean is the coverage.
    """
    covered = ((lower <= actual) & (actual <= upper)).astype(float)
    covered[np.isnan(actual) | np.isnan(lower) | np.isnan(upper)] = np.nan
    return covered


def interval_errors(
    actual: Floats,
    lower: dict[float, Floats],
    upper: dict[float, Floats],
    steps: Floats | None = None,
    series: Floats | None = None,
) -> dict[str, Floats]:
    """Return the errors of intervals for each series and window, by metric.

    Coverage, width and Winkler score of each level, ``mqloss`` (mean pinball loss over the
    quantiles of the levels), ``scaled_crps`` (2 ``mqloss`` over the mean absolute target of the
    window) and ``wql`` (the same over the mean absolute target of all windows: its mean is a ratio
    of sums). Weights of `steps` and `series` apply to all but coverage and width.
    """
    metrics, losses = {}, []
    for level, low in lower.items():
        metrics[f"coverage_level{level:g}"] = mean(inside(actual, low, upper[level]), -1)
    for level, low in lower.items():
        metrics[f"width_level{level:g}"] = mean(upper[level] - low, -1)
        tail = (100 - level) / 200
        for quantile, side in ((tail, low), (1 - tail, upper[level])):
            short = actual - side
            losses.append(mean(np.maximum(quantile * short, (quantile - 1) * short), -1, steps))
    for level, low in lower.items():
        outside = np.maximum(low - actual, 0) + np.maximum(actual - upper[level], 0)
        winkler = upper[level] - low + 200 / (100 - level) * outside
        metrics[f"winkler_level{level:g}"] = mean(winkler, -1, steps)
    metrics["mqloss"] = mean(np.stack(losses), 0)
    size = mean(np.abs(actual), -1, steps)
    metrics["scaled_crps"] = 2 * metrics["mqloss"] / np.where(size > 0, size, np.nan)
    whole = float(mean(np.abs(actual).ravel(), 0, value_weights(actual.shape, steps, series)))
    metrics["wql"] = 2 * metrics["mqloss"] / (whole if whole > 0 else np.nan)
    return metrics


def value_weights(
    shape: tuple[int, ...], steps: Floats | None, series: Floats | None
) -> Floats | None:
    """Return the weight of each value of an array, flat; None if all are equal.

    Parameters
    ----------
    shape : series, windows, steps
    """
    if steps is None and series is None:
        return None
    weights = np.ones(shape)
    weights *= 1.0 if steps is None else steps
    weights *= 1.0 if series is None else series[:, None, None]
    return weights.ravel()
