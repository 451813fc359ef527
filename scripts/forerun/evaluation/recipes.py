"""Weights of an ensemble from some windows of the cross-validation.

:mod:`forerun.evaluation.selection` describes the methods and chooses the windows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.config import windows
from forerun.config.own_metrics import SURROGATE
from forerun.evaluation.arrays import Floats, WindowIndex, mean
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
from forerun.evaluation.measures import Measures
from forerun.evaluation.objective import Objective
from forerun.evaluation.stacking import shares_by_error, shrunk_weights
from forerun.runs.metric_functions import OwnMetric

#: Minimum number of windows to select a model for a single series.
MIN_WINDOWS = 2
#: Minimum number of series to weight models by a single window.
MANY_SERIES = 100
#: Methods that combine several means.
BLENDS = ("adaptive", "blend")
#: Maximum number of windows to judge the parts of an adaptive ensemble by.
MOST_JUDGED = 4


@dataclass
class Stack:
    """Forecasts of all models for the same windows.

    Attributes
    ----------
    keys : DataFrame with ``unique_id``, ``ds``, ``cutoff``, ``y``, sorted
    forecasts : array, shape (models, series, windows, steps)
    actual : array, shape (series, windows, steps)
    objective : the error by which models are combined
    own : the metric by which the best model is chosen, if it is the user's own
    own_scale : array, shape (series, windows): scales for that metric, or None
    """

    models: list[str]
    keys: pd.DataFrame
    index: WindowIndex
    forecasts: Floats
    actual: Floats
    objective: Objective
    own: OwnMetric | None = None
    own_scale: Floats | None = None

    def judged(self, errors: Floats) -> Floats:
        """Return the errors by which the best model is chosen: `errors`, or those of `own`."""
        if self.own is None:
            return errors
        steps = self.objective.steps
        return np.stack(
            [
                self.own.errors(self.actual, each, self.own_scale, step_weights=steps)
                for each in self.forecasts
            ]
        )


def stack(
    keys: pd.DataFrame,
    columns: dict[str, npt.NDArray[Any]],
    history: pd.DataFrame,
    settings: dict[str, Any],
    measures: Measures | None = None,
) -> Stack:
    """Stack the forecasts of the models (one value for each row of `keys`)."""
    index, measures = WindowIndex.of(keys), measures or Measures.of_steps(settings)
    array = np.empty((len(columns), *index.shape))
    for number, values in enumerate(columns.values()):
        array[number] = index.spread(values)
    own = measures.own.get(settings["sort_metric"])
    metric = SURROGATE if own else settings["sort_metric"]
    scale = scales(index, history, settings, metric)
    scale = np.ones(index.shape[:2]) if scale is None else scale
    steps = measures.first_steps(index.shape[2])
    objective = Objective(metric, scale, steps, measures.by_series(index.ids))
    own_scale = scales(index, history, settings, "mase") if own and own.needs_scale else None
    actual = index.spread(keys["y"])
    return Stack(list(columns), keys, index, array, actual, objective, own, own_scale)


def recipe_of(
    stacked: Stack,
    by_window: Floats,
    chosen: list[int],
    settings: dict[str, Any],
    series: slice = slice(None),
) -> Recipe:
    """Return the recipe of the ensemble from the windows `chosen` of some series."""
    method = settings.get("ensemble") or "blend"
    models = len(stacked.models)
    if not chosen:
        return Recipe(np.full(models, 1.0 / models), np.full(models, True), (0.0, 1.0, 0.0))
    many = stacked.index.shape[0] >= MANY_SERIES or stacked.index.shape[1] > 1
    shrinks = method in BLENDS and len(chosen) < MIN_WINDOWS and many
    shares = _shares(method, len(chosen), stacked.index.shape)
    greedily = bool(shares[1]) and not shrinks
    recipe = _parts(stacked, by_window, chosen, settings, series, greedily)
    if shrinks:
        return _shrunk(stacked, recipe.members, chosen, settings, series)
    if method == "adaptive" and len(chosen) >= MIN_WINDOWS:
        shares = _adapted(stacked, by_window, chosen, settings)
    own = recipe.own if shares[0] else None
    return replace(recipe, shares=shares, own=own, median=method == "median")


def _parts(
    stacked: Stack,
    by_window: Floats,
    chosen: list[int],
    settings: dict[str, Any],
    series: slice = slice(None),
    greedily: bool = True,
) -> Recipe:
    """Return the weights of all parts from the windows `chosen` of some series.

    Parameters
    ----------
    greedily : whether the mean with the same weights for all series is needed; equal ones if not
    """
    some = by_window[:, series][:, :, chosen]
    objective = stacked.objective.part(series, chosen)
    good = good_members(stacked.models, some, objective.series)
    own = series_weights(mean(some, 2), objective.series)
    if not greedily:
        return Recipe(good / good.sum(), good, METHODS["blend"], own)
    weights = greedy(
        stacked.forecasts[:, series][:, :, chosen],
        stacked.actual[series][:, chosen],
        objective,
        settings["ensemble_size"],
        settings["seed"],
    )
    return Recipe(weights, good, METHODS["blend"], own)


def _adapted(
    stacked: Stack, by_window: Floats, chosen: list[int], settings: dict[str, Any]
) -> tuple[float, float, float]:
    """Return the shares of the parts, by their errors in windows that did not determine them.

    Each part forecasts some of the windows `chosen` with the weights from the others.
    """
    number, before = stacked.index.shape[1], METHODS["adaptive"]
    places = np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_JUDGED)).round().astype(int)
    judged = [chosen[place] for place in places]
    alone: list[tuple[float, float, float]] = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    forecasts: list[list[Floats]] = [[], [], []]
    for window in judged:
        rest = [one for one in windows.others(settings, window, number) if one in chosen]
        if not rest:  # all others overlap it
            return before
        recipe = _parts(stacked, by_window, rest, settings)
        for part, shares in zip(forecasts, alone, strict=True):
            part.append(mix(stacked.forecasts[:, :, window], replace(recipe, shares=shares)))
    weights = np.array(before) * shares_by_error(
        [np.stack(part, axis=1) for part in forecasts],
        stacked.actual[:, judged],
        stacked.objective.part(slice(None), judged),
    )
    by_series, equal, robust = (weights / weights.sum()).tolist()
    return by_series, equal, robust


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
