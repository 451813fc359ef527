"""Forecasts of ``per_series`` and ``ensemble`` from the forecasts of the models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forerun.config.names import ENSEMBLE, PER_SERIES, spellings
from forerun.evaluation.arrays import Floats
from forerun.evaluation.ensemble import Recipe, mix, series_weights
from forerun.evaluation.measures import Measures


def chosen_models(
    metrics: pd.DataFrame,
    record: dict[str, Any],
    models: list[str],
    settings: dict[str, Any],
    measures: Measures | None = None,
) -> tuple[pd.Series, str]:
    """Return the model that ``per_series`` uses for each series, and for any new series.

    Parameters
    ----------
    metrics : the run's ``metrics.csv``
    models : models with forecasts, to choose from
    """
    rows = metrics[metrics["metric"] == settings["sort_metric"]]
    own = rows.set_index("unique_id")[models]
    choice: dict[str, Any] = next(
        (record[name] for name in spellings(PER_SERIES) if record.get(name)), {}
    )
    overall = choice.get("overall")
    if overall not in models:
        means = (measures or Measures()).means(rows, models).iloc[0]
        overall = str(means.fillna(np.inf).idxmin())
    if not choice.get("per_series"):
        return pd.Series(overall, index=own.index), overall
    names = np.array(models)[np.argmin(own.fillna(np.inf).to_numpy(), axis=1)]
    scored = own.notna().any(axis=1).to_numpy()
    return pd.Series(np.where(scored, names, overall), index=own.index), overall


def per_series_forecasts(
    frames: dict[str, pd.DataFrame], chosen: pd.Series, overall: str
) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``per_series``, ``chosen``."""
    keys = next(iter(frames.values()))[["unique_id", "ds"]]
    names = keys["unique_id"].map(chosen).fillna(overall)
    values = np.full(len(keys), np.nan)
    for model, frame in frames.items():
        mine = (names == model).to_numpy()
        values[mine] = frame[model].to_numpy()[mine]
    return keys.assign(**{PER_SERIES: values}).assign(chosen=names)


def ensemble_forecasts(
    frames: dict[str, pd.DataFrame],
    record: dict[str, Any],
    metrics: pd.DataFrame,
    settings: dict[str, Any],
    measures: Measures | None = None,
) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``ensemble``.

    Parameters
    ----------
    metrics : the run's ``metrics.csv``, for the weights of each series
    record : ``ensemble.json``; weights are normalized over the models in `frames`
    measures : how errors of the run are measured; all series count equally by default
    """
    frames = dict(sorted(frames.items()))  # sums depend on their order in the last digit
    weights = np.array([record.get("weights", {}).get(model, 0.0) for model in frames])
    good = np.array([model in record.get("members", []) for model in frames])
    shares = (record.get("shares") or {"greedy": 1.0}).get
    parts = (shares("by_series", 0.0), shares("greedy", 0.0), shares("robust", 0.0))
    if not weights.sum():  # no model with a weight has forecasts
        weights = np.ones(len(frames))
    if not good.any():
        good = np.full(len(frames), True)
    keys = next(iter(frames.values()))[["unique_id", "ds"]]
    metric = record.get("metric") or settings["sort_metric"]
    own = _own_weights(keys, metrics, list(frames), metric, measures) if parts[0] else None
    median = "median" in (record.get("method"), record.get("robust"))
    recipe = Recipe(weights / weights.sum(), good, parts, own, median)
    array = np.stack([frame[model].to_numpy(dtype=float) for model, frame in frames.items()])
    return keys.assign(**{ENSEMBLE: mix(array, recipe)})


def _own_weights(
    keys: pd.DataFrame,
    metrics: pd.DataFrame,
    models: list[str],
    metric: str,
    measures: Measures | None,
) -> Floats:
    """Return weights, shape (models, rows of `keys`); series not in `metrics` get the mean."""
    error = metrics[metrics["metric"] == metric].set_index("unique_id")[models]
    counts = (measures or Measures()).by_series(error.index)
    weights = series_weights(error.to_numpy(dtype=float).T, counts)
    place = error.index.get_indexer(pd.Index(keys["unique_id"]))
    return np.where(place >= 0, weights[:, place], weights.mean(axis=1)[:, None])
