"""Forecasts of a run's models and their combinations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.errors import UserError
from forerun.base.files import new_folder, read_json, write_csv, write_json, write_parquet
from forerun.base.terminal import echo_error
from forerun.base.text import plural
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec, specs
from forerun.config.names import COMBINED, ENSEMBLE, PER_SERIES
from forerun.data import forecastable
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.averaging import mean_of_members
from forerun.evaluation.combining import chosen_models, ensemble_forecasts, per_series_forecasts
from forerun.evaluation.intervals import complete_forecasts
from forerun.evaluation.measures import Measures
from forerun.forecasting import transforms, weights
from forerun.forecasting.choice import UNVERIFIED, Choice, refuse_damaged
from forerun.forecasting.engines.base import Data, get_engine
from forerun.forecasting.remainder import Remainder
from forerun.forecasting.scaling import Scaling
from forerun.forecasting.shards import read_shard, series_names
from forerun.forecasting.tidy import write_tidy
from forerun.forecasting.training import read_run_data, without_gap
from forerun.runs.fit import has_model
from forerun.runs.json_files import read_ensemble
from forerun.runs.paths import RunPaths
from forerun.runs.records import recorded_folder
from forerun.runs.run_data import read_history
from forerun.runs.state import failed_models
from forerun.runs.tables import read_cv_results, read_metrics

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
        frames: dict[str, pd.DataFrame] = {}
        for model, frame in _of_shards(settings, table, folders, shards, refused):
            complete = _complete(frame, model, run, table, settings)
            write_csv(temporary / f"{model}.csv", complete)
            frames[model] = points(complete, model, frames)
        if not frames and not refused:  # models that lack future values are only back-tested
            raise UserError("all models failed; there is nothing to forecast with (see status/)")
        for name, frame in combinations(settings, table, run, frames):
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
        for model, frame in _own_forecasts(alone, settings, some, folders, refused):
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


def forecasts(
    settings: dict[str, Any],
    data: Data,
    models: dict[str, Path],
    refused: list[str] | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each model's name and its forecasts: ``unique_id``, ``ds``, ``<model>``, intervals.

    Parameters
    ----------
    models : folder of each model, inside its run; failed models (empty folders) are skipped, and
        so are models that lack future values, unless none remains
    refused : receives one message for each model that lacks future values
    """
    refused = [] if refused is None else refused
    number = 0
    data = _with_trained_series(settings, data, models)
    for name, frame in _own_forecasts(specs(settings), settings, data, models, refused):
        number += 1
        yield name, _complete(frame, name, models[name].parent.parent, data, settings)
    if refused and not number:
        raise UserError(refused[0])


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
        combined = dict(combinations(settings, data, run, points_of))
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


def _with_trained_series(settings: dict[str, Any], data: Data, models: dict[str, Path]) -> Data:
    """Add the run's series, for multivariate models that were saved without their names."""
    together = [models[s.name] for s in specs(settings) if s.info.multivariate and s.name in models]
    frozen = [RunPaths(folder.parent.parent).data for folder in together]
    if data.own or not frozen or not frozen[0].is_file():
        return data
    return replace(data, trained_on=series_names(frozen[0]))


