"""Model selection and combination by out-of-fold results: ``per_series`` and ``ensemble``.

``per_series`` uses for each series the model with the lowest error over the windows. ``ensemble``
is a blend, as each of its parts alone overfits few windows on some data:

- one half is a mean with weights for each series
  (:func:`~forerun.evaluation.ensemble.series_weights`);
- a quarter is a mean with the same weights for all series, by greedy forward selection with
  replacement (Caruana et al. 2004, doi:10.1145/1015330.1015432): in each of 25 steps the model is
  added that reduces the error of the mean most;
- a quarter is the mean of the members without the lowest and the highest quarter of their forecasts
  at each step. Members are the models whose error is at most twice the lowest one, and at most
  that of SeasonalNaive plus a quarter, divided by the number of windows; SeasonalNaive is a member
  only if it is the best model.

By default (``adaptive``) these shares are multiplied by a weight that decreases with the error of
the part in windows that did not determine it: where one model is much better than the others, only
greedy selection comes near it.

Weights from a single window are worse than the plain mean on some data. With one window the
ensemble therefore combines the mean, the median and a mean with shrunk weights
(:mod:`~forerun.evaluation.stacking`) of the members, each by its error in that window; with fewer
than :data:`MANY_SERIES` series it is the trimmed mean alone.

If models are chosen by a metric of the user's own, the weights and members of the ensemble are
learned with MAE.

Both are scored out of sample: the forecasts of each window use choices and weights from the other
windows. Forecasts of the future use all windows. With one window, members and weights for one half
of the series come from the other half, and there are none for single series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forerun.config import windows
from forerun.config.names import ENSEMBLE, PER_SERIES
from forerun.evaluation.arrays import Floats, Ints, mean
from forerun.evaluation.ensemble import Recipe, mix
from forerun.evaluation.recipes import MIN_WINDOWS, Stack, recipe_of


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
    judged = stacked.judged(by_window)
    best = np.full(stacked.actual.shape, np.nan)
    chosen = np.full(stacked.actual.shape[:2], -1)
    mixed = np.full(stacked.actual.shape, np.nan)
    recipes = []
    for window in range(number):
        rest = windows.others(settings, window, number)
        recipes.append(recipe_of(stacked, by_window, rest, settings))
        mixed[:, window] = mix(stacked.forecasts[:, :, window], recipes[-1])
        if rest:
            pick, _ = choose(judged[:, :, rest], weights)
            chosen[:, window] = pick
            best[:, window] = stacked.forecasts[pick, np.arange(len(pick)), window]
    _, overall = choose(judged, weights)
    final = recipe_of(stacked, by_window, list(range(number)), settings)
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
        recipe = recipe_of(stacked, by_window, [0], settings, other)
        mixed[part] = mix(stacked.forecasts[:, part, 0], recipe)
    return mixed


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
        "metric": stacked.objective.metric,
        "chosen_by": settings["sort_metric"],
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
