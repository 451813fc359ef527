"""Synthetic run folders, created within a second without training.

For tests of code that reads runs: tables, pages, plots, commands. The values are seeded noise on a
signal; metrics and leaderboard are computed from them by the library.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from forerun.base.files import write_csv, write_json, write_parquet, write_text
from forerun.config.settings import dump, resolve
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.metrics import leaderboard, score, side_by_side
from forerun.runs.fit import Fit
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths
from forerun.runs.seal import seal
from forerun.runs.tables import read_cv_results, read_predictions

NETWORKS = ("NHITS", "NBEATS", "LSTM", "TFT", "DLinear", "TiDE", "GRU", "MLP", "RNN", "PatchTST")
BASELINES = ("SeasonalNaive", "AutoETS")
WHEN = "2026-01-02T03:04:05+00:00"


#: Effect of a promotion on the sales of a shop.
EFFECT = 30.0


def shops(series: int = 4, days: int = 140, horizon: int = 7, seed: int = 5) -> pd.DataFrame:
    """Daily sales of shops with a weekday pattern and a planted effect of promotions, by day.

    Columns ``shop``, ``day``, ``sales``, ``promo`` (0 or 1 at random, so that nothing but the
    column itself shows when); the last `horizon` days of each shop have no sales yet.
    """
    rng = np.random.default_rng(seed)
    week = np.array([0, 1, 2, 4, 8, 12, -6], dtype=float)
    frames = []
    for number in range(series):
        times = pd.date_range("2024-01-01", periods=days + horizon)
        promo = (rng.uniform(size=len(times)) < 0.3).astype(float)
        sales = 100.0 + 20 * number + week[times.dayofweek] + EFFECT * promo
        sales = sales + rng.normal(0, 1, len(times))
        sales[days:] = np.nan
        values = {"day": times, "sales": sales, "promo": promo}
        frames.append(pd.DataFrame({"shop": f"shop_{number}"} | values))
    return pd.concat(frames, ignore_index=True)


def shop_settings(**more: Any) -> dict[str, Any]:
    """Return settings for :func:`shops`, resolved, with its frequency."""
    asked = {"id_col": "shop", "time_col": "day", "target_col": "sales", "futr_exog": ["promo"]}
    asked |= {"horizon": 7, "n_windows": 2, "calendar": ["dayofweek"], "input_size": 28}
    return resolve({**asked, **more}) | {"freq": "D"}


def model_names(models: int) -> list[str]:
    """Return that many names of networks: the first ones are classes, later ones variants."""
    rounds = range(-(-models // len(NETWORKS)))
    return [f"{n}{f'_{r + 1}' if r else ''}" for r in rounds for n in NETWORKS][:models]


def make_run(
    runs: str | Path,
    run_id: str = "exp1",
    *,
    models: int = 3,
    series: int = 5,
    length: int = 72,
    failed: Collection[str] = (),
    levels: Sequence[int] = (),
    freq: str | int = "MS",
    seed: int = 1,
    noise: float = 1.0,
    names: Sequence[str] | None = None,
    sealed: bool = True,
    **settings: Any,
) -> Path:
    """Write ``<runs>/<run_id>/`` and return it.

    Parameters
    ----------
    models, series, length : numbers of networks (SeasonalNaive and AutoETS are added), of series,
        and of rows in each series
    failed : names of models that failed
    levels : levels of the prediction intervals
    freq : pandas alias, or a whole number for integer times
    noise : scale of the forecasts' errors
    names : names of the series
    settings : other keys of the configuration (``horizon=6``, ``n_windows=2``...)
    """
    names = sorted(names or (f"series_{number:04d}" for number in range(series)))
    resolved = _settings(run_id, models, list(levels), freq, settings)
    paths = RunPaths.of(runs, run_id)
    key = repr((resolved, length, sorted(failed), seed, noise, names))
    with patch.object(os, "fsync"):  # the tests prove as much
        if key not in _MADE:
            made = RunPaths.of(tempfile.mkdtemp(dir=_cache()), run_id)
            _MADE[key] = _write(made, resolved, names, length, failed, seed, noise)
        _copy(_MADE[key], paths.folder)
        if sealed:
            seal(paths.folder, paths.sealed, failed=sorted(failed))
    return paths.folder


#: The unsealed runs that this process has written, by their arguments.
_MADE: dict[str, Path] = {}


@functools.cache
def _cache() -> str:
    folder = tempfile.mkdtemp(prefix="synthetic-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _copy(made: Path, folder: Path) -> None:
    """Copy a run and change the folder in its records."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    for record in [*folder.glob("status/*.json"), *folder.glob("parts/*/*.json")]:
        record.write_text(record.read_text().replace(str(made), str(folder)))


