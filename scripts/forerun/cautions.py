"""What a user has to know about the models of a run, one line each, from its leaderboard.

Models without forecasts, and networks that are worse than the seasonal naive forecast.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from forerun import text
from forerun.errors import UserError
from forerun.files import read_json
from forerun.models import specs
from forerun.names import REFERENCE
from forerun.runs import NO_FORECAST, RunPaths
from forerun.yaml_files import load_yaml


def of_run(folder: str | Path) -> list[str]:
    """Return the cautions of a run; none while it has no leaderboard."""
    paths = RunPaths(Path(folder))
    try:
        with paths.leaderboard.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        settings = load_yaml(paths.config)
        return [*_without_forecasts(rows, paths), *_worse(rows, settings)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error, UserError):
        return []  # damaged: others say so


def _without_forecasts(rows: Iterable[Mapping[str, str]], paths: RunPaths) -> Iterable[str]:
    made = paths.predictions.is_dir()
    combined = read_json(paths.folder / "ensemble.json") or {}
    names = {spec.name for spec in specs(load_yaml(paths.config))}
    for row in rows:
        model, status = row["model"], row["status"]
        if status == NO_FORECAST:
            yield f"{model} has no forecasts: {row['reason']}"
        elif status == "ok" and made and model in names:
            if (paths.predictions / f"{model}.csv").is_file():
                continue
            scored = "; the scored ensemble holds it" if _is_member(model, combined) else ""
            yield f"{model} has no forecasts in {paths.predictions.name}/{scored}"


def _is_member(model: str, record: Any) -> bool:
    return isinstance(record, dict) and any(
        model in (record.get(key) or ()) for key in ("weights", "members", "weights_by_series")
    )


def _worse(rows: list[dict[str, str]], settings: Mapping[str, Any]) -> Iterable[str]:
    metric = settings["sort_metric"]
    networks = {spec.name for spec in specs(settings) if spec.engine == "neuralforecast"}
    naive = [spec["name"] for spec in settings["baselines"] if spec.get("model") == REFERENCE]
    errors = {row["model"]: float(row[metric]) for row in rows if row.get(metric)}
    if not naive or naive[0] not in errors:
        return
    for model, error in errors.items():
        if model in networks and error > errors[naive[0]]:
            yield (
                f"{model} is worse than {REFERENCE}: {text.metric(metric)} "
                f"{text.error(metric, error)} against {text.error(metric, errors[naive[0]])}; look "
                "at max_steps, scaler_type and exogenous columns"
            )
