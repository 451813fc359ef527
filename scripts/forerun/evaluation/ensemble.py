"""Arithmetic of the ensemble: weights by greedy selection, members, and combined forecasts.

:mod:`forerun.evaluation.selection` chooses the windows from which weights are learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forerun.config.names import REFERENCE
from forerun.evaluation.arrays import Floats, mean
from forerun.evaluation.objective import Objective

#: Methods of the ensemble (key ``ensemble``): shares of the mean with weights for each series, the
#: mean with greedy weights, and the robust mean (or median); ``adaptive`` starts from its shares.
METHODS = {
    "adaptive": (0.5, 0.25, 0.25),
    "blend": (0.5, 0.25, 0.25),
    "by_series": (1.0, 0.0, 0.0),
    "greedy": (0.0, 1.0, 0.0),
    "trimmed_mean": (0.0, 0.0, 1.0),
    "median": (0.0, 0.0, 1.0),
}
#: Exponent by which a model's weight decreases with its error.
POWER = 1.5
#: Models with more than this multiple of the lowest error are not members of the mean.
WEAK = 2.0
#: Share by which the error of a member may exceed the reference's in a single window, and divided
#: by their number in several: in few windows the reference may be lucky.
LUCK = 0.25
#: Maximum number of forecast values to learn weights from; larger data are sampled by series.
MOST_VALUES = 300_000


@dataclass
class Recipe:
    """Weights and members of an ensemble.

    Attributes
    ----------
    weights : array, shape (models,): weights of the greedy mean, which sum to 1
    members : array of bool, shape (models,): models in the trimmed mean or median
    shares : shares of the parts, as in :data:`METHODS`
    own : array, shape (models, series): weights for each series, or None if their share is 0
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


def series_weights(error: Floats, weights: Floats | None = None) -> Floats:
    """Return weights of the models for each series, shape (models, series), from their errors.

    A weight decreases with the model's error for the series and, as few windows are not enough to
    judge a single series, with its overall error; both are relative to the other models.

    Parameters
    ----------
    weights : array, shape (series,): weights of the series in the overall error
    """
    typical = mean(error, 0)
    relative = error / np.where(typical > 0, typical, 1.0)
    relative = np.maximum(relative, 0.01)
    overall = mean(relative, 1, weights)
    product = np.nan_to_num(relative * overall[:, None], nan=np.inf)
    weights = product**-POWER
    total = weights.sum(axis=0)
    equal = 1.0 / len(error)
    return np.asarray(np.where(total > 0, weights / np.where(total > 0, total, 1.0), equal))


def trimmed_mean(forecasts: Floats) -> Floats:
    """Return the mean over the first axis without the lowest and the highest quarter."""
    cut = len(forecasts) // 4
    ordered = np.sort(forecasts, axis=0) if cut else forecasts
    return np.asarray(ordered[cut : len(forecasts) - cut].mean(axis=0))


def good_members(
    models: list[str], by_window: Floats, weights: Floats | None = None
) -> npt.NDArray[np.bool_]:
    """Return a mask of the models that are good enough for an unweighted mean.

    Parameters
    ----------
    by_window : array, shape (models, series, windows): errors
    weights : array, shape (series,): weights of the series
    """
    error = np.nan_to_num(mean(mean(by_window, 2), 1, weights), nan=np.inf)
    good = error <= WEAK * error.min()
    if REFERENCE in models:
        place = models.index(REFERENCE)
        good &= error <= error[place] * (1 + LUCK / by_window.shape[2])
        good[place] = error[place] == error.min()
    return np.asarray(good)


def sampled(
    forecasts: Floats, actual: Floats, objective: Objective, seed: int
) -> tuple[Floats, Floats, Objective]:
    """Return the arrays of a random sample of series that limits the time to find weights."""
    series, most = len(actual), max(1, MOST_VALUES // max(1, actual[0].size))
    if series <= most:
        return forecasts, actual, objective
    some = np.sort(np.random.default_rng(seed).choice(series, most, replace=False))
    return forecasts[:, some], actual[some], objective.part(some)


def greedy(
    forecasts: Floats, actual: Floats, objective: Objective, size: int, seed: int = 1
) -> Floats:
    """Return weights by greedy selection, shape (models,), that sum to 1 (Caruana et al. 2004).

    The intermediate mean with the lowest error is returned.
    """
    models = len(forecasts)
    forecasts, actual, objective = sampled(forecasts, actual, objective, seed)
    total, counts = np.zeros_like(actual), np.zeros(models)
    lowest, kept = np.inf, np.full(models, 1.0 / models)
    for number in range(1, size + 1):
        results = [objective.error((total + one) / number, actual) for one in forecasts]
        pick = int(np.argmin(np.nan_to_num(results, nan=np.inf)))
        total = total + forecasts[pick]
        counts[pick] += 1
        if results[pick] < lowest * (1 - 1e-12):
            lowest, kept = results[pick], counts / number
    return kept
