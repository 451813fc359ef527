"""Errors of the cross-validation results, per series and per model."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import utilsforecast.losses as losses
from utilsforecast.evaluation import evaluate

KEYS = ["unique_id", "ds", "cutoff", "y"]
#: Metrics that are scaled by the in-sample error of the seasonal naive forecast.
SCALED = ("mase", "rmsse", "msse")


def read_cv_results(path: str | Path) -> pd.DataFrame:
    """Read one ``cv_results_<model>.csv``; integer time stays integer, other time is datetime."""
    return _read_forecasts(path, times=["ds", "cutoff"])


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read one ``predictions/<model>.csv``; time as in :func:`read_cv_results`."""
    return _read_forecasts(path, times=["ds"])


def _read_forecasts(path: str | Path, times: list[str]) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype={"unique_id": str}, float_precision="round_trip")
    for column in times:
        if not pd.api.types.is_integer_dtype(frame[column]):
            frame[column] = pd.to_datetime(frame[column])
    return frame


def functions(settings: dict[str, Any]) -> list[Any]:
    """Return utilsforecast's functions for the names in ``metrics``."""
    season = int(settings["season_length"])
    return [
        partial(getattr(losses, name), seasonality=season)
        if name in SCALED
        else getattr(losses, name)
        for name in settings["metrics"]
    ]


def score(cv: pd.DataFrame, model: str, history: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    """Return ``unique_id``, ``metric``, ``<model>``: the mean over windows of each metric.

    Scaled errors (MASE, RMSSE: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001)
    are scaled per window, by the data up to that window's cutoff.
    """
    scores = evaluate(
        cv[[*KEYS, model]], metrics=functions(settings), models=[model], train_df=history
    )
    scores[model] = scores[model].replace([np.inf, -np.inf], np.nan)  # a constant series' scale is 0
    order = {name: number for number, name in enumerate(settings["metrics"])}
    mean = scores.groupby(["unique_id", "metric"], observed=True)[model].mean().reset_index()
    ranked = mean.assign(_order=mean["metric"].map(order))
    return ranked.sort_values(["unique_id", "_order"], ignore_index=True).drop(columns="_order")


def metrics_table(
    paths: dict[str, str], history: pd.DataFrame, settings: dict[str, Any]
) -> pd.DataFrame:
    """Return ``metrics.csv``: ``unique_id``, ``metric`` and one column per model of `paths`.

    Models are read one after the other, so memory does not grow with their number.
    """
    table: pd.DataFrame | None = None
    for model, path in paths.items():
        scores = score(read_cv_results(path), model, history, settings)
        table = scores if table is None else table.merge(scores, on=["unique_id", "metric"], how="outer")
    if table is None:
        return pd.DataFrame(columns=["unique_id", "metric"])
    order = {name: number for number, name in enumerate(settings["metrics"])}
    return (
        table.assign(_order=table["metric"].map(order))
        .sort_values(["unique_id", "_order"], ignore_index=True)
        .drop(columns="_order")
    )


def read_benchmark(path: str | Path) -> dict[str, float]:
    """Return ``seconds`` and ``peak_memory_mb`` from one of Snakemake's benchmark files."""
    try:
        with open(path, encoding="utf-8") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        return {"seconds": float(row["s"]), "peak_memory_mb": float(row["max_rss"])}
    except (OSError, StopIteration, KeyError, ValueError):
        return {}


def leaderboard(
    metrics: pd.DataFrame,
    statuses: dict[str, dict[str, Any]],
    settings: dict[str, Any],
) -> pd.DataFrame:
    """Return one row per model, best first by ``sort_metric``; failed models last.

    Columns: ``model``, ``rank``, each metric (mean over series), ``skill`` (1 - error /
    SeasonalNaive's error, in ``sort_metric``; empty without that baseline), ``train_seconds``,
    ``cv_seconds``, ``peak_memory_mb``, ``status``, ``reason``.
    """
    names = list(settings["metrics"])
    models = [column for column in metrics.columns if column not in ("unique_id", "metric")]
    means = metrics.groupby("metric")[models].mean().T.reindex(columns=names)
    rows = []
    for model, status in statuses.items():
        errors = means.loc[model].to_dict() if model in means.index else dict.fromkeys(names)
        rows.append({"model": model, **errors, **_costs(status)})
    table = pd.DataFrame(rows)
    sort_by = settings["sort_metric"] if settings["sort_metric"] in names else names[0]
    table = table.sort_values([sort_by, "model"], na_position="last", ignore_index=True)
    table.insert(1, "rank", pd.Series(range(1, len(table) + 1)).where(table[sort_by].notna()))
    table["rank"] = table["rank"].astype("Int64")
    naive = table.loc[table["model"] == "SeasonalNaive", sort_by]
    skill = 1 - table[sort_by] / naive.iloc[0] if len(naive) and naive.iloc[0] else np.nan
    table.insert(2 + len(names), "skill", skill)
    return table


def _costs(status: dict[str, Any]) -> dict[str, Any]:
    error = status.get("error") or {}
    return {
        "train_seconds": status.get("train_seconds"),
        "cv_seconds": status.get("cv_seconds"),
        "peak_memory_mb": status.get("peak_memory_mb"),
        "status": status["status"],
        "reason": error.get("message"),
    }