def _own_forecasts(
    wanted: Iterable[ModelSpec],
    settings: dict[str, Any],
    data: Data,
    models: dict[str, Path],
    refused: list[str],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the own forecasts of models; `refused` receives one message for each that cannot."""
    done: dict[str, pd.DataFrame] = {}
    for spec in wanted:
        folder = models.get(spec.name)
        if folder is None or not has_model(folder):
            continue
        if spec.members:
            if (mean := _mean(spec, settings, data, folder, done)) is not None:
                yield spec.name, mean
            continue
        echo_error(f"{spec.name}: predicting")
        engine = get_engine(spec.engine)
        if not weights.are_saved(folder):
            spec = weights.located(spec, settings, folder.parents[2])
        scaling = Scaling.read(folder)
        try:
            logged = transforms.forward(data, spec)
            remainder = Remainder.of(spec, settings, logged, logged.history, ahead=True)
            given, inner = remainder.forward(logged), remainder.settings
            fitted = engine.load(spec, inner, folder)
            frame = engine.predict(fitted, inner, scaling.forward(given, given.history))
            frame = remainder.back(scaling.back(frame, given, given.history), logged)
        except UserError as error:
            refused.append(str(error))
            echo_error(f"forerun: {error}")
            continue
        frame = transforms.back(frame, data, spec)
        frame = frame.sort_values(["unique_id", "ds"], ignore_index=True)
        frame = without_gap(frame, settings, ["unique_id"])
        if spec.member_of:
            done[spec.name] = frame
        yield spec.name, frame


def _mean(
    spec: ModelSpec,
    settings: dict[str, Any],
    data: Data,
    folder: Path,
    done: dict[str, pd.DataFrame],
) -> pd.DataFrame | None:
    """Return the mean of the forecasts of a model's members; None if one cannot forecast.

    Parameters
    ----------
    done : forecasts of members that were made already
    """
    members = list(spec.members or ())
    missing = [one for one in specs(settings) if one.name in members and one.name not in done]
    places = {one.name: folder.with_name(one.name) for one in missing}
    found = done | dict(_own_forecasts(missing, settings, data, places, []))
    if any(name not in found for name in members):
        return None  # the members themselves say why
    return mean_of_members({name: found[name] for name in members}, spec.name)


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
            yield from _own_forecasts([spec], settings, data, models, refused)
            continue
        parts = [Path(shard) / f"{spec.name}.parquet" for shard in shards]
        if all(part.is_file() for part in parts):
            yield spec.name, pd.concat(map(pd.read_parquet, parts), ignore_index=True)


def _complete(
    frame: pd.DataFrame, name: str, run: Path, data: Data, settings: dict[str, Any]
) -> pd.DataFrame:
    """Add the intervals that the model does not provide, from its cross-validation in `run`."""
    path = RunPaths(run).existing_cv_results(name)
    wanted = bool(settings.get("levels")) and path.is_file()
    results = sorted_results(read_cv_results(path)) if wanted else None
    return complete_forecasts(frame, name, results, data.history, settings)


def combinations(
    settings: dict[str, Any], data: Data, run: Path, frames: dict[str, pd.DataFrame]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield ``per_series`` and ``ensemble`` of the models' forecasts; nothing without scores.

    Parameters
    ----------
    run : folder of the run; ``metrics.csv`` and ``ensemble.json`` determine the models
    frames : the models' forecasts: ``unique_id``, ``ds``, ``<model>``, with the same rows
    """
    paths = RunPaths(run)
    record = read_ensemble(paths.folder)
    if not frames or not record or not paths.metrics.is_file():
        return
    scored = record.get("models") or list(frames)  # the same models as in the scores
    frames = {model: frame for model, frame in frames.items() if model in scored}
    if not frames:
        return
    metrics = read_metrics(paths.metrics)
    measures = Measures.of_weights(settings, run)
    chosen, overall = chosen_models(metrics, record, list(frames), settings, measures)
    combined = {
        PER_SERIES: per_series_forecasts(frames, chosen, overall),
        ENSEMBLE: ensemble_forecasts(frames, record, metrics, settings, measures),
    }
    for name in COMBINED:
        frame = _complete(combined[name], name, run, data, settings)
        last = [column for column in ("chosen",) if column in frame.columns]
        yield name, frame[[c for c in frame.columns if c not in last] + last]


def points(frame: pd.DataFrame, model: str, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``<model>`` for :func:`combinations`; keys share memory."""
    keys = ["unique_id", "ds"]
    first = next(iter(frames.values()), frame)[keys]
    if len(first) == len(frame) and first["unique_id"].equals(frame["unique_id"]):
        return first.assign(**{model: frame[model].to_numpy()})
    return first.merge(frame[[*keys, model]], on=keys, how="left")
