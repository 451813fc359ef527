"""Prediction intervals for all models: conformal intervals if a model provides none.

Split-conformal intervals are symmetric around the forecast. Their half width is a quantile of the
absolute out-of-fold residuals of the same model. With many windows it is computed for each series
and step; with few, residuals are divided by the scale of their series and pooled over series and,
if there are still too few, over neighboring steps. Scales are those of
:mod:`forerun.evaluation.fitted_widths` or, with ``interval_scale: naive``, seasonal naive errors.

For cross-validation results each window is calibrated on the other windows, so that coverage in
``metrics.csv`` is unbiased; forecasts of the future are calibrated on all windows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from forerun.config import windows
from forerun.evaluation import fitted_widths
from forerun.evaluation.arrays import Floats, WindowIndex
from forerun.evaluation.scales import naive_scale
from forerun.evaluation.series_units import Past

#: Number of residuals at which the scale of a series has the same weight as the pooled scale.
PRIOR = 10.0
#: Number of residuals beyond the outermost level that are enough without neighboring steps.
BEYOND = 10


def columns(model: str, level: float) -> tuple[str, str]:
    """Return the names of the lower and the upper column of a level."""
    return f"{model}-lo-{level:g}", f"{model}-hi-{level:g}"


def parse_level(column: str, model: str) -> float | None:
    """Return the level of a lower column of `model`; None for any other column."""
    match = re.fullmatch(rf"{re.escape(model)}-lo-(\d+(?:\.\d+)?)", column)
    return float(match[1]) if match else None


def in_order(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Order the columns of a forecast: lo-95, lo-80, forecast, hi-80, hi-95."""
    levels = levels_of(frame, model)
    low = [columns(model, level)[0] for level in reversed(levels)]
    ordered = [*low, model, *(columns(model, level)[1] for level in levels)]
    first = min(list(frame.columns).index(name) for name in ordered)
    others = [name for name in frame.columns if name not in ordered]
    return frame[[*others[:first], *ordered, *others[first:]]]


def levels_of(frame: pd.DataFrame, model: str) -> list[float]:
    """Return the levels that `frame` has for `model`, ascending."""
    parsed = [parse_level(str(name), model) for name in frame.columns]
    existing = [level for level in parsed if level is not None]
    return sorted(level for level in existing if columns(model, level)[1] in frame.columns)


def missing_levels(frame: pd.DataFrame, model: str, settings: dict[str, Any]) -> list[float]:
    """Return the requested levels that the model does not provide."""
    existing = levels_of(frame, model)
    return sorted(level for level in settings.get("levels") or [] if level not in existing)


