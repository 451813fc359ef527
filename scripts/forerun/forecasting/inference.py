"""Forecasts from a run's models beyond its own predictions: chosen models and series, new data."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError, suggest
from forerun.base.files import new_folder, read_json, sha256, write_csv, write_json
from forerun.config.models import specs
from forerun.config.names import COMBINED, current
from forerun.jobs.isolate import now
from forerun.runs import seal
from forerun.runs.paths import RunPaths
from forerun.runs.records import recorded_folder
from forerun.runs.state import has_model, is_frozen, is_sealed, outcome

if TYPE_CHECKING:
    import pandas as pd

    from forerun.forecasting.engines.base import Data

#: The environment variable that lets the workflow use damaged models: ``predict --no-verify``.
UNVERIFIED = "FORERUN_UNVERIFIED"

Frames = dict[str, "pd.DataFrame"]


@dataclass(frozen=True)
class Choice:
    """Whose forecasts are wanted.

    Attributes
    ----------
    names : models and combinations, in the order of the leaderboard
    models : the folder of each model that has to forecast for these
    """

    names: list[str]
    models: dict[str, Path]


def choose(folder: Path, settings: Mapping[str, Any], asked: Sequence[str] | None = None) -> Choice:
    """Return the models and combinations to forecast with: those asked for, or else all.

    Raises
    ------
    UserError
        One that was asked for is not in the run, failed, or is not trained yet; or none is.
    """
    models = [spec.name for spec in specs(settings)]
    if asked is None:
        usable = usable_models(folder, settings)
        combined = COMBINED if _is_scored(folder) else ()
        return Choice(_ranked(folder, [*usable, *combined]), usable)
    asked = list(dict.fromkeys(current(name, models) for name in asked))
    for name in asked:
        known = [*models, *COMBINED]
        if name not in known:
            raise UserError(f"run '{folder.name}' has no model '{name}'{suggest(name, known)}")
    single = [name for name in asked if name in models]
    if single == asked:
        return Choice(asked, usable_models(folder, settings, asked))
    if not _is_scored(folder):
        raise UserError(f"run '{folder.name}' has no scores yet, and no {asked[-1]} without them")
    usable_models(folder, settings, single)  # refuses those that cannot forecast
    return Choice(asked, usable_models(folder, settings))


def _is_scored(folder: Path) -> bool:
    return RunPaths(folder).metrics.is_file() and bool(read_json(folder / "ensemble.json"))


def _ranked(folder: Path, names: list[str]) -> list[str]:
    from forerun.runs.tables import read_leaderboard_rows

    if not RunPaths(folder).leaderboard.is_file():
        return names
    order = [row["model"] for row in read_leaderboard_rows(RunPaths(folder).leaderboard)]
    ranked = [name for name in order if name in names]
    return ranked + [name for name in names if name not in ranked]


def usable_models(
    folder: Path, settings: Mapping[str, Any], asked: Sequence[str] | None = None
) -> dict[str, Path]:
    """Return the folder of each model that can forecast, in the configuration's order.

    Raises
    ------
    UserError
        A model that was asked for failed or is not trained yet; or none is.
    """
    paths = RunPaths(folder)
    known = [spec.name for spec in specs(settings)]
    chosen = {}
    for name in known:
        well = outcome(paths.status(name)).get("status", "ok") == "ok"
        there = has_model(paths.model(name)) and well
        if there and (asked is None or name in asked):
            chosen[name] = paths.model(name)
        elif asked is not None and name in asked:
            error = outcome(paths.status(name)).get("error") or {}
            reason = f"failed: {error['message']}" if error.get("message") else "is not trained yet"
            raise UserError(f"model '{name}' of run '{folder.name}' {reason}")
    if not chosen and asked != []:
        raise UserError(f"run '{folder.name}' has no trained model; 'train' it first")
    return chosen


def refuse_damaged(folder: Path, models: Iterable[str], with_scores: bool = True) -> None:
    """Compare a sealed run's models, data and configuration with the seal before they are used.

    Combining needs the scores as well (`with_scores`).
    """
    if not is_sealed(folder):
        return
    frozen = ["config.yaml", "data.parquet"]
    frozen += ["metrics.csv", "ensemble.json"] if with_scores else []
    for what, prefix in [("", name) for name in frozen] + [
        (name, f"models/{name}/") for name in models
    ]:
        found = seal.verify(folder, prefix)
        wrong = [f"{kind} {file}" for kind, files in found.items() for file in files]
        if wrong:
            subject = f"model '{what}' of run '{folder.name}'" if what else f"run '{folder.name}'"
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise UserError(
                f"{subject} is damaged ({'; '.join(wrong[:3])}{more}): not used to forecast; "
                "'forerun verify' lists everything, --no-verify insists"
            )


def run_forecasts(folder: Path, settings: dict[str, Any], choice: Choice) -> Frames:
    """Return the forecasts for the run's own data: those saved, or else new ones."""
    from forerun.runs.tables import read_predictions

    files = {name: RunPaths(folder).existing_predictions(name) for name in choice.names}
    whole = is_sealed(folder) and all(path.is_file() for path in files.values())
    if whole and seal.is_intact(folder, "predictions"):
        return {name: read_predictions(path) for name, path in files.items()}
    from forerun.forecasting.predict import forecast_all
    from forerun.forecasting.training import read_run_data

    data = read_run_data(RunPaths(folder).data, settings)
    return forecast_all(settings, data, choice, [], skip_missing=True)


