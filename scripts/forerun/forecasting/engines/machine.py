"""mlforecast: regressors on lagged values, one for all series.

The forecast of a step is an input of the next one; with ``direct: true`` there is a regressor for
each step. Besides the regressor's arguments a model takes those of
:mod:`forerun.config.regressor_features`; :mod:`forerun.forecasting.engines.lagged` has their
defaults.
With ``per_series: true`` a linear model is one regression for each series instead.
"""

from __future__ import annotations

import importlib
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forerun.base.terminal import echo_error
from forerun.base.text import plural
from forerun.config import categories
from forerun.config.catalog import Argument, EngineCatalog, ModelInfo
from forerun.config.engines import versions
from forerun.config.models import categorical_columns, exogenous_columns
from forerun.config.regressor_features import FEATURES
from forerun.config.windows import reach, step_size
from forerun.forecasting.engines import per_series, regressors
from forerun.forecasting.engines.base import (
    Data,
    ForecastError,
    Progress,
    check_finite,
    future_values,
    tidy_columns,
)
from forerun.forecasting.engines.describing import arguments
from forerun.forecasting.engines.lagged import Features

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Arguments of CatBoost that name files, and those that the run decides.
_LEFT_OUT = {
    *("train_dir", "save_snapshot", "snapshot_file", "snapshot_interval", "allow_writing_files"),
    *("name", "metadata", "thread_count", "logging_level", "silent", "class_names", "verbosity"),
}
#: Advice if forecasts are NaN or infinite.
ADVICE = "look at the data, or give it other lags or differences"


def describe() -> EngineCatalog:
    """Describe every regressor."""
    return EngineCatalog(
        versions(["mlforecast", *regressors.PACKAGES.values()]),
        {name: _describe(name, *place) for name, place in regressors.CLASSES.items()},
    )


def _describe(name: str, module: str, class_name: str) -> ModelInfo:
    top = module.partition(".")[0]
    cls = getattr(importlib.import_module(module), class_name)
    own = arguments(cls)
    for base in cls.__mro__[1:] if name == "XGBoost" else ():  # its **kwargs
        own = {**arguments(base), **own} if base.__module__.startswith(top) else own
    own = {name: argument for name, argument in own.items() if name not in _LEFT_OUT}
    return ModelInfo(
        name,
        "mlforecast",
        "machine learning",
        summary=f"{class_name} of {top} on lagged values",
        futr_exog=True,
        stat_exog=True,
        categorical=name == "LightGBM",
        arguments={**own, **{name: Argument() for name in FEATURES}},
        needs=("mlforecast", regressors.PACKAGES[top]),
    )


@dataclass
class Fitted:
    """A trained regressor (anything with ``predict``) and its specification.

    Attributes
    ----------
    regressor : or a dictionary by step from 0; None if series are fitted when they are forecast
    features : None with ``per_series``
    series : names of the training series if the model distinguishes them
    """

    spec: ModelSpec
    regressor: Any
    features: Features | None
    series: list[str] | None = None


