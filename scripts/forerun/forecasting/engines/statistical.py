"""StatsForecast: local models, fitted to each series separately and again at each cutoff."""

from __future__ import annotations

import inspect
import json
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import statsforecast.models as model_classes
from pyarrow.parquet import read_metadata
from statsforecast import StatsForecast

from forerun.base.files import write_parquet
from forerun.base.parallel import each
from forerun.config.catalog import EngineCatalog, ModelInfo
from forerun.config.engines import versions
from forerun.config.models import exogenous_columns
from forerun.config.windows import reach, step_size
from forerun.data.panel import names_of, series_starts
from forerun.data.splitting import only
from forerun.forecasting.engines import bounded, fallback, quantiles
from forerun.forecasting.engines.base import (
    Data,
    Progress,
    check_finite,
    future_values,
    series_hashes,
    tidy_columns,
)
from forerun.forecasting.engines.describing import arguments, summary
from forerun.forecasting.engines.statistical_fits import Fitted, Saved

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

_UNSUPPORTED = {
    "SklearnModel": "needs a fitted object; use LightGBM, Ridge, LinearRegression or RandomForest",
    "NaNModel": "forecasts nothing but missing values",
}
#: Models that need a package that is not a dependency of StatsForecast.
_NEEDS = {"MFLES": ("scikit-learn",), "AutoMFLES": ("scikit-learn",)}
#: Models whose intervals StatsForecast simulates: for 6 steps 170 times as long as the forecast.
_SIMULATED = ("AutoCES",)
#: Number of the longest series to try separately when a model fails for all of them together.
TRIED = 3
#: Seconds that the series of one call are meant to take: between two reports of progress.
CHUNK = 1.0


def describe() -> EngineCatalog:
    """Describe every model."""
    return EngineCatalog(
        versions(["statsforecast"]), {name: _describe(name) for name in model_classes.__all__}
    )


def _describe(name: str) -> ModelInfo:
    cls = getattr(model_classes, name)
    return ModelInfo(
        name,
        "statsforecast",
        "statistical",
        summary=summary(cls),
        futr_exog=cls.uses_exog,
        arguments=arguments(cls),
        needs=("statsforecast", *_NEEDS.get(name, ())),
        unsupported=_UNSUPPORTED.get(name),
    )


def gives_levels(model: str) -> bool:
    """Return whether the intervals of a class are used: some have none, or take too long."""
    if model in _SIMULATED:
        return False
    source = inspect.getsource(getattr(model_classes, model).forecast)
    return not re.search(r"(must pass|instantiate the class with) `prediction_intervals`", source)


def _build(spec: ModelSpec, settings: dict[str, Any], fallback_model: Any) -> StatsForecast:
    model = getattr(model_classes, spec.model)
    accepted = inspect.signature(model.__init__).parameters
    given: dict[str, Any] = {
        "alias": spec.name,
        "season_length": settings["season_length"],
        "test_size": reach(settings),
    }
    arguments = {name: value for name, value in given.items() if name in accepted}
    arguments |= bounded.bounds(spec, settings) | spec.params
    built = model(**arguments)
    built.alias = spec.name  # some classes ignore the argument
    return _library(built, settings, fallback_model)


def _library(model: Any, settings: dict[str, Any], fallback_model: Any = None) -> StatsForecast:
    return StatsForecast(
        models=[model], freq=settings["freq"], n_jobs=1, fallback_model=fallback_model
    )


