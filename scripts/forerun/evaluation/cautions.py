"""Warnings about the models of a run, one line each.

They report models without forecasts, series that a model could not forecast, and networks worse
than the seasonal naive forecast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.text import real
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, specs
from forerun.config.names import FALLBACK, REFERENCE, reference
from forerun.config.weight_folders import MAY_HAVE_SEEN
from forerun.runs.json_files import read_ensemble
from forerun.runs.paths import RunPaths
from forerun.runs.state import NO_FORECAST
from forerun.runs.tables import Row, read_leaderboard_rows


def of_run(folder: str | Path, rows: list[Row] | None = None) -> list[str]:
    """Return the warnings of a run; empty without a leaderboard.

    Parameters
    ----------
    rows : its leaderboard; read from the folder by default
    """
    paths = RunPaths(Path(folder))
    try:
        rows = read_leaderboard_rows(paths.leaderboard) if rows is None else rows
        settings = read_frozen(paths.config)
        return [*_without_forecasts(rows, paths, settings), *_worse(rows, settings)]
    except UserError:
        return []  # damaged runs are reported elsewhere


def _without_forecasts(
    rows: Iterable[Mapping[str, str]], paths: RunPaths, settings: Mapping[str, Any]
) -> Iterable[str]:
    predicted = paths.predictions.is_dir()
    combined = read_ensemble(paths.folder)
    names = {spec.name for spec in specs(settings)}
    for row in rows:
        model, status = row["model"], row["status"]
        if status == NO_FORECAST:
            yield f"{model} has no forecasts: {row.get('reason', '')}"
            continue
        reason = row.get("reason", "")
        noted = reason.startswith(FALLBACK) or MAY_HAVE_SEEN in reason
        if status == "ok" and model in names and noted:
            yield f"{model}: {row['reason']}"
        if status == "ok" and predicted and model in names:
            if (paths.predictions / f"{model}.csv").is_file():
                continue
            scored = "; the scored ensemble includes it" if _is_member(model, combined) else ""
            yield f"{model} has no forecasts in {paths.predictions.name}/{scored}"


def _is_member(model: str, record: Any) -> bool:
    return isinstance(record, dict) and any(
        model in (record.get(key) or ()) for key in ("weights", "members", "weights_by_series")
    )


def _worse(rows: list[dict[str, str]], settings: Mapping[str, Any]) -> Iterable[str]:
    metric = settings["sort_metric"]
    networks = {spec.name for spec in specs(settings) if spec.is_network}
    by_name = {spec.name: spec for spec in specs(settings)}
    naive = reference(settings)
    values = {row["model"]: real(row.get(metric)) for row in rows}
    errors = {model: error for model, error in values.items() if error is not None}
    if naive not in errors:
        return
    for model, error in errors.items():
        if model in networks and error > errors[naive]:
            yield (
                f"{model} is worse than {REFERENCE}: {text.metric(metric)} "
                f"{text.error(metric, error)} against {text.error(metric, errors[naive])}; "
                + _advice(by_name[model])
            )


def _advice(spec: ModelSpec) -> str:
    if spec.is_pretrained:
        how = "longer" if spec.params.get("max_steps") else "with max_steps"
        return f"fine-tune it {how}, or leave it out"
    return "check max_steps, scaler_type and exogenous columns"
