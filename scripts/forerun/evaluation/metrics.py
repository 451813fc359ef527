"""Metrics of cross-validation results by series and model, and the leaderboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from forerun.config.models import specs
from forerun.config.names import REFERENCE, reference
from forerun.evaluation.arrays import Floats, WindowIndex, mean
from forerun.evaluation.intervals import columns
from forerun.evaluation.losses import errors, interval_errors, scales
from forerun.evaluation.measures import Measures
from forerun.runs import metric_functions
from forerun.runs.outcome import ModelStatus

#: Reason on the leaderboard for networks with a higher error than the reference.
WORSE = f"worse than {REFERENCE}"

KEYS = ["unique_id", "ds", "cutoff", "y"]


def interval_metrics(settings: dict[str, Any]) -> list[str]:
    """Return the names of the metrics of the run's ``levels``."""
    levels = settings.get("levels") or []
    kinds = ("coverage", "width", "winkler")
    names = [f"{name}_level{level:g}" for name in kinds for level in levels]
    return [*names, "mqloss", "scaled_crps", "wql"] if levels else []


def score(
    cv: pd.DataFrame,
    model: str,
    history: pd.DataFrame,
    settings: dict[str, Any],
    measures: Measures | None = None,
) -> pd.DataFrame:
    """Return ``unique_id``, ``metric``, ``<model>``: the mean of each metric over the windows.

    Scaled errors (MASE, RMSSE: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001) are
    scaled by the data up to the cutoff of each window. If the run has levels and the model has
    intervals, the result includes the metrics of :func:`interval_metrics`.

    Parameters
    ----------
    cv : cross-validation results, sorted by series, cutoff and time
    history : ``unique_id``, ``y``, sorted by series and time
    measures : how errors of the run are measured; by default with the weights of the steps alone
    """
    index = WindowIndex.of(cv)
    measures = measures or Measures.of_steps(settings)
    steps = measures.first_steps(index.shape[2])
    actual, forecast = index.spread(cv["y"]), index.spread(cv[model])
    lower, upper = _limits(cv, model, index, settings)
    values = {}
    for name in settings["metrics"]:
        own = measures.own.get(name)
        if own is not None:
            scale = scales(index, history, settings, "mase") if own.needs_scale else None
            values[name] = own.errors(actual, forecast, scale, _quantiles(lower, upper), steps)
            continue
        scale = scales(index, history, settings, name)
        values[name] = errors(forecast, actual, name, scale, steps)
    if lower:
        values |= interval_errors(actual, lower, upper, steps, measures.by_series(index.ids))
    by_series = np.stack([mean(error, 1) for error in values.values()], axis=1)
    by_series[~np.isfinite(by_series)] = np.nan  # the scale of a constant series is 0
    table = {
        "unique_id": np.repeat(index.ids, len(values)),
        "metric": np.tile(np.array(list(values), dtype=object), len(index.ids)),
    }
    return pd.DataFrame(table | {model: by_series.ravel()})


def _limits(
    cv: pd.DataFrame, model: str, index: WindowIndex, settings: dict[str, Any]
) -> tuple[dict[float, Floats], dict[float, Floats]]:
    """Return the lower and the upper limits of the run's levels; empty without intervals."""
    sides = {level: columns(model, level) for level in settings.get("levels") or []}
    bounds = [name for pair in sides.values() for name in pair]
    if not all(name in cv.columns and cv[name].notna().all() for name in bounds):
        return {}, {}
    lower, upper = (
        {level: index.spread(cv[pair[side]]) for level, pair in sides.items()} for side in (0, 1)
    )
    return lower, upper


def _quantiles(
    lower: dict[float, Floats], upper: dict[float, Floats]
) -> dict[float, Floats] | None:
    """Return the quantiles of intervals, for own metrics; None without intervals."""
    found: dict[float, Floats] = {}
    for level in lower:
        low, high = metric_functions.sides(level)
        found |= {low: lower[level], high: upper[level]}
    return dict(sorted(found.items())) or None


