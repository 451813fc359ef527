"""Inference with the models of a run: on new data, and for selected series."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.clock import now
from forerun.base.errors import UserError, suggest
from forerun.base.files import new_folder, sha256, write_csv, write_json
from forerun.config.names import COMBINED
from forerun.data.categories import decoded
from forerun.forecasting.choice import Choice
from forerun.runs import seal
from forerun.runs.paths import RunPaths
from forerun.runs.records import recorded_folder
from forerun.runs.run_data import read_data
from forerun.runs.state import is_frozen, is_sealed

if TYPE_CHECKING:
    import pandas as pd

    from forerun.data.preparing import Prepared
    from forerun.forecasting.engines.base import Data

Frames = dict[str, "pd.DataFrame"]


def run_forecasts(folder: Path, settings: dict[str, Any], choice: Choice) -> Frames:
    """Return the forecasts for the run's own data: saved ones if intact, otherwise new ones."""
    from forerun.runs.tables import read_predictions

    files = {name: RunPaths(folder).existing_predictions(name) for name in choice.names}
    complete = is_sealed(folder) and all(path.is_file() for path in files.values())
    if complete and seal.is_intact(folder, "predictions"):
        return {name: read_predictions(path) for name, path in files.items()}
    from forerun.forecasting.predict import forecast_all
    from forerun.forecasting.training import read_run_data

    data = read_run_data(RunPaths(folder).data, settings)
    return forecast_all(settings, data, choice, [], skip_missing=True)


def frozen_static(
    folder: Path, settings: Mapping[str, Any], columns: Iterable[str]
) -> pd.DataFrame | None:
    """Return the run's static features that are not among `columns`; None if there are none."""

    given = {str(name) for name in columns}
    names = [name for name in settings.get("stat_exog") or [] if name not in given]
    if not names:
        return None
    frame = read_data(RunPaths(folder).data, columns=["unique_id", *names])
    frame = frame.drop_duplicates("unique_id", ignore_index=True)
    frame = frame.assign(**{name: decoded(frame[name], settings) for name in names})
    return frame.rename(columns={"unique_id": settings.get("id_col") or "unique_id"})


def new_data(
    folder: Path,
    settings: Mapping[str, Any],
    file: str,
    static: str | None = None,
    futr: str | None = None,
    notes: list[str] | None = None,
) -> Data:
    """Read and check new observations, which need the columns and the frequency of the run.

    Each series must cover the input of the models; it may be shorter than for training. Static
    features default to those frozen with the run. Notes on how the files were read are appended to
    `notes`.
    """
    from forerun.data import split
    from forerun.forecasting.engines.base import Data

    prepared = prepare_new(folder, settings, file, static, futr)
    if notes is not None:
        notes.extend(prepared.notes)
    return Data(*split(prepared.frame, settings))


def prepare_new(
    folder: Path,
    settings: Mapping[str, Any],
    file: str,
    static: str | None = None,
    futr: str | None = None,
) -> Prepared:
    """Read and check new observations; see :func:`new_data`."""
    from forerun.data import load_new

    try:
        return load_new(settings, file, static, futr, partial(frozen_static, folder, settings))
    except UserError as error:
        raise UserError(f"--data-file '{file}': {error}") from error


def pick_series(metrics: Path, seed: int | None = None) -> tuple[str, float, str]:
    """Pick a series of ``metrics.csv``: the one with the lowest MAE, or a random one given `seed`.

    Returns
    -------
    tuple
        The series, its error (mean over the models), and the metric: ``mae``, or the first metric
        of the run if it has no MAE.
    """
    from forerun.runs.tables import read_metrics

    table = read_metrics(metrics)
    if len(table) == 0:
        raise UserError(f"{metrics}: has no rows to pick a series from; give --unique-id")
    names = list(dict.fromkeys(table["metric"]))
    metric = "mae" if "mae" in names else names[0]
    rows = table[table["metric"] == metric].set_index("unique_id").drop(columns="metric")
    rows = rows.drop(columns=list(COMBINED), errors="ignore")  # made of the models
    errors = rows.mean(axis=1, numeric_only=True)
    if seed is not None:
        chosen = random.Random(seed).choice(sorted(errors.index))
        return str(chosen), float(errors[chosen]), metric
    if errors.notna().sum() == 0:
        raise UserError(f"{metrics}: no model has a finite {metric}; give --unique-id")
    return str(errors.idxmin()), float(errors.min()), metric


def only_series(frames: Frames, unique_ids: Sequence[str]) -> Frames:
    """Return the forecasts of some series; refuse unknown series."""
    existing = {str(name) for frame in frames.values() for name in frame["unique_id"].unique()}
    for name in unique_ids:
        if name not in existing:
            raise UserError(f"there is no series '{name}'{suggest(name, existing)}")
    return {
        model: frame[frame["unique_id"].astype(str).isin(unique_ids)].reset_index(drop=True)
        for model, frame in frames.items()
    }


def free_name(folder: Path, name: str) -> str:
    """Return an unused name in ``inference/``: `name`, numbered if necessary."""
    free, number = name, 1
    while os.path.lexists(folder / "inference" / free):
        number += 1
        free = f"{name}_{number}"
    return free


def refuse_taken(folder: Path, name: str) -> None:
    """Refuse a name given by the user that exists in ``inference/``."""
    if os.path.lexists(folder / "inference" / name):
        raise UserError(
            f"--name: inference/{name} exists, and nothing is overwritten; choose another name"
        )


def save(
    folder: Path,
    name: str,
    frames: Frames,
    data_file: str | Path,
    settings: Mapping[str, Any],
    **notes: Any,
) -> Path:
    """Write forecasts and ``record.json`` to ``inference/<name>/``, completely or not at all.

    If the name is taken meanwhile, a number is appended.

    Parameters
    ----------
    settings : settings of the run, with the user's column names for the tidy table
    """
    while True:
        free = free_name(folder, name)
        with suppress(FileExistsError):
            return _saved(folder, free, frames, data_file, settings, notes)


def _saved(
    folder: Path,
    name: str,
    frames: Frames,
    data_file: str | Path,
    settings: Mapping[str, Any],
    notes: dict[str, Any],
) -> Path:
    from forerun.forecasting.tidy import write_tidy

    what = f"inference/{name}"
    # Folders of the unversioned structure are not runs and are not verified.
    place = recorded_folder(folder, what) if is_frozen(folder) else new_folder(folder / what)
    with place as temporary:
        for model, frame in frames.items():
            write_csv(temporary / f"{model}.csv", frame)
        write_tidy(temporary, list(frames), settings)
        write_json(
            temporary / "record.json",
            {
                "run_id": folder.name,
                "created_at": now(),
                "data": {"file": str(Path(data_file).absolute()), "sha256": sha256(data_file)},
                "models": list(frames),
                "series": len({u for frame in frames.values() for u in frame["unique_id"]}),
                **notes,
            },
        )
    return folder / what