def _write(
    paths: RunPaths,
    resolved: dict[str, Any],
    names: Sequence[str],
    length: int,
    failed: Collection[str],
    seed: int,
    noise: float,
) -> Path:
    """Write everything of a run but its seal."""
    rng = np.random.default_rng(seed)
    data, truth = _data(list(names), length, resolved, rng)
    write_parquet(paths.data, data)
    every = [m["name"] for m in [*resolved["baselines"], *resolved["models"]]]
    for number, model in enumerate(every):
        scale = noise * (0.6 + 0.9 * (len(every) - number) / len(every))
        _model(paths, model, resolved, data, truth, scale, model in failed, rng)
    _predictions(paths, [m for m in every if m not in failed])
    _scores(paths, every, data, resolved)
    write_json(paths.provenance, _provenance(data, resolved))
    write_text(paths.config, dump(resolved))
    return paths.folder


def _settings(
    run_id: str, models: int, levels: list[int], freq: str | int, given: dict[str, Any]
) -> dict[str, Any]:
    networks = [{"name": n, "model": n.partition("_")[0]} for n in model_names(models)]
    asked = {"run_id": run_id, "models": networks, "levels": levels, "max_steps": 50}
    asked |= {"baselines": list(BASELINES), **given}
    season = 12 if freq == "MS" else 7
    return resolve(asked) | {"freq": freq, "season_length": season}


def _times(start: int, steps: int, freq: str | int) -> Any:
    if isinstance(freq, int):
        return np.arange(start, start + steps) * freq
    return pd.date_range("2015-01-01", periods=start + steps, freq=freq)[start:]


def _data(
    names: list[str], length: int, settings: dict[str, Any], rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return the frozen data, and each series' signal up to the end of the forecasts."""
    steps = np.arange(length + settings["horizon"])
    ds = _times(0, length, settings["freq"])
    frames, truth = [], {}
    for number, name in enumerate(names):
        level, slope = 50 * (1 + number % 7), rng.normal(0, 0.3)
        season = 10 * np.sin(2 * np.pi * steps / settings["season_length"] + number)
        truth[name] = level + slope * steps + season
        y = (truth[name] + rng.normal(0, 2, len(steps)))[:length]
        frames.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y.round(3)}))
    return pd.concat(frames, ignore_index=True).sort_values(["unique_id", "ds"]), truth


def _model(
    paths: RunPaths,
    model: str,
    settings: dict[str, Any],
    data: pd.DataFrame,
    truth: dict[str, np.ndarray],
    scale: float,
    failed: bool,
    rng: np.random.Generator,
) -> None:
    """Write all files of one model: results, status, outcome, logs, a forecast."""
    horizon, windows, freq = settings["horizon"], settings["n_windows"], settings["freq"]
    length = len(data) // len(truth)
    signal = np.array(list(truth.values()))
    actual = data["y"].to_numpy().reshape(len(truth), length)
    frames = []
    for cut in [length - horizon * (windows - number) for number in range(windows)] + [length]:
        noise = rng.normal(0, 2 * scale, (len(truth), horizon)) * np.linspace(1, 2, horizon)
        frame = pd.DataFrame({"unique_id": np.repeat(list(truth), horizon)})
        frame["ds"] = np.tile(_times(cut, horizon, freq), len(truth))
        frame["cutoff"] = _times(cut - 1, 1, freq)[0]
        frame["y"] = actual[:, cut : cut + horizon].ravel() if cut < length else np.nan
        frame[model] = (signal[:, cut : cut + horizon] + noise).ravel()
        frames.append(frame)
    *cv, future = frames
    error = {"class": "RuntimeError", "message": f"{model} could not be trained: loss is NaN"}
    log = f"{paths.folder}/logs/train_model/{model}.log"
    outcome = {"status": "failed" if failed else "ok", "stage": "train_model"}
    outcome |= {"error": error if failed else None, "seconds": 3.2, "peak_memory_mb": 800.5}
    outcome |= {"attempts": 1, "log": log, "started_at": WHEN, "finished_at": WHEN}
    write_json(Fit(paths, model).outcome_path, outcome)
    back_test = Fit(paths, model, 0)
    passed = {"stage": "cross_validate", "status": "ok", "error": None}
    write_json(back_test.outcome_path, outcome | passed)
    write_parquet(back_test.product_path, pd.concat(cv))
    state = {
        "model": model,
        "status": outcome["status"],
        "stage": "train_model" if failed else None,
    }
    state |= {"error": outcome["error"], "log": log if failed else None, "attempts": 1}
    state |= {"reused_from": None, "finished_at": WHEN, "train_seconds": 3.2 + scale}
    write_json(paths.status(model), state | {"cv_seconds": 2.5 * scale, "peak_memory_mb": 800.5})
    write_text(Path(log), f"Traceback\nRuntimeError: {error['message']}\n" if failed else "done\n")
    cv_frame = pd.concat(cv).sort_values(["unique_id", "cutoff", "ds"])
    results = _with_intervals(cv_frame, model, settings["levels"], scale)
    write_csv(paths.cv_results(model), results.iloc[:0] if failed else results)
    paths.model(model).mkdir(parents=True)
    if not failed:
        write_json(paths.model(model) / "model.json", {"model": model})
        future = future[["unique_id", "ds", model]]
        frame = _with_intervals(future, model, settings["levels"], scale)
        write_csv(paths.predictions / f"{model}.csv", frame)