def uncross(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Sort the quantiles of each row, so that they do not cross and contain the forecast."""
    levels = levels_of(frame, model)
    if not levels:
        return frame
    names = [columns(model, level)[0] for level in reversed(levels)]
    names += [columns(model, level)[1] for level in levels]
    ordered = np.sort(frame[names].to_numpy(dtype=float), axis=1)
    point = frame[[model]].to_numpy(dtype=float)
    half = len(levels)
    ordered[:, :half] = np.minimum(ordered[:, :half], point)
    ordered[:, half:] = np.maximum(ordered[:, half:], point)
    return in_order(frame.assign(**{name: ordered[:, i] for i, name in enumerate(names)}), model)


@dataclass
class Widths:
    """Half widths of intervals.

    Attributes
    ----------
    pooled : array, shape (steps, levels), in units of the scale of a series
    ratio : array, shape (series,): mean absolute residual of a series over its naive scale
    typical : ratio of a new series
    own : array, shape (series, steps, levels), or None with too few windows
    """

    pooled: Floats
    ratio: Floats
    typical: float
    own: Floats | None


def _needed(level: float) -> int:
    """Return the number of residuals below which the quantile of this level is their maximum."""
    return ceil(level / (100 - level)) if level < 100 else 10**9


def _quantiles(scores: Floats, levels: list[float]) -> Floats:
    """Return the conformal quantile of each level; the maximum if there are too few scores."""
    scores = np.sort(scores)
    ranks = [min(ceil((len(scores) + 1) * level / 100 - 1e-9), len(scores)) for level in levels]
    return scores[np.array(ranks) - 1]


def calibrate(residuals: Floats, naive: Floats, levels: list[float]) -> Widths | None:
    """Compute half widths from residuals.

    Parameters
    ----------
    residuals : array, shape (series, windows, steps); NaN for missing ones
    naive : array, shape (series,): scale of each series, positive
    levels : percent, ascending
    """
    size = np.abs(residuals)
    number = np.sum(~np.isnan(size), axis=(1, 2))
    if not number.sum():
        return None
    sums = np.nansum(size, axis=(1, 2)) / naive
    typical = float(np.median((sums / np.maximum(number, 1))[number > 0]))
    ratio = (sums + PRIOR * typical) / (number + PRIOR)
    ratio = np.where(ratio > 0, ratio, 1.0)
    scores = size / (naive * ratio)[:, None, None]
    enough = size.shape[1] >= max(10, _needed(levels[-1])) and not np.isnan(size).any()
    own = _own(size, levels) if enough else None
    return Widths(_pooled(scores, levels), ratio, typical or 1.0, own)


def _own(size: Floats, levels: list[float]) -> Floats:
    """Return quantiles over the windows, for each series and step."""
    ordered, number = np.sort(size, axis=1), size.shape[1]
    ranks = [min(ceil((number + 1) * level / 100 - 1e-9), number) - 1 for level in levels]
    return np.stack([ordered[:, rank, :] for rank in ranks], axis=-1)


def _pooled(scores: Floats, levels: list[float]) -> Floats:
    """Return quantiles over series and windows for each step, with neighboring steps if needed."""
    steps = scores.shape[2]
    wanted = ceil(BEYOND / (1 - levels[-1] / 100))
    per_step = [column[~np.isnan(column)] for column in np.moveaxis(scores, 2, 0)]
    result = np.empty((steps, len(levels)))
    for step in range(steps):
        for radius in range(steps):
            near = per_step[max(0, step - radius) : step + radius + 1]
            if sum(map(len, near)) >= wanted:
                break
        result[step] = _quantiles(np.concatenate(near), levels)
    return result


def _assign(
    frame: pd.DataFrame, model: str, levels: list[float], below: Floats, above: Floats
) -> pd.DataFrame:
    """Add limits at distances `below` and `above` the forecasts, shape (rows, levels)."""
    sides = {}
    for number, level in enumerate(levels):
        lower, upper = columns(model, level)
        sides[lower] = frame[model] - below[:, number]
        sides[upper] = frame[model] + above[:, number]
    return frame.assign(**sides)


def complete_results(
    frame: pd.DataFrame, model: str, history: pd.DataFrame, settings: dict[str, Any]
) -> pd.DataFrame:
    """Add the missing levels to cross-validation results, without crossing quantiles.

    Each window is calibrated on others (:func:`forerun.config.windows.others`). With one window,
    each half of the series is calibrated on the other half; a single series then has no intervals.
    """
    levels = missing_levels(frame, model, settings)
    if levels and len(frame):
        index = WindowIndex.of(frame)
        if settings.get("interval_scale") == "fitted":
            actual, forecast = index.spread(frame["y"]), index.spread(frame[model])
            limits = fitted_widths.limits_of_results(
                actual, forecast, history, index.ids, settings, levels
            )
        else:
            residuals = index.spread(frame["y"] - frame[model])
            limits = (_of_results(residuals, history, index, settings, levels),) * 2
        below, above = (side[index.series, index.window, index.step] for side in limits)
        frame = _assign(frame, model, levels, below, above)
    return uncross(frame, model)


def _of_results(
    residuals: Floats,
    history: pd.DataFrame,
    index: WindowIndex,
    settings: dict[str, Any],
    levels: list[float],
) -> Floats:
    """Return the half widths of all windows, shape (series, windows, steps, levels)."""
    seen = windows.held_out(settings)
    naive = naive_scale(history, index.ids, int(settings["season_length"]), seen)
    half = np.full((*index.shape, len(levels)), np.nan)
    for window in range(index.shape[1]):
        rest = windows.others(settings, window, index.shape[1])
        half[:, window] = _half_widths(residuals, naive, levels, rest)
    return half


def _half_widths(residuals: Floats, naive: Floats, levels: list[float], rest: list[int]) -> Floats:
    """Return half widths for a window from the windows `rest`, shape (series, steps, levels)."""
    series, _, steps = residuals.shape
    if rest:
        widths = calibrate(residuals[:, rest], naive, levels)
        return _scaled(widths, naive, steps, np.arange(series)) if widths else np.array(np.nan)
    half = np.full((series, steps, len(levels)), np.nan)
    for part in (slice(0, None, 2), slice(1, None, 2)):
        other = slice(1 - part.start, None, 2)
        if len(naive[other]) and (widths := calibrate(residuals[other], naive[other], levels)):
            unseen = np.full(len(naive[part]), -1)
            half[part] = _scaled(widths, naive[part], steps, unseen)
    return half


def _scaled(widths: Widths, naive: Floats, steps: int, place: Any) -> Floats:
    """Return half widths of series at positions `place` of the calibration (-1: new series)."""
    ratio = np.where(place >= 0, widths.ratio[place], widths.typical)
    pooled = widths.pooled[np.minimum(np.arange(steps), len(widths.pooled) - 1)]
    half = (naive * ratio)[:, None, None] * pooled[None]
    if widths.own is not None:
        calibrated = np.flatnonzero(place >= 0)
        common = min(steps, widths.own.shape[1])
        half[calibrated, :common] = widths.own[place[calibrated], :common]
    return half


def complete_forecasts(
    frame: pd.DataFrame,
    model: str,
    results: pd.DataFrame | None,
    history: pd.DataFrame,
    settings: dict[str, Any],
    past: Past | None = None,
) -> pd.DataFrame:
    """Add the missing levels to forecasts of the future, without crossing quantiles.

    Parameters
    ----------
    frame : ``unique_id``, ``ds``, ``<model>``; sorted
    results : the model's cross-validation results for calibration, sorted
    history : history of the forecast series, which may differ from those of `results`
    past : of the same history, for several models
    """
    past = past or Past(history)
    levels = missing_levels(frame, model, settings)
    if levels and results is not None and len(results):
        series, ids = pd.factorize(frame["unique_id"])
        step = frame.groupby("unique_id", observed=True, sort=False).cumcount().to_numpy()
        if settings.get("interval_scale") == "fitted":
            forecast = np.full((len(ids), int(step.max()) + 1), np.nan)
            forecast[series, step] = frame[model]
            limits = fitted_widths.limits_of_forecasts(
                forecast, np.asarray(ids), results, model, past, settings, levels
            )
        else:
            half = _of_forecasts(
                np.asarray(ids), int(step.max()) + 1, results, model, history, settings, levels
            )
            limits = None if half is None else (half, half)
        if limits:
            below, above = (side[series, step] for side in limits)
            frame = _assign(frame, model, levels, below, above)
    return uncross(frame, model)


def _of_forecasts(
    ids: Any,
    steps: int,
    results: pd.DataFrame,
    model: str,
    history: pd.DataFrame,
    settings: dict[str, Any],
    levels: list[float],
) -> Floats | None:
    """Return the half widths of forecasts, shape (series, steps, levels)."""
    index, season = WindowIndex.of(results), int(settings["season_length"])
    place = pd.Index(index.ids).get_indexer(ids)
    naive = naive_scale(history, ids, season)
    at_calibration = naive_scale(results, index.ids, season)  # for series without forecasts
    at_calibration[place[place >= 0]] = naive[place >= 0]
    widths = calibrate(index.spread(results["y"] - results[model]), at_calibration, levels)
    return _scaled(widths, naive, steps, place) if widths else None
