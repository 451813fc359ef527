"""Write the predictions of a run, and forecast other data with its models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.errors import UserError
from forerun.base.files import new_folder, read_json, write_csv, write_json, write_parquet
from forerun.base.text import plural
from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.config.names import COMBINED
from forerun.data import forecastable
from forerun.evaluation.series_units import Past
from forerun.forecasting.choice import UNVERIFIED, Choice, refuse_damaged
from forerun.forecasting.engines.base import Data
from forerun.forecasting.forecasts import (
    combinations,
    forecasts,
    own_forecasts,
    points,
    with_intervals,
)
from forerun.forecasting.shards import read_shard
from forerun.forecasting.tidy import write_tidy
from forerun.forecasting.training import read_run_data
from forerun.runs.paths import RunPaths
from forerun.runs.records import recorded_folder
from forerun.runs.run_data import read_history
from forerun.runs.state import failed_models
from forerun.runs.tables import read_metrics

#: File in a shard's folder: why models could not forecast.
REFUSED = "refused.json"


def write(
    config: str,
    data: str,
    models: list[str],
    leaderboard: str,
    folder: str,
    shards: Sequence[str] = (),
) -> None:
    """Write ``<model>.csv`` into `folder` for each model that did not fail.

    ``per_series.csv`` and ``ensemble.csv`` combine them. Models of a sealed run are verified first.

    Parameters
    ----------
    shards : folders that :func:`write_shard` wrote, in order; their forecasts are reused
    """
    place = Path(folder)
    with recorded_folder(place.parent, place.name) as temporary:
        settings, folders = _usable(config, models, leaderboard)
        run = Path(config).parent
        reused = shards and not any(spec.info.multivariate for spec in specs(settings))
        table = Data(read_history(data)) if reused else read_run_data(data, settings)
        refused = [line for shard in shards for line in read_json(Path(shard) / REFUSED) or []]
        past = Past(table.history)
        frames: dict[str, pd.DataFrame] = {}
        for model, frame in _of_shards(settings, table, folders, shards, refused):
            complete = with_intervals(frame, model, run, past, settings)
            write_csv(temporary / f"{model}.csv", complete)
            frames[model] = points(complete, model, frames)
        if not frames and not refused:  # models that lack future values are only back-tested
            raise UserError("all models failed; there is nothing to forecast with (see status/)")
        for name, frame in combinations(settings, past, run, frames):
            write_csv(temporary / f"{name}.csv", frame)
        write_tidy(temporary, _in_order(temporary, list(frames)), settings)


def _in_order(folder: Path, models: list[str]) -> list[str]:
    """Return the models with a table in `folder`, their combinations first."""
    combined = [name for name in COMBINED if (folder / f"{name}.csv").is_file()]
    return [*combined, *models]


def write_shard(
    config: str, data: str, models: list[str], leaderboard: str, folder: str, shard: str, size: int
) -> None:
    """Write ``<model>.parquet`` into `folder`: each model's forecasts for the series of a shard.

    Models that forecast all series jointly are left to :func:`write`. Models that lack future
    values are listed with the reason in ``refused.json``.

    Parameters
    ----------
    shard, size : see :func:`forerun.forecasting.shards.read_shard`
    """
    with new_folder(folder) as temporary:
        settings, folders = _usable(config, models, leaderboard, with_scores=False)
        some = read_shard(data, settings, shard, size)
        alone = [spec for spec in specs(settings) if not spec.info.multivariate]
        refused: list[str] = []
        for model, frame in own_forecasts(alone, settings, some, folders, refused):
            write_parquet(temporary / f"{model}.parquet", frame)
        write_json(temporary / REFUSED, refused)


def _usable(
    config: str, models: list[str], leaderboard: str, with_scores: bool = True
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Return the run's settings and the folder of each model that did not fail; verify these."""
    failed = failed_models(leaderboard)  # failed in cross-validation, a model still has a folder
    folders = {Path(m).name: Path(m) for m in models if Path(m).name not in failed}
    if not os.environ.get(UNVERIFIED):
        refuse_damaged(Path(config).parent, folders, with_scores)
    return read_frozen(config), folders


def forecast_all(
    settings: dict[str, Any],
    data: Data,
    choice: Choice,
    notes: list[str],
    skip_missing: bool = False,
) -> dict[str, pd.DataFrame]:
    """Return the forecasts of models and of their combinations, with the run's frozen weights.

    Parameters
    ----------
    notes : receives notes on the combinations
    skip_missing : skip models that cannot forecast, instead of refusing the data
    """
    frames: dict[str, pd.DataFrame] = {}
    points_of: dict[str, pd.DataFrame] = {}
    refused: list[str] = []
    if not skip_missing:
        forecastable.refuse_missing(settings, data.history, data.future, choice.models)
    for name, frame in forecasts(settings, data, choice.models, refused):
        frames[name] = frame
        points_of[name] = points(frame, name, points_of)
    if not skip_missing:
        forecastable.refuse_left_out(refused)
    wanted = [name for name in COMBINED if name in choice.names]
    if wanted and choice.models:
        run = next(iter(choice.models.values())).parent.parent
        combined = dict(combinations(settings, Past(data.history), run, points_of))
        frames |= {name: combined[name] for name in wanted if name in combined}
        notes += _notes(data, run, wanted, [m for m in choice.models if m not in points_of])
    return {name: frames[name] for name in choice.names if name in frames}


def _notes(data: Data, run: Path, combined: list[str], missing: list[str]) -> list[str]:
    """Return notes on series and models for which the combinations differ from the run's."""
    notes = []
    seen = set(read_metrics(RunPaths(run).metrics)["unique_id"])
    new = [str(name) for name in data.history["unique_id"].unique() if str(name) not in seen]
    if new:
        listed = ", ".join(f"'{name}'" for name in new[:5]) + (", ..." if len(new) > 5 else "")
        notes.append(
            f"{plural(len(new), 'series')} not in run '{run.name}' ({listed}): "
            f"{' and '.join(combined)} use the model and the weights that are best overall"
        )
    if missing:
        notes.append(f"{' and '.join(combined)} do not include {', '.join(missing)}")
    return notes


def _of_shards(
    settings: dict[str, Any],
    data: Data,
    models: dict[str, Path],
    shards: Sequence[str],
    refused: list[str],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the own forecasts of each model, from the shards if they have them."""
    for spec in specs(settings):
        if not shards or spec.info.multivariate:
            yield from own_forecasts([spec], settings, data, models, refused)
            continue
        parts = [Path(shard) / f"{spec.name}.parquet" for shard in shards]
        if all(part.is_file() for part in parts):
            yield spec.name, pd.concat(map(pd.read_parquet, parts), ignore_index=True)
