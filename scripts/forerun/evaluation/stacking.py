"""Weights by regression on out-of-fold forecasts, shrunk to equal weights.

Weights fitted closely to one window do worse in the next than equal weights. The regression
therefore penalizes the distance from equal weights, and its forecast is averaged with the mean and
the median of the models, weighted by their errors in that window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forerun.evaluation.arrays import Floats
from forerun.evaluation.losses import SCALED
from forerun.evaluation.objective import Objective

#: Penalty of the distance from equal weights, in units of the error of the mean.
PENALTY = 1.0
#: Number of reweightings and steps, and the smallest error relative to the mean, used as a floor.
REWEIGHTINGS, STEPS, SMALLEST = 15, 200, 0.05
#: A candidate whose error is larger by this share of the lowest one gets 1/e of its weight.
TOLERANCE = 0.02


def shrunk_weights(forecasts: Floats, actual: Floats, objective: Objective) -> Floats:
    """Return nonnegative weights, shape (models,), that sum to 1 and minimize absolute errors.

    Errors are divided by the metric's denominator.

    Parameters
    ----------
    forecasts : array, shape (models, series, windows, steps)
    actual : array, shape (series, windows, steps)
    objective : the metric, with denominators and weights
    """
    models = len(forecasts)
    equal = np.full(models, 1.0 / models)
    unit = _units(actual, objective)
    inputs, targets = (forecasts / unit).reshape(models, -1), (actual / unit).ravel()
    usable = np.isfinite(targets) & np.isfinite(inputs).all(axis=0)
    counts = objective.of_values(actual.shape)[usable]
    inputs, targets = inputs[:, usable], targets[usable]
    usual = float((counts * np.abs(targets - equal @ inputs)).mean()) if len(targets) else 0.0
    if models == 1 or usual <= 0 or not np.isfinite(usual):
        return equal
    weights = equal
    for _ in range(REWEIGHTINGS):
        error = np.abs(targets - weights @ inputs)
        weighted = counts * inputs / np.maximum(error, SMALLEST * usual)
        gram = weighted @ inputs.T / len(targets) + PENALTY * usual * np.eye(models)
        pull = weighted @ targets / len(targets) + PENALTY * usual * equal
        weights = _on_simplex(gram, pull, weights)
    return weights


def _units(actual: Floats, objective: Objective) -> Floats:
    if objective.metric in SCALED:
        unit = np.broadcast_to(objective.scale[..., None], actual.shape)
    elif objective.metric in ("mape", "smape"):
        unit = np.abs(actual)
    else:
        return np.ones_like(actual)
    return np.where(unit > 0, unit, np.nan)


def _on_simplex(gram: Floats, pull: Floats, start: Floats) -> Floats:
    """Minimize w'Gw/2 - p'w over weights that sum to 1: accelerated projected gradients."""
    rate = 1.0 / float(np.linalg.eigvalsh(gram)[-1])
    weights, ahead, momentum = start, start, 1.0
    for _ in range(STEPS):
        new = projected(ahead - rate * (gram @ ahead - pull))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - weights)
        weights, momentum = new, following
    return weights


def projected(values: Floats) -> Floats:
    """Return the nearest nonnegative weights that sum to 1."""
    ordered = np.sort(values)[::-1]
    excess = np.cumsum(ordered) - 1.0
    last = np.flatnonzero(ordered - excess / np.arange(1, len(values) + 1) > 0)[-1]
    return np.maximum(values - excess[last] / (last + 1), 0.0)


def shares_by_error(candidates: Sequence[Floats], actual: Floats, objective: Objective) -> Floats:
    """Return the weight of each of several forecasts of the same windows, by its error."""
    found = np.array([objective.error(each, actual) for each in candidates])
    found = np.where(np.isfinite(found), found, np.inf)
    lowest = found.min()
    if not np.isfinite(lowest) or lowest <= 0:
        return np.full(len(found), 1.0 / len(found))
    weights = np.exp(-(found / lowest - 1) / TOLERANCE)
    return np.asarray(weights / weights.sum())