def _with_intervals(
    frame: pd.DataFrame, model: str, levels: Sequence[int], scale: float
) -> pd.DataFrame:
    for level in levels:
        half = 4 * scale * level / 80
        sides = {
            f"{model}-lo-{level}": frame[model] - half,
            f"{model}-hi-{level}": frame[model] + half,
        }
        frame = frame.assign(**sides)
    return frame.reset_index(drop=True)


def _predictions(paths: RunPaths, models: list[str]) -> None:
    frames = {m: read_predictions(paths.predictions / f"{m}.csv") for m in models}
    if not frames:
        paths.predictions.mkdir()
        return
    first = next(iter(frames.values()))[["unique_id", "ds"]]
    points = pd.concat([frame[model] for model, frame in frames.items()], axis=1)
    best = first.assign(per_series=points.iloc[:, 0], chosen=models[0])
    write_csv(paths.predictions / "per_series.csv", best)
    write_csv(paths.predictions / "ensemble.csv", first.assign(ensemble=points.median(axis=1)))


def _status(paths: RunPaths, model: str) -> ModelStatus:
    status = ModelStatus.read(paths.status(model))
    assert status
    return status


def _scores(
    paths: RunPaths, models: list[str], data: pd.DataFrame, settings: dict[str, Any]
) -> None:
    states = {model: _status(paths, model) for model in models}
    good = {m: str(paths.cv_results(m)) for m in models if states[m].is_ok}
    table = metrics_table(good, data, settings)
    write_csv(paths.metrics, table)
    write_csv(paths.leaderboard, leaderboard(table, states, settings))


def metrics_table(
    paths: dict[str, str], history: pd.DataFrame, settings: dict[str, Any]
) -> pd.DataFrame:
    """Return ``metrics.csv`` for the cross-validation results of models, without combinations."""
    scores = (
        score(sorted_results(read_cv_results(path)), model, history, settings)
        for model, path in paths.items()
    )
    return side_by_side(scores, settings)


def _provenance(data: pd.DataFrame, settings: dict[str, Any]) -> dict[str, Any]:
    per_series = data.groupby("unique_id").size()
    table = {"file": "/data/table.csv", "sha256": "0" * 64, "frozen_sha256": "1" * 64}
    table |= {
        "rows": len(data),
        "series": len(per_series),
        "notes": ["3 gaps were filled in 1 series"],
    }
    table |= {"start": str(data["ds"].min()), "end": str(data["ds"].max())}
    return {
        "created_at": WHEN,
        "created_by": "someone",
        "git": {"commit": "a" * 40, "dirty": False},
        "data": table,
        "seed": settings["seed"],
        "python": "3.11.2",
        "platform": "Linux",
        "versions": {"forerun": "0.1.0", "neuralforecast": "3.3.0"},
    }