def _table(
    spec: ModelSpec, settings: dict[str, Any], data: Data, series: list[str] | None
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the history with the columns in use, and the names of the static and future ones."""
    used = exogenous_columns(spec, settings)
    static, future = used["stat_exog"], used["futr_exog"]
    table = data.history[["unique_id", "ds", "y", *future]]
    if static and data.static is not None:
        table = table.merge(data.static[["unique_id", *static]], on="unique_id", how="left")
    return _with_categories(table, spec, settings, series), static, future


def _with_categories(
    table: pd.DataFrame, spec: ModelSpec, settings: dict[str, Any], series: list[str] | None
) -> pd.DataFrame:
    """Return the table with pandas categories for LightGBM; unseen values are missing."""
    made = {}
    for column in categorical_columns(spec, settings):
        if column in table.columns:
            values = series if column == categories.SERIES else categories.values(settings, column)
            made[column] = pd.Categorical(table[column], categories=values)
            if unseen := table.loc[made[column].codes < 0, column].nunique():
                of = "" if column == categories.SERIES else f" of {column}"
                what = plural(unseen, "value" if of else "series") + of
                echo_error(f"{spec.name}: {what} not seen in training, treated as missing")
    return table.assign(**made) if made else table


def _trained_series(spec: ModelSpec, settings: dict[str, Any], data: Data) -> list[str] | None:
    if categories.SERIES not in categorical_columns(spec, settings):
        return None
    return [str(name) for name in data.history["unique_id"].unique()]


def _is_local(spec: ModelSpec) -> bool:
    return spec.params.get("per_series") is True


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    """See :meth:`forerun.forecasting.engines.base.Engine.fit`."""
    progress(0, 1, None)
    if _is_local(spec):
        return Fitted(spec, None, None)
    series = _trained_series(spec, settings, data)
    table, static, known = _table(spec, settings, data, series)
    features = Features.of(spec, settings, bool(known))
    library = features.build(spec.name, settings, regressors.make(spec, settings))
    _enough(spec, features, table)
    library.fit(table, static_features=static, max_horizon=features.horizon(settings))
    return Fitted(spec, library.models_[spec.name], features, series)


def _enough(spec: ModelSpec, features: Features, table: pd.DataFrame) -> None:
    longest, lag = int(table["unique_id"].value_counts().max()), max(features.lags)
    if longest <= lag + 1:
        raise ForecastError(
            f"no series is longer than the longest lag of {spec.name}, {lag}; give it smaller lags"
        )


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.cross_validate`."""
    progress(0, 1, None)
    table, static, known = _table(spec, settings, data, _trained_series(spec, settings, data))
    if _is_local(spec):
        frame = per_series.cross_validate(spec, settings, data, known, windows)
        return check_finite(frame, spec.name, ADVICE)
    features = Features.of(spec, settings, bool(known))
    library = features.build(spec.name, settings, regressors.make(spec, settings))
    _enough(spec, features, table)
    with _quiet():
        frame = library.cross_validation(
            table,
            n_windows=windows,
            h=reach(settings),
            step_size=step_size(settings),
            static_features=static,
            refit=False,
            max_horizon=features.horizon(settings),
        )
    return check_finite(tidy_columns(frame, spec.name), spec.name, ADVICE)


def predict(fitted: Fitted, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.predict`."""
    spec, features = fitted.spec, fitted.features
    table, static, columns = _table(spec, settings, data, fitted.series)
    if features is None:
        return check_finite(per_series.forecast(spec, settings, data, columns), spec.name)
    future = future_values(data, columns, spec.name, settings)
    if future is not None:
        future = _with_categories(future, spec, settings, fitted.series)
    library = features.build(spec.name, settings, fitted.regressor)
    library.preprocess(table, static_features=static, max_horizon=features.horizon(settings))
    library.models_ = {spec.name: fitted.regressor}
    with _quiet():
        frame = library.predict(h=reach(settings), X_df=future)
    return check_finite(tidy_columns(frame, spec.name), spec.name, ADVICE)


def _quiet() -> Any:
    """Ignore scikit-learn's warnings about missing column names, which are not saved."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def save(fitted: Fitted, folder: Path) -> None:
    """Write the specification as JSON and the regressors in formats without code."""
    record = asdict(fitted.spec)
    if fitted.features is not None:
        record["features"] = asdict(fitted.features)
    if fitted.series is not None:
        record["series"] = fitted.series
    text = json.dumps(record, indent=2, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    model = fitted.spec.model
    if isinstance(fitted.regressor, dict):
        for step, regressor in fitted.regressor.items():
            regressors.save(model, regressor, folder, step)
    elif fitted.regressor is not None:
        regressors.save(model, fitted.regressor, folder)


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Fitted:
    """Read a model written by :func:`save`."""
    if _is_local(spec):
        return Fitted(spec, None, None)
    record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    features = Features.read(record.get("features"), spec, settings)
    steps, series = features.horizon(settings), record.get("series")
    if steps is None:
        return Fitted(spec, regressors.load(spec.model, folder), features, series)
    each = {step: regressors.load(spec.model, folder, step) for step in range(steps)}
    return Fitted(spec, each, features, series)
