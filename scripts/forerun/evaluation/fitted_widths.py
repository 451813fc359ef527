"""Widths of conformal intervals from few windows, in units that are fitted (``interval_scale``).

The unit of a series is ``naive ** (1 - exponent) * level ** exponent``: its seasonal naive error
and its level before the cutoff, with the exponent that describes the sizes of the out-of-fold
errors best. Errors of one window are correlated, so the errors of a series count as much as those
of all series only after several windows.

Limits of series with positive values only are not symmetric: the lower limit is nearer to the
forecast, as such errors are rather relative, and not negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.config import windows
from forerun.evaluation.arrays import Floats, Ints, WindowIndex, mean
from forerun.evaluation.series_units import Past, Units

#: Number of windows after which the errors of a series count as much as those of all series.
PRIOR = 4.0
#: Exponents to try, and the penalty of a large one: less with many series.
EXPONENTS, PENALTY = np.linspace(0.0, 1.0, 21), 3.0
#: Share of the symmetry of relative errors: 0 for symmetric limits, 1 for equal factors.
SKEW = 0.5
#: Number of errors beyond the outermost level that are enough without more neighboring steps, and
#: the number of neighboring steps that are always included.
BEYOND, NEIGHBORS = 10, 1


@dataclass
class Widths:
    """Half widths of intervals.

    Attributes
    ----------
    exponent : of the level, in the unit of a series
    pooled : array, shape (steps, levels), in units of a series times its ratio
    ratio : array, shape (series,): mean error of a series in its unit
    new : as `pooled`, for series that were not calibrated, in units of the series
    own : array, shape (series, steps, levels), or None with too few windows
    """

    exponent: float
    pooled: Floats
    ratio: Floats
    new: Floats
    own: Floats | None


def scores(actual: Floats, forecast: Floats, positive: npt.NDArray[np.bool_]) -> Floats:
    """Return the half width at which each limit would be the actual value, as in :func:`sides`."""
    fall = forecast - actual
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.where(forecast > 0, fall / forecast, 0.0), 0.0, 1.0)
    return np.where(positive & (fall > 0), fall / (1.0 - SKEW * share), np.abs(fall))


def sides(half: Floats, forecast: Floats, positive: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the distances of the lower and the upper limit from the forecast.

    Parameters
    ----------
    half : array, shape (series, steps, levels)
    forecast : array, shape (series, steps)
    positive : array, shape (series,)
    """
    center = forecast[..., None]
    skewed = positive[:, None, None] & (center > 0)
    size = np.where(skewed, center, 1.0)
    below = np.where(skewed, np.minimum(half / (1.0 + SKEW * half / size), size), half)
    return below, half


def calibrate(
    actual: Floats, forecast: Floats, units: Units, percents: list[float]
) -> Widths | None:
    """Compute widths from out-of-fold forecasts, shape (series, windows, steps).

    Parameters
    ----------
    units : of the same series and windows
    percents : levels, ascending
    """
    size = scores(actual, forecast, units.positive[..., None])
    number = np.sum(~np.isnan(size), axis=(1, 2))
    if not number.sum():
        return None
    exponent = _exponent(mean(size, 2), units)
    relative = size / units.with_exponent(exponent)[..., None]
    sums, prior = np.nansum(relative, axis=(1, 2)), PRIOR * size.shape[2]
    typical = float(np.median((sums / np.maximum(number, 1))[number > 0]))
    ratio = (sums + prior * typical) / (number + prior)
    ratio = np.where(ratio > 0, ratio, 1.0)
    needed = ceil(percents[-1] / (100 - percents[-1]))
    enough = size.shape[1] >= max(10, needed) and not np.isnan(size).any()
    own = np.moveaxis(_quantiles(np.moveaxis(size, 1, 0), percents), 0, -1) if enough else None
    pooled = _pooled(relative / ratio[:, None, None], percents)
    return Widths(exponent, pooled, ratio, _pooled(relative, percents), own)


def _exponent(size: Floats, units: Units) -> float:
    """Return the exponent of the level with the highest likelihood of errors, penalized.

    Parameters
    ----------
    size : array, shape (series, windows): mean errors
    """
    usable = np.isfinite(size)
    if usable.any(axis=1).sum() < 2:
        return 0.0
    error = (size / units.naive)[usable]
    level = np.log(units.relative_level())[usable]
    level = level - level.mean()
    spread = PENALTY / usable.any(axis=1).sum() * level.std() ** 2
    with np.errstate(divide="ignore"):  # errors may all be zero
        loss = [np.log((error * np.exp(-e * level)).mean()) + spread * e**2 for e in EXPONENTS]
    return float(EXPONENTS[int(np.argmin(loss))])


def _quantiles(values: Floats, percents: list[float]) -> Floats:
    """Return the conformal quantiles over the first axis; the maximum if there are too few."""
    ordered, number = np.sort(values, axis=0), len(values)
    ranks = [min(ceil((number + 1) * percent / 100 - 1e-9), number) for percent in percents]
    return ordered[np.array(ranks) - 1]


