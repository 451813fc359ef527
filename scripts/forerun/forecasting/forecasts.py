"""Forecasts of models, with intervals, and of their combinations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.errors import UserError
from forerun.base.terminal import echo_error
from forerun.config.models import ModelSpec, specs
from forerun.config.names import COMBINED, ENSEMBLE, PER_SERIES
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.averaging import mean_of_members
from forerun.evaluation.combining import chosen_models, ensemble_forecasts, per_series_forecasts
from forerun.evaluation.intervals import complete_forecasts
from forerun.evaluation.measures import Measures
from forerun.evaluation.series_units import Past
from forerun.forecasting import transforms, weights
from forerun.forecasting.engines.base import Data, get_engine
from forerun.forecasting.remainder import Remainder
from forerun.forecasting.scaling import Scaling
from forerun.forecasting.shards import series_names
from forerun.forecasting.training import without_gap
from forerun.runs.fit import has_model
from forerun.runs.json_files import read_ensemble
from forerun.runs.paths import RunPaths
from forerun.runs.tables import read_cv_results, read_metrics


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
    past = Past(data.history)
    for name, frame in own_forecasts(specs(settings), settings, data, models, refused):
        number += 1
        yield name, with_intervals(frame, name, models[name].parent.parent, past, settings)
    if refused and not number:
        raise UserError(refused[0])


def _with_trained_series(settings: dict[str, Any], data: Data, models: dict[str, Path]) -> Data:
    """Add the run's series, for multivariate models that were saved without their names."""
    together = [models[s.name] for s in specs(settings) if s.info.multivariate and s.name in models]
    frozen = [RunPaths(folder.parent.parent).data for folder in together]
    if data.own or not frozen or not frozen[0].is_file():
        return data
    return replace(data, trained_on=series_names(frozen[0]))


def own_forecasts(
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
            if (mean := mean_forecast(spec, settings, data, folder, done)) is not None:
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


def mean_forecast(
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
    found = done | dict(own_forecasts(missing, settings, data, places, []))
    if any(name not in found for name in members):
        return None  # the members themselves say why
    return mean_of_members({name: found[name] for name in members}, spec.name)


def with_intervals(
    frame: pd.DataFrame, name: str, run: Path, past: Past, settings: dict[str, Any]
) -> pd.DataFrame:
    """Add the intervals that the model does not provide, from its cross-validation in `run`."""
    path = RunPaths(run).existing_cv_results(name)
    wanted = bool(settings.get("levels")) and path.is_file()
    results = sorted_results(read_cv_results(path)) if wanted else None
    return complete_forecasts(frame, name, results, past.history, settings, past)


def combinations(
    settings: dict[str, Any], past: Past, run: Path, frames: dict[str, pd.DataFrame]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield ``per_series`` and ``ensemble`` of the models' forecasts; nothing without scores.

    Parameters
    ----------
    past : of the series to forecast
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
        frame = with_intervals(combined[name], name, run, past, settings)
        last = [column for column in ("chosen",) if column in frame.columns]
        yield name, frame[[c for c in frame.columns if c not in last] + last]


def points(frame: pd.DataFrame, model: str, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return ``unique_id``, ``ds``, ``<model>`` for :func:`combinations`; keys share memory."""
    keys = ["unique_id", "ds"]
    first = next(iter(frames.values()), frame)[keys]
    if len(first) == len(frame) and first["unique_id"].equals(frame["unique_id"]):
        return first.assign(**{model: frame[model].to_numpy()})
    return first.merge(frame[[*keys, model]], on=keys, how="left")
