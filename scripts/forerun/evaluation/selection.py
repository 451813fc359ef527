"""Model selection and combination by out-of-fold results: ``per_series`` and ``ensemble``.

``per_series`` uses for each series the model with the lowest error over the windows. ``ensemble``
is a blend by default, as each of its parts alone overfits few windows on some data:

- one half is a mean with weights for each series
  (:func:`~forerun.evaluation.ensemble.series_weights`);
- a quarter is a mean with the same weights for all series, by greedy forward selection with
  replacement (Caruana et al. 2004, doi:10.1145/1015330.1015432): in each of 25 steps the model is
  added that reduces the error of the mean most;
- a quarter is the mean of the members without the lowest and the highest quarter of their forecasts
  at each step. Members are the models whose error is at most twice the lowest one and, unless
  SeasonalNaive is the best model, lower than that of SeasonalNaive.

Weights from a single window are worse than the plain mean on some data. With one window the
ensemble therefore combines the mean, the median and a mean with shrunk weights
(:mod:`~forerun.evaluation.stacking`) of the members, each by its error in that window; with fewer
than :data:`MANY_SERIES` series it is the trimmed mean alone.

Both are scored out of sample: the forecasts of each window use choices and weights from the other
windows. Forecasts of the future use all windows. With one window, members and weights for one half
of the series come from the other half, and there are none for single series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.config import windows
from forerun.config.names import ENSEMBLE, PER_SERIES
from forerun.evaluation.arrays import Floats, Ints, WindowIndex, mean
from forerun.evaluation.ensemble import (
    METHODS,
    Recipe,
    good_members,
    greedy,
    mix,
    sampled,
    series_weights,
)
from forerun.evaluation.losses import scales
from forerun.evaluation.objective import Objective
from forerun.evaluation.stacking import shares_by_error, shrunk_weights
from forerun.evaluation.weighting import Weights

#: Minimum number of windows to select a model for a single series.
MIN_WINDOWS = 2
#: Minimum number of series to weight models by a single window.
MANY_SERIES = 100


@dataclass
class Stack:
    """Forecasts of all models for the same windows.

    Attributes
    ----------
    keys : DataFrame with ``unique_id``, ``ds``, ``cutoff``, ``y``, sorted
    forecasts : array, shape (models, series, windows, steps)
    actual : array, shape (series, windows, steps)
    objective : the error by which models are chosen
    """

    models: list[str]
    keys: pd.DataFrame
    index: WindowIndex
    forecasts: Floats
    actual: Floats
    objective: Objective


def stack(
    keys: pd.DataFrame,
    columns: dict[str, npt.NDArray[Any]],
    history: pd.DataFrame,
    settings: dict[str, Any],
    weights: Weights | None = None,
) -> Stack:
    """Stack the forecasts of the models (one value for each row of `keys`)."""
    index = WindowIndex.of(keys)
    array = np.empty((len(columns), *index.shape))
    for number, values in enumerate(columns.values()):
        array[number] = index.spread(values)
    scale = scales(index, history, settings, settings["sort_metric"])
    scale = np.ones(index.shape[:2]) if scale is None else scale
    weights = weights or Weights.of_steps(settings)
    steps = None if weights.steps is None else weights.steps[: index.shape[2]]
    by_series = weights.by_series(index.ids)
    objective = Objective(settings["sort_metric"], scale, steps, by_series)
    return Stack(list(columns), keys, index, array, index.spread(keys["y"]), objective)


def choose(by_window: Floats, weights: Floats | None = None) -> tuple[Ints, int]:
    """Return the number of the best model for each series, and overall.

    Parameters
    ----------
    by_window : array, shape (models, series, windows)
        Errors. With fewer than :data:`MIN_WINDOWS` windows, or for series without a finite error,
        the model that is best overall is used.
    weights : array, shape (series,)
        Weights of the series in the overall error.
    """
    by_series = mean(by_window, 2)
    overall = int(np.argmin(np.nan_to_num(mean(by_series, 1, weights), nan=np.inf)))
    filled = np.nan_to_num(by_series, nan=np.inf)
    best = np.argmin(filled, axis=0)
    if by_window.shape[2] < MIN_WINDOWS:
        best = np.full(len(best), overall)
    return np.where(np.isfinite(filled.min(axis=0)), best, overall), overall


@dataclass
class Combined:
    """``per_series`` and ``ensemble`` of a run.

    Attributes
    ----------
    results : out-of-sample cross-validation results of each; ``per_series`` has the additional
        column ``chosen``
    record : content of ``ensemble.json``
    """

    results: dict[str, pd.DataFrame]
    record: dict[str, Any]


def combine(stacked: Stack, settings: dict[str, Any]) -> Combined:
    """Select and weight the models of a run by their out-of-fold results."""
    number, weights = stacked.index.shape[1], stacked.objective.series
    by_window = stacked.objective.errors(stacked.forecasts, stacked.actual)
    best = np.full(stacked.actual.shape, np.nan)
    chosen = np.full(stacked.actual.shape[:2], -1)
    mixed = np.full(stacked.actual.shape, np.nan)
    recipes = []
    for window in range(number):
        rest = windows.others(settings, window, number)
        recipes.append(_recipe(stacked, by_window, rest, settings))
        mixed[:, window] = mix(stacked.forecasts[:, :, window], recipes[-1])
        if rest:
            pick, _ = choose(by_window[:, :, rest], weights)
            chosen[:, window] = pick
            best[:, window] = stacked.forecasts[pick, np.arange(len(pick)), window]
    _, overall = choose(by_window, weights)
    final = _recipe(stacked, by_window, list(range(number)), settings)
    if number == 1:
        mixed[:, 0] = _halves(stacked, by_window, settings)
    record = _record(stacked, settings, recipes, final)
    record[PER_SERIES] = {"overall": stacked.models[overall], "per_series": number >= MIN_WINDOWS}
    rows = stacked.index.rows
    results = {ENSEMBLE: stacked.keys.assign(**{ENSEMBLE: rows(mixed)})}
    names = np.array([*stacked.models, ""])[chosen[stacked.index.series, stacked.index.window]]
    frame = stacked.keys.assign(**{PER_SERIES: rows(best), "chosen": names})
    results[PER_SERIES] = frame if number > 1 else frame.iloc[:0]
    return Combined(results, record)


def _halves(stacked: Stack, by_window: Floats, settings: dict[str, Any]) -> Floats:
    """Combine a single window: each half of the series with weights from the other half."""
    mixed = np.empty(stacked.actual[:, 0].shape)
    for part in (slice(0, None, 2), slice(1, None, 2)):
        other = slice(1 - part.start, None, 2) if len(mixed) > 1 else part
        recipe = _recipe(stacked, by_window, [0], settings, other)
        mixed[part] = mix(stacked.forecasts[:, part, 0], recipe)
    return mixed


def _recipe(
    stacked: Stack,
    by_window: Floats,
    chosen: list[int],
    settings: dict[str, Any],
    series: slice = slice(None),
) -> Recipe:
    """Return the recipe of the ensemble from the windows `chosen` of some series."""
    method = settings.get("ensemble") or "blend"
    models = len(stacked.models)
    equal = np.full(models, 1.0 / models)
    if not chosen:
        return Recipe(equal, np.full(models, True), (0.0, 1.0, 0.0))
    by_window = by_window[:, series][:, :, chosen]
    objective = stacked.objective.part(series, chosen)
    good = good_members(stacked.models, by_window, objective.series)
    many = stacked.index.shape[0] >= MANY_SERIES or stacked.index.shape[1] > 1
    if method == "blend" and len(chosen) < MIN_WINDOWS and many:
        return _shrunk(stacked, good, chosen, settings, series)
    shares = _shares(method, len(chosen), stacked.index.shape)
    own = series_weights(mean(by_window, 2), objective.series) if shares[0] else None
    if not shares[1]:
        return Recipe(good / good.sum(), good, shares, own, method == "median")
    weights = greedy(
        stacked.forecasts[:, series][:, :, chosen],
        stacked.actual[series][:, chosen],
        objective,
        settings["ensemble_size"],
        settings["seed"],
    )
    return Recipe(weights, good, shares, own)


def _shrunk(
    stacked: Stack,
    good: npt.NDArray[np.bool_],
    chosen: list[int],
    settings: dict[str, Any],
    series: slice,
) -> Recipe:
    """Return a recipe of mean, median and shrunk weights, weighted by their errors."""
    seen = sampled(
        stacked.forecasts[good][:, series][:, :, chosen],
        stacked.actual[series][:, chosen],
        stacked.objective.part(series, chosen),
        settings["seed"],
    )
    found = shrunk_weights(*seen)
    equal = np.full(len(found), 1.0 / len(found))
    candidates = [
        np.tensordot(found, seen[0], axes=1),
        np.tensordot(equal, seen[0], axes=1),
        np.median(seen[0], axis=0),
    ]
    counts = shares_by_error(candidates, *seen[1:])
    weights = np.zeros(len(good))
    weighted = counts[0] + counts[1]
    weights[good] = (counts[0] * found + counts[1] * equal) / max(weighted, 1e-12)
    return Recipe(weights, good, (0.0, float(weighted), float(counts[2])), None, True)


def _shares(method: str, chosen: int, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Return the shares of a method, adjusted if there are too few windows or series.

    Parameters
    ----------
    chosen : number of windows that weights are learned from
    shape : series, windows, ... of the run
    """
    series, number = shape[:2]
    if number == 1 and series < MANY_SERIES:
        return 0.0, 0.0, 1.0
    by_series, equal, robust = METHODS[method]
    if chosen >= MIN_WINDOWS or not by_series:
        return by_series, equal, robust
    return 0.0, equal + by_series / 2, robust + by_series / 2


def _record(
    stacked: Stack, settings: dict[str, Any], by_window: list[Recipe], final: Recipe
) -> dict[str, Any]:
    def named(weights: Floats) -> dict[str, float]:
        pairs = zip(stacked.models, weights.round(6).tolist(), strict=True)
        return {model: weight for model, weight in pairs if weight > 0}

    number = stacked.index.shape[1]
    note = "one window: no weights for single series, and no window is left to score per_series on"
    return {
        "method": settings.get("ensemble") or "blend",
        "metric": settings["sort_metric"],
        "size": settings["ensemble_size"],
        "windows": number,
        "models": stacked.models,
        "robust": "median" if final.median else "trimmed_mean",
        "shares": dict(zip(("by_series", "greedy", "robust"), final.shares, strict=True)),
        "weights_by_series": None if final.own is None else named(final.own.mean(axis=1)),
        "weights": named(final.weights),
        "members": [m for m, good in zip(stacked.models, final.members, strict=True) if good],
        "weights_by_window": [named(recipe.weights) for recipe in by_window if number > 1],
        "note": note if number == 1 else None,
    }