def _pooled(relative: Floats, percents: list[float]) -> Floats:
    """Return quantiles over series and windows for each step and its neighbors."""
    steps, wanted = relative.shape[2], ceil(BEYOND / (1 - percents[-1] / 100))
    by_step = [column[~np.isnan(column)] for column in np.moveaxis(relative, 2, 0)]
    result = np.empty((steps, len(percents)))
    for step in range(steps):
        for radius in range(NEIGHBORS, max(NEIGHBORS, steps - 1) + 1):
            near = np.concatenate(by_step[max(0, step - radius) : step + radius + 1])
            if len(near) >= wanted:
                break
        result[step] = _quantiles(near, percents)
    return result


def limits(
    widths: Widths, forecast: Floats, units: Units, place: Ints | None = None
) -> tuple[Floats, Floats]:
    """Return the distances of the limits from forecasts, shape (series, steps, levels).

    Parameters
    ----------
    forecast : array, shape (series, steps)
    units : of the series at one cutoff
    place : position of each series in the calibration, -1 if it is new; None if all are new
    """
    place = np.full(len(forecast), -1) if place is None else place
    steps = forecast.shape[1]
    step = np.minimum(np.arange(steps), len(widths.pooled) - 1)
    own = widths.ratio[place][:, None, None] * widths.pooled[step]
    relative = np.where(place[:, None, None] >= 0, own, widths.new[step])
    half = units.with_exponent(widths.exponent)[:, 0, None, None] * relative
    if widths.own is not None:
        calibrated = np.flatnonzero(place >= 0)
        common = min(steps, widths.own.shape[1])
        half[calibrated, :common] = widths.own[place[calibrated], :common]
    return sides(half, forecast, units.positive[:, 0])


def limits_of_results(
    actual: Floats,
    forecast: Floats,
    history: pd.DataFrame,
    ids: npt.NDArray[Any],
    settings: dict[str, Any],
    percents: list[float],
) -> tuple[Floats, Floats]:
    """Return distances of the limits in cross-validation, shape (series, windows, steps, levels).

    Each window is calibrated on others; a single one by halves of the series.
    """
    number = actual.shape[1]
    after = np.arange(number)[::-1] * windows.step_size(settings) + windows.reach(settings)
    units = Units.of(history, ids, after, int(settings["season_length"]))
    below, above = (np.full((*actual.shape, len(percents)), np.nan) for _ in range(2))
    halves = [(slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))]
    whole = (slice(None), slice(None))
    for window in range(number):
        rest = windows.others(settings, window, number)
        for part, other in [whole] if rest else halves:
            seen = (other, rest or [window])
            if not len(ids[other]):
                continue
            widths = calibrate(
                actual[seen[0]][:, seen[1]],
                forecast[seen[0]][:, seen[1]],
                units.take(*seen),
                percents,
            )
            if widths:
                place = np.arange(len(ids)) if rest else None
                one = units.take(part, [window])
                found = limits(widths, forecast[part][:, window], one, place)
                below[part, window], above[part, window] = found
    return below, above


def limits_of_forecasts(
    forecast: Floats,
    ids: npt.NDArray[Any],
    results: pd.DataFrame,
    model: str,
    past: Past,
    settings: dict[str, Any],
    percents: list[float],
) -> tuple[Floats, Floats] | None:
    """Return the distances of the limits of forecasts, shape (series, steps, levels).

    Parameters
    ----------
    forecast : array, shape (series of `ids`, steps)
    results : cross-validation results, sorted
    past : of the series to forecast; those of `results` may be others
    """
    index, season = WindowIndex.of(results), int(settings["season_length"])
    actual, fitted = index.spread(results["y"]), index.spread(results[model])
    own = pd.Index(past.history["unique_id"].unique()).get_indexer(index.ids) >= 0
    after = _after_cutoffs(results, index, past, settings)
    units = past.units(index.ids, after, season)
    if not own.all():  # series that are not forecast: from their windows alone
        other = Units.of(results, index.ids, np.zeros_like(after), season)
        units = Units(
            *(
                np.where(own[:, None], mine, given)
                for mine, given in zip(vars(units).values(), vars(other).values(), strict=True)
            )
        )
    widths = calibrate(actual, fitted, units, percents)
    if widths is None:
        return None
    now = past.units(ids, np.zeros(1, dtype=np.int64), season)
    return limits(widths, forecast, now, pd.Index(index.ids).get_indexer(ids))


def _after_cutoffs(
    results: pd.DataFrame, index: WindowIndex, past: Past, settings: dict[str, Any]
) -> Ints:
    """Return the number of rows of the history after each cutoff, shape (series, windows)."""
    last = results.groupby("unique_id", sort=False, observed=True)["cutoff"].last()
    after = past.rows_after(index.ids, last.reindex(index.ids).to_numpy())
    back = np.arange(index.shape[1])[::-1] * windows.step_size(settings)
    return np.asarray(after[:, None] + back[None])
