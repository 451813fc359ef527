"""Scores of a run before its final fits are completed, to be shown only; no files are written.

The functions are called in a fork of the server (:mod:`forerun.jobs.helper`), and compute what the
jobs `collect_model` and `score_models` compute later.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import parquet

from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.config.names import COMBINED
from forerun.jobs.collect import collected
from forerun.jobs.score import ranked
from forerun.runs.fit import Fit, fits
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths

#: Maximum number of forecasts of a model: scoring more takes long, and memory that jobs request.
MOST_ROWS = 200_000
#: Columns of the leaderboard that depend on final fits.
_COSTS = ["train_seconds", "cv_seconds", "peak_memory_mb"]
#: Status of a model whose final fit is not completed.
UNFINISHED = "unfinished"


def status(folder: str, model: str) -> dict[str, Any] | None:
    """Return the status of a model whose folds have ended, with its scores.

    None if it cannot be computed, which the job `collect_model` will report, or takes too long.
    """
    run = RunPaths(Path(folder))
    with suppress(Exception):
        return _collected(run, read_frozen(run.config), model)[1].as_dict()
    return None


def leaderboard(folder: str) -> list[dict[str, str]] | None:
    """Return the rows of the leaderboard of a run whose folds have ended, best first.

    None as in :func:`status`. Models whose final fit is not completed are `UNFINISHED`.
    """
    run = RunPaths(Path(folder))
    with suppress(Exception):
        return _rows(run, read_frozen(run.config))
    return None


def _rows(run: RunPaths, settings: dict[str, Any]) -> list[dict[str, str]]:
    found = {spec.name: _collected(run, settings, spec.name) for spec in specs(settings)}
    results = {name: frame for name, (frame, _) in found.items()}
    states = {name: status for name, (_, status) in found.items()}
    _, table = ranked(run, settings, states, results, lambda frame: frame)
    left = [name for name, each in states.items() if each.is_ok and not Fit(run, name).outcome()]
    waiting = table["model"].isin([*left, *COMBINED] if left else [])
    table.loc[waiting & (table["status"] == "ok"), "status"] = UNFINISHED
    rows = table.drop(columns=_COSTS).to_dict("records")
    return [
        {str(key): "" if pd.isna(value) else str(value) for key, value in row.items()}
        for row in rows
    ]


def _collected(
    run: RunPaths, settings: dict[str, Any], model: str
) -> tuple[pd.DataFrame, ModelStatus]:
    """Return results and status of a model from the fits that have ended.

    Raises
    ------
    ValueError
        A fold has not ended, or the model has more than :data:`MOST_ROWS` forecasts.
    """
    every = {fit: fit.outcome() for fit in fits(run, settings, model)}
    ended = {fit: outcome for fit, outcome in every.items() if outcome}
    folds = [fit for fit in every if fit.fold is not None]
    if not all(fit in ended and fit.has_product() for fit in folds):
        raise ValueError(f"{model}: not all folds have ended")
    if sum(parquet.read_metadata(fit.product_path).num_rows for fit in folds) > MOST_ROWS:
        raise ValueError(f"{model}: has too many forecasts")
    return collected(run, settings, model, ended)