def _by_series(
    history: pd.DataFrame,
    processes: int,
    progress: Progress,
    work: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    """Call `work` for some series at a time, in several processes if it takes long.

    Each series is fitted separately, so the result does not depend on how they are divided. The
    first calls measure how many series take about a second.
    """
    ids = history["unique_id"].to_numpy()
    starts = series_starts(ids) if len(ids) else np.array([0])
    bounds, count = [*starts.tolist(), len(ids)], len(starts)
    frames: list[pd.DataFrame] = []
    done, size = 0, 1
    while done < count:
        began, end = time.monotonic(), min(count, done + size)
        frames.append(work(history.iloc[bounds[done] : bounds[end]]))
        done = end
        progress(done, count, None)
        if done > 1 and time.monotonic() - began > CHUNK:  # the first call may compile
            break
        size *= 4 if done > 1 else 1
    size = max(1, min(size, -(-(count - done) // max(1, processes))))
    edges = [*range(done, count, size), count]

    def chunk(number: int) -> pd.DataFrame:
        return work(history.iloc[bounds[edges[number]] : bounds[edges[number + 1]]])

    for number, frame in enumerate(each(chunk, len(edges) - 1, processes)):
        frames.append(frame)
        progress(edges[number + 1], count, None)
    return pd.concat(frames, ignore_index=True)


def _working(
    spec: ModelSpec,
    settings: dict[str, Any],
    data: Data,
    work: Callable[[StatsForecast, pd.DataFrame], pd.DataFrame],
    progress: Progress,
) -> pd.DataFrame:
    """Call `work`; use the naive forecast for series that it fails for, and list them.

    If it fails for each of the longest series, the model fails.
    """
    history = _narrow(spec, settings, data)
    if limits := bounded.note(spec, settings):
        print(limits, file=sys.stderr)
    processes = int(settings.get("threads") or 1)

    def with_fallback(model: Any, some: pd.DataFrame) -> pd.DataFrame:
        with quantiles.computed_once():
            return tidy_columns(work(_build(spec, settings, model), some), spec.name)

    def all_series(model: Any) -> pd.DataFrame:
        return _by_series(history, processes, progress, lambda part: with_fallback(model, part))

    try:
        frame = all_series(None)
    except MemoryError:
        raise
    except Exception as error:
        longest = history["unique_id"].value_counts().index  # many models need a minimum length
        for name in longest[:TRIED] if len(longest) > 1 else []:
            with suppress(Exception):
                with_fallback(None, history[history["unique_id"] == name])
                break
        else:
            raise error
        frame = all_series(model_classes.NaNModel())

    def naive(some: pd.DataFrame) -> pd.DataFrame:
        given = work(_library(model_classes.Naive(alias=spec.name), settings), some)
        return tidy_columns(given, spec.name)

    frame, replaced = fallback.replace(frame, spec.name, history, naive)
    if note := fallback.note(replaced):
        print(f"{spec.name}: {note}", file=sys.stderr)
        data.kept[fallback.TABLE] = replaced
    return check_finite(frame, spec.name, "look at the data, or leave the model out")


def _columns(spec: ModelSpec, settings: dict[str, Any]) -> list[str]:
    return exogenous_columns(spec, settings)["futr_exog"]


def _levels(spec: ModelSpec, settings: dict[str, Any]) -> list[float] | None:
    levels = settings.get("levels")
    own = settings.get("statistical_intervals") == "own"
    return list(levels) if levels and own and gives_levels(spec.model) else None


def _narrow(spec: ModelSpec, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    return only(data.history, ["unique_id", "ds", "y", *_columns(spec, settings)])


def _series(data: Data) -> pd.DataFrame:
    return series_hashes(data.history).rename("sha256").to_frame()


def _forecast(
    spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress
) -> pd.DataFrame:
    future = future_values(data, _columns(spec, settings), spec.name, settings)

    def work(library: StatsForecast, history: pd.DataFrame) -> pd.DataFrame:
        values = None
        if future is not None:
            values = future[future["unique_id"].isin(history["unique_id"].unique())]
        return library.forecast(
            h=reach(settings), df=history, X_df=values, level=_levels(spec, settings)
        )

    return _working(spec, settings, data, work, progress)


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    """See :meth:`forerun.forecasting.engines.base.Engine.fit`.

    A model with exogenous variables forecasts in :func:`predict`, when their values are known.
    """
    if _columns(spec, settings):
        progress(0, 1, None)
        return Fitted(spec, pd.DataFrame(columns=["unique_id", "ds", spec.name]), _series(data))
    progress(0, len(series_starts(data.history["unique_id"].to_numpy())), None)
    return Fitted(spec, _forecast(spec, settings, data, progress), _series(data))


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`Engine.cross_validate`; each window is fitted separately."""
    progress(0, len(series_starts(data.history["unique_id"].to_numpy())), None)

    def work(library: StatsForecast, history: pd.DataFrame) -> pd.DataFrame:
        return library.cross_validation(
            h=reach(settings),
            df=history,
            n_windows=windows,
            step_size=step_size(settings),
            level=_levels(spec, settings),
            refit=True,
        )

    return _working(spec, settings, data, work, progress)


def predict(fitted: Fitted | Saved, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`Engine.predict`; the model is refitted to data other than the run's."""
    fitted = fitted.of(data) if isinstance(fitted, Saved) else fitted
    kept = fitted.forecasts
    if len(kept) and _are_the_same(fitted, data):  # all series, or a shard
        inside = kept["unique_id"].isin(names_of(data.history["unique_id"]))
        return kept[inside].reset_index(drop=True)
    return _forecast(fitted.spec, settings, data, lambda *_: None)


def _are_the_same(fitted: Fitted, data: Data) -> bool:
    """Return whether each series of `data` equals the training data of the model."""
    if "sha256" not in fitted.series:  # saved by version 0.1, which recorded no hashes
        ids = pd.Index(data.history["unique_id"].unique())
        return data.own and bool(ids.isin(fitted.series.index).all())
    given = _series(data)["sha256"]
    kept = fitted.series["sha256"].reindex(given.index)
    return bool((given.to_numpy() == kept.to_numpy()).all())


def save(fitted: Fitted, folder: Path) -> None:
    """Write the specification as JSON, forecasts and hashes of the series as Parquet."""
    text = json.dumps(asdict(fitted.spec), indent=2, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    write_parquet(folder / "forecasts.parquet", fitted.forecasts)
    write_parquet(folder / "series.parquet", fitted.series.reset_index())


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Saved:
    """Load a model that :func:`save` wrote."""
    return Saved(spec, folder, read_metadata(folder / "series.parquet").num_rows)
