"""The tables and facts of the page of one run, apart from its charts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forerun.base import text
from forerun.base.text import time_text
from forerun.config import models, schema, search
from forerun.config.names import COMBINED, ENSEMBLE, PER_SERIES
from forerun.config.own_metrics import definitions
from forerun.report import charts
from forerun.report.errors import Backtest
from forerun.runs.outcome import UNFINISHED
from forerun.runs.reader import RunReader
from forerun.runs.state import is_sealed

#: Number of best and worst series in tables.
EXTREMES = 10
_ABOUT_COMBINED = {
    PER_SERIES: " (for each series the model that was best on it)",
    ENSEMBLE: " (a weighted mean of the models)",
}


def summary(run: RunReader, history: pd.DataFrame, board: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of the first paragraph."""
    metric = run.config["sort_metric"]
    ranked = board[board["rank"].notna()] if "rank" in board else board
    best = ranked.iloc[0] if len(ranked) else None
    alone = ranked[~ranked["model"].isin(COMBINED)]
    single = board[~board["model"].isin(COMBINED)]
    return {
        "state": "complete" if is_sealed(run.folder) else "partial" if run.failed else "unfinished",
        "metric": charts.metric_name(metric),
        "weighting": _weighting(run.config),
        "best": None if best is None else str(best["model"]),
        "combined": "" if best is None else _ABOUT_COMBINED.get(str(best["model"]), ""),
        "best_model": str(alone["model"].iloc[0]) if len(alone) else None,
        "best_model_error": alone[metric].iloc[0] if len(alone) and metric in board else None,
        "error": None if best is None or metric not in board else best[metric],
        "skill": None if best is None else best["skill"],
        "series": history["unique_id"].nunique(),
        "rows": len(history),
        "ok": int((~single["status"].isin(UNFINISHED)).sum()),
        "of": len(single),
        "seconds": board[["train_seconds", "cv_seconds"]].sum().sum(),
    }


def _weighting(config: dict[str, Any]) -> str:
    """Return what the weights of the errors mean, if there are any."""
    parts = []
    if config.get("horizon_weight"):
        parts.append("Errors of a window are means weighted by step (horizon_weight).")
    if config.get("weights_file"):
        parts.append("Means over series are weighted by series (weights_file).")
    also = "The charts of errors by window, step and series are not weighted." if parts else ""
    return " ".join([*parts, also]).strip()


def columns(run: RunReader, board: pd.DataFrame) -> list[dict[str, str]]:
    """Return the metrics that the leaderboard shows, with their names and meanings."""
    wanted = [*run.config["metrics"], *(m for m in ("scaled_crps",) if m in board)]
    own = {one.name: one.words for one in definitions(run.config)}
    return [
        {
            "key": metric,
            "name": charts.metric_name(metric),
            "about": own.get(metric) or charts.ABOUT.get(metric, ""),
        }
        for metric in wanted
    ]


def leaderboard(board: pd.DataFrame, tests: dict[str, Backtest]) -> list[dict[str, Any]]:
    """Return the rows of the leaderboard, with the coverage of the intervals."""
    records = board.astype(object).where(board.notna(), None).to_dict("records")
    rows = [{str(key): value for key, value in record.items()} for record in records]
    for row in rows:
        test = tests.get(row["model"])
        row["coverage"] = test.coverage if test else {}
    return rows


def failures(run: RunReader) -> list[dict[str, Any]]:
    """Return the models that failed, with their reasons and logs."""
    rows = []
    for model, reason in run.failed.items():
        status = run.statuses[model]
        rows.append(
            {
                "model": model,
                "stage": status.stage or "",
                "kind": status.error.kind if status.error else "",
                "reason": reason,
                "log": status.log or "",
                "attempts": status.attempts,
            }
        )
    return rows


def extremes(run: RunReader) -> dict[str, Any] | None:
    """Return the series with the smallest and largest scaled error of the best model."""
    ranked = [model for model in run.ranked if model in run.metrics and model not in run.failed]
    if not ranked:
        return None
    metric = next((m for m in ("mase", "rmsse", "smape") if m in run.config["metrics"]), None)
    metric = metric or run.config["sort_metric"]
    table = run.metrics[run.metrics["metric"] == metric].set_index("unique_id")
    errors = table[ranked[0]].dropna().sort_values()
    if errors.empty:
        return None
    number = min(EXTREMES, max(1, len(errors) // 2))
    single = [model for model in ranked if model not in COMBINED]
    wins = table[single].dropna(how="all").idxmin(axis=1) if len(single) > 1 else None

    def rows(part: pd.Series) -> list[dict[str, Any]]:
        return [
            {"unique_id": str(name), "error": float(value)}
            | {"winner": None if wins is None else str(wins.get(name))}
            for name, value in part.items()
        ]

    return {
        "model": ranked[0],
        "metric": charts.metric_name(metric),
        "key": metric,
        "best": rows(errors.head(number)),
        "worst": rows(errors.tail(number)[::-1]) if len(errors) > 1 else [],
    }


def overview(run: RunReader, history: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of the data."""
    sizes = history.groupby("unique_id", observed=True).size()
    y = history["y"]
    notes = (run.provenance.get("data") or {}).get("notes") or []
    return {
        "start": time_text(history["ds"].min()),
        "end": time_text(history["ds"].max()),
        "shortest": int(sizes.min()),
        "median": float(sizes.median()),
        "longest": int(sizes.max()),
        "low": float(y.min()),
        "middle": float(y.median()),
        "high": float(y.max()),
        "zeros": float((y == 0).mean()),
        "missing": int(y.isna().sum()),
        "notes": [str(note) for note in notes],
    }


def settings(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the configuration."""
    rules, defaults = schema.properties(), schema.defaults()
    rows = []
    for key, value in config.items():
        shown = value
        if key in ("models", "baselines"):
            shown = models.brief(value)
        elif key == "search":
            shown = search.brief(value)
        rows.append(
            {
                "key": key,
                "value": text.setting(shown),
                "about": (rules.get(key) or {}).get("description", ""),
                "changed": shown != defaults.get(key),
            }
        )
    return rows


def provenance(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of ``provenance.json``."""
    git, data = record.get("git") or {}, record.get("data") or {}
    commit = git.get("commit")
    dirty = " (with changes that were not committed)" if git.get("dirty") else ""
    rows = [
        ("Created", text.moment(record.get("created_at"))),
        ("Created by", str(record.get("created_by") or text.MISSING)),
        ("Git commit", f"{commit}{dirty}" if commit else text.MISSING),
        ("Data file", str(data.get("file") or text.MISSING)),
        ("sha256 of the data", str(data.get("sha256") or text.MISSING)),
        ("Seed", str(record.get("seed", text.MISSING))),
        ("Python", str(record.get("python") or text.MISSING)),
        ("Platform", str(record.get("platform") or text.MISSING)),
    ]
    return rows + [(name, str(v)) for name, v in (record.get("versions") or {}).items()]