def frozen_static(
    folder: Path, settings: Mapping[str, Any], columns: Iterable[str]
) -> pd.DataFrame | None:
    """Return the run's static features that new data with these columns lack; None if none."""
    import pandas as pd

    there = {str(name) for name in columns}
    names = [name for name in settings.get("stat_exog") or [] if name not in there]
    if not names:
        return None
    frame = pd.read_parquet(RunPaths(folder).data, columns=["unique_id", *names])
    frame = frame.drop_duplicates("unique_id", ignore_index=True)
    return frame.rename(columns={"unique_id": settings.get("id_col") or "unique_id"})


def new_data(
    folder: Path,
    settings: Mapping[str, Any],
    file: str,
    static: str | None = None,
    futr: str | None = None,
    notes: list[str] | None = None,
) -> Data:
    """Read and check new observations; they need the columns and the frequency of the run.

    A series has to be as long as what a model looks at, not as long as for training. Static
    features that are not given are those frozen with the run. `notes` receives how the files were
    read.
    """
    from forerun.data import load_new, split
    from forerun.forecasting.engines.base import Data

    try:
        frozen = partial(frozen_static, folder, settings)
        prepared = load_new(settings, file, static, futr, frozen)
    except UserError as error:
        raise UserError(f"--data-file '{file}': {error}") from error
    if notes is not None:
        notes.extend(prepared.notes)
    return Data(*split(prepared.frame, settings))


def pick_series(metrics: Path, seed: int | None = None) -> tuple[str, float, str]:
    """Pick a series of ``metrics.csv``: that with the lowest mean MAE over the models, or any one.

    Returns
    -------
    tuple
        The series, its error (mean over the models), and the metric's name: ``mae``, or the first
        one of the run if it has no MAE.
    """
    from forerun.runs.tables import read_metrics

    table = read_metrics(metrics)
    if len(table) == 0:
        raise UserError(f"{metrics}: has no rows, a series cannot be picked; give --unique-id")
    names = list(dict.fromkeys(table["metric"]))
    metric = "mae" if "mae" in names else names[0]
    rows = table[table["metric"] == metric].set_index("unique_id").drop(columns="metric")
    rows = rows.drop(columns=list(COMBINED), errors="ignore")  # made of the models
    errors = rows.mean(axis=1, numeric_only=True)
    if seed is not None:
        chosen = random.Random(seed).choice(sorted(errors.index))
        return str(chosen), float(errors[chosen]), metric
    if errors.notna().sum() == 0:
        raise UserError(f"{metrics}: no model has a finite {metric}, give --unique-id")
    return str(errors.idxmin()), float(errors.min()), metric


def only_series(frames: Frames, unique_ids: Sequence[str]) -> Frames:
    """Keep some series of the forecasts; refuse one that is not there."""
    known = {str(name) for frame in frames.values() for name in frame["unique_id"].unique()}
    for name in unique_ids:
        if name not in known:
            raise UserError(f"there is no series '{name}'{suggest(name, known)}")
    return {
        model: frame[frame["unique_id"].astype(str).isin(unique_ids)].reset_index(drop=True)
        for model, frame in frames.items()
    }


def free_name(folder: Path, wished: str) -> str:
    """Return a name in ``inference/`` that is free: `wished`, or that with a number."""
    name, number = wished, 1
    while os.path.lexists(folder / "inference" / name):
        number += 1
        name = f"{wished}_{number}"
    return name


def refuse_taken(folder: Path, name: str) -> None:
    """Refuse a name in ``inference/`` that the user has chosen and that is not free."""
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
    **told: Any,
) -> Path:
    """Write forecasts and ``record.json`` as ``inference/<name>/``, whole or not at all.

    If another call takes that name first, the folder gets a number.

    Parameters
    ----------
    settings : of the run: the user's names of the columns, for the tidy table
    """
    while True:
        free = free_name(folder, name)
        with suppress(FileExistsError):
            return _saved(folder, free, frames, data_file, settings, told)


def _saved(
    folder: Path,
    name: str,
    frames: Frames,
    data_file: str | Path,
    settings: Mapping[str, Any],
    told: dict[str, Any],
) -> Path:
    from forerun.forecasting.tidy import write_tidy

    what = f"inference/{name}"
    # The unversioned structure is no run: nothing is verified there.
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
                **told,
            },
        )
    return folder / what
