"""Forecasts of a run's models, and of their combinations, for the steps after each series' end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from forerun import transforming
from forerun.combine import (
    BEST,
    COMBINATIONS,
    ENSEMBLE,
    best_forecasts,
    chosen_models,
    ensemble_forecasts,
)
from forerun.cube import sorted_results
from forerun.engines.base import Data, get_engine
from forerun.errors import UserError
from forerun.files import new_folder, read_json, write_csv
from forerun.inference import UNVERIFIED, refuse_damaged
from forerun.intervals import complete_forecasts
from forerun.metrics import read_cv_results
from forerun.models import specs
from forerun.runs import RunPaths, failed_models, has_model
from forerun.training import read_run_data, without_gap
from forerun.yaml_files import load_yaml


def write(config: str, data: str, models: list[str], leaderboard: str, folder: str) -> None:
    """Write ``<model>.csv`` into `folder` for each model that the leaderboard says is well.

    ``best.csv`` and ``ensemble.csv`` combine them. Models of a sealed run are verified first.
    """
    with new_folder(folder) as temporary:
        settings = load_yaml(config)
        failed = failed_models(leaderboard)  # in its back-test, perhaps: then it has a folder
        folders = {Path(m).name: Path(m) for m in models if Path(m).name not in failed}
        if not os.environ.get(UNVERIFIED):
            refuse_damaged(Path(config).parent, folders)
        table = read_run_data(data, settings)
        frames: dict[str, pd.DataFrame] = {}
        for model, frame in forecasts(settings, table, folders):
            write_csv(temporary / f"{model}.csv", frame)
            frames[model] = points(frame, model, frames)
        if not frames:
            raise UserError("every model failed, nothing can forecast; status/ says why")
        for name, frame in combinations(settings, table, Path(config).parent, frames):
            write_csv(temporary / f"{name}.csv", frame)


def forecasts(
    settings: dict[str, Any], data: Data, models: dict[str, Path]
) -> Iterable[tuple[str, pd.DataFrame]]:
    """Yield each model's name and its forecasts: ``unique_id``, ``ds``, ``<model>``, intervals.

    Parameters
    ----------
    models : the folder of each model to use, inside its run; those whose folder is empty (failed)
        are left out, and so are, if others remain, those that need future values nobody gave
    """
    refused: list[str] = []
    number = 0
    for spec in specs(settings):
        folder = models.get(spec.name)
        if folder is None or not has_model(folder):
            continue
        print(f"{spec.name}: predicting", file=sys.stderr, flush=True)
        engine = get_engine(spec.engine)
        fitted = engine.load(spec, settings, folder)
        try:
            frame = engine.predict(fitted, settings, transforming.forward(data, spec))
        except UserError as error:
            refused.append(str(error))
            print(f"forerun: {error}", file=sys.stderr, flush=True)
            continue
        frame = transforming.back(frame, data, spec)
        frame = frame.sort_values(["unique_id", "ds"], ignore_index=True)
        frame = without_gap(frame, settings, ["unique_id"])
        number += 1
        yield spec.name, _complete(frame, spec.name, folder.parent.parent, data, settings)
    if refused and not number:
        raise UserError(refused[0])


def _complete(
    frame: pd.DataFrame, name: str, run: Path, data: Data, settings: dict[str, Any]
) -> pd.DataFrame:
    """Add the intervals that the model does not give itself, from its back-tests in `run`."""
    path = RunPaths(run).cv_results(name)
    wanted = bool(settings.get("levels")) and path.is_file()
    results = sorted_results(read_cv_results(path)) if wanted else None
    return complete_forecasts(frame, name, results, data.history, settings)


def combinations(
    settings: dict[str, Any], data: Data, run: Path, frames: dict[str, pd.DataFrame]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield ``best`` and ``ensemble`` of the models' forecasts; nothing for a run without scores.

    Parameters
    ----------
    run : its ``metrics.csv`` and ``ensemble.json`` say which models are taken
    frames : the models' forecasts: ``unique_id``, ``ds``, ``<model>``, with the same rows
    """
    paths = RunPaths(run)
    record = read_json(paths.folder / "ensemble.json")
    if not frames or not record or not paths.metrics.is_file():
        return
    metrics = pd.read_csv(paths.metrics, dtype={"unique_id": str})
    chosen, overall = chosen_models(metrics, record, list(frames), settings)
    made = {
        BEST: best_forecasts(frames, chosen, overall),
        ENSEMBLE: ensemble_forecasts(frames, record, metrics, settings),
    }
    for name in COMBINATIONS:
        frame = _complete(made[name], name, run, data, settings)
        last = [column for column in ("chosen",) if column in frame.columns]
        yield name, frame[[c for c in frame.columns if c not in last] + last]


def points(frame: pd.DataFrame, model: str, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``<model>`` for :func:`combinations`; keys are held once."""
    keys = ["unique_id", "ds"]
    first = next(iter(frames.values()), frame)[keys]
    if len(first) == len(frame) and first["unique_id"].equals(frame["unique_id"]):
        return first.assign(**{model: frame[model].to_numpy()})
    return first.merge(frame[[*keys, model]], on=keys, how="left")
