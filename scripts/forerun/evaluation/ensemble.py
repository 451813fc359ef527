"""Arithmetic of the ensemble: weights by greedy selection, members, and combining forecasts.

:mod:`forerun.evaluation.selection` decides which windows the weights are learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forerun.config.names import REFERENCE
from forerun.evaluation.arrays import Floats, mean
from forerun.evaluation.losses import errors

#: Ways to make the ensemble (key ``ensemble``): how much the mean with weights of each series, the
#: one with greedy weights, and the robust mean (or median) count.
METHODS = {
    "blend": (0.5, 0.25, 0.25),
    "by_series": (1.0, 0.0, 0.0),
    "greedy": (0.0, 1.0, 0.0),
    "trimmed_mean": (0.0, 0.0, 1.0),
    "median": (0.0, 0.0, 1.0),
}
#: How fast a model's weight falls with its error.
POWER = 1.5
#: A model with so many times the lowest error is no member of the mean.
WEAK = 2.0
#: Forecast values that weights are found on; of larger data a seeded sample of the series is used.
MOST_VALUES = 300_000


@dataclass
class Recipe:
    """How an ensemble is made of forecasts.

    Attributes
    ----------
    weights : array, shape (models,): of the greedy mean; they sum to 1
    members : array of bool, shape (models,): models in the trimmed mean or median
    shares : how much each part counts, as in :data:`METHODS`
    own : array, shape (models, series): weights for each series, or None if that share is 0
    """

    weights: Floats
    members: npt.NDArray[np.bool_]
    shares: tuple[float, float, float]
    own: Floats | None = None
    median: bool = False


def mix(forecasts: Floats, recipe: Recipe) -> Floats:
    """Combine forecasts, shape (models, series) or (models, series, steps)."""
    mixed = np.zeros(forecasts.shape[1:])
    by_series, greedy_share, robust = recipe.shares
    if by_series and recipe.own is not None:
        own = recipe.own.reshape(recipe.own.shape + (1,) * (forecasts.ndim - recipe.own.ndim))
        mixed += by_series * (own * forecasts).sum(axis=0)
    if greedy_share:
        mixed += greedy_share * np.tensordot(recipe.weights, forecasts, axes=1)
    if robust:
        chosen = forecasts[recipe.members]
        mixed += robust * (np.median(chosen, axis=0) if recipe.median else trimmed_mean(chosen))
    return mixed


def series_weights(error: Floats) -> Floats:
    """Return weights of the models for each series, shape (models, series), from their errors.

    A weight falls with the model's error at the series and, for few windows say little of one
    series, with its error overall; each is relative to the other models.
    """
    typical = mean(error, 0)
    relative = error / np.where(typical > 0, typical, 1.0)
    relative = np.maximum(relative, 0.01)
    overall = mean(relative, 1)
    product = np.nan_to_num(relative * overall[:, None], nan=np.inf)
    weights = product**-POWER
    total = weights.sum(axis=0)
    equal = 1.0 / len(error)
    return np.asarray(np.where(total > 0, weights / np.where(total > 0, total, 1.0), equal))


def trimmed_mean(forecasts: Floats) -> Floats:
    """Mean over the first axis without the lowest and the highest quarter of its entries."""
    cut = len(forecasts) // 4
    ordered = np.sort(forecasts, axis=0) if cut else forecasts
    return np.asarray(ordered[cut : len(forecasts) - cut].mean(axis=0))


def good_members(models: list[str], by_window: Floats) -> npt.NDArray[np.bool_]:
    """Return which models are good enough for an unweighted mean.

    Parameters
    ----------
    by_window : array, shape (models, series, windows): errors
    """
    error = np.nan_to_num(mean(mean(by_window, 2), 1), nan=np.inf)
    good = error <= WEAK * error.min()
    if REFERENCE in models:
        reference = error[models.index(REFERENCE)]
        good &= (error < reference) | (reference == error.min())
    return np.asarray(good)


def greedy(
    forecasts: Floats, actual: Floats, scale: Floats, metric: str, size: int, seed: int = 1
) -> Floats:
    """Return weights, shape (models,), that sum to 1 (Caruana et al. 2004).

    Of the means on the way that one is kept whose error is lowest.
    """
    models, series = forecasts.shape[:2]
    most = max(1, MOST_VALUES // max(1, actual[0].size))
    if series > most:
        some = np.sort(np.random.default_rng(seed).choice(series, most, replace=False))
        forecasts, actual, scale = forecasts[:, some], actual[some], scale[some]
    total, counts = np.zeros_like(actual), np.zeros(models)
    lowest, kept = np.inf, np.full(models, 1.0 / models)
    for number in range(1, size + 1):
        results = [
            float(mean(mean(errors((total + one) / number, actual, metric, scale), 1), 0))
            for one in forecasts
        ]
        pick = int(np.argmin(np.nan_to_num(results, nan=np.inf)))
        total = total + forecasts[pick]
        counts[pick] += 1
        if results[pick] < lowest * (1 - 1e-12):
            lowest, kept = results[pick], counts / number
    return kept