def _ordered(table: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    """Sort by series, then by metric: configured ones first, then those of the levels."""
    names = [*settings["metrics"], *interval_metrics(settings)]
    order = {name: number for number, name in enumerate(names)}
    ranked = table.assign(_order=table["metric"].map(order))
    return ranked.sort_values(["unique_id", "_order"], ignore_index=True).drop(columns="_order")


def means(
    scores: pd.DataFrame, model: str, measures: Measures | None = None
) -> dict[str, float | None]:
    """Return the mean of each metric over the series, in the order of `scores`."""
    table = (measures or Measures()).means(scores, [model])[model]
    return {str(name): None if pd.isna(value) else float(value) for name, value in table.items()}


def side_by_side(scores: Iterable[pd.DataFrame], settings: dict[str, Any]) -> pd.DataFrame:
    """Merge the scores of models (see :func:`score`) into one table with a column for each."""
    first, *others = scores = list(scores) or [pd.DataFrame(columns=["unique_id", "metric"])]
    if all(_have_same_rows(first, other) for other in others):
        return first.assign(**{str(own.columns[2]): own.iloc[:, 2] for own in others})
    columns = [frame.set_index(["unique_id", "metric"]).iloc[:, 0] for frame in scores]
    return _ordered(pd.concat(columns, axis=1).reset_index(), settings)


def _have_same_rows(first: pd.DataFrame, other: pd.DataFrame) -> bool:
    return len(first) == len(other) and all(
        (first[name].to_numpy() == other[name].to_numpy()).all() for name in ("unique_id", "metric")
    )


def leaderboard(
    metrics: pd.DataFrame,
    statuses: Mapping[str, ModelStatus],
    settings: dict[str, Any],
    measures: Measures | None = None,
) -> pd.DataFrame:
    """Return one row for each model and combination, by ``sort_metric``; failed models last.

    Columns: ``model``, ``rank``, each metric (mean over series), ``skill`` (1 - error /
    SeasonalNaive's error, in ``sort_metric``; empty without that baseline), the metrics of the
    levels, ``train_seconds``, ``cv_seconds``, ``peak_memory_mb``, ``status``, ``reason``.

    Parameters
    ----------
    metrics : ``metrics.csv``
    statuses : the status of each model and combination
    measures : how errors of the run are measured; all series count equally by default
    """
    names, more = list(settings["metrics"]), interval_metrics(settings)
    rows = []
    for model, status in statuses.items():
        errors: dict[str, Any] = dict.fromkeys([*names, *more])
        if model in metrics.columns:
            errors |= means(metrics, model, measures)
        rows.append({"model": model, **errors, **_costs(status)})
    table = pd.DataFrame(rows)
    numbers = [*names, *more, "train_seconds", "cv_seconds", "peak_memory_mb"]
    table[numbers] = table[numbers].astype(float)
    sort_by = settings["sort_metric"] if settings["sort_metric"] in names else names[0]
    table = table.sort_values([sort_by, "model"], na_position="last", ignore_index=True)
    table.insert(1, "rank", pd.Series(range(1, len(table) + 1)).where(table[sort_by].notna()))
    table["rank"] = table["rank"].astype("Int64")
    naive = table.loc[table["model"] == reference(settings), sort_by]
    skill = np.nan
    if len(naive) and naive.iloc[0]:  # own metrics may be negative
        skill = (naive.iloc[0] - table[sort_by]) / abs(naive.iloc[0])
        skill = 1 - table[sort_by] / naive.iloc[0] if naive.iloc[0] > 0 else skill
    table.insert(2 + len(names), "skill", skill)
    networks = {s.name for s in specs(settings) if s.is_network}
    worse = table["model"].isin(networks) & (
        table[sort_by] > (naive.iloc[0] if len(naive) else np.inf)
    )
    reasons = table.loc[worse, "reason"]
    table.loc[worse, "reason"] = [f"{one}; {WORSE}" if one else WORSE for one in reasons]
    return table


def _costs(status: ModelStatus) -> dict[str, Any]:
    reason = status.error.message if status.error else status.note
    if not reason and status.reused_from:
        reason = f"reused from {status.reused_from}"
    return {
        "train_seconds": status.train_seconds,
        "cv_seconds": status.cv_seconds,
        "peak_memory_mb": status.peak_memory_mb,
        "status": status.status,
        "reason": reason or None,
    }
