"""mlforecast: global regressors on lagged values.

Optional: ``pip install forerun[ml]``.

Forecasts are recursive: each step is an input of the next. Besides the arguments of its regressor a
model accepts ``lags`` (numbers of steps; by default up to one season or the input size, whichever
is shorter), ``differences`` (of the target; by default 1, an empty list for none) and
``date_features`` (attributes of pandas' DatetimeIndex: month, dayofweek, hour...).

Saved models contain no code: LightGBM's text format, coefficients of linear models as JSON, trees
of forests as arrays.
"""

from __future__ import annotations

import importlib
import inspect
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlforecast import MLForecast
from mlforecast.target_transforms import Differences, LocalStandardScaler

from forerun.config.catalog import Argument, ModelInfo, Offer
from forerun.config.engines import versions
from forerun.config.models import exogenous_columns
from forerun.config.windows import reach, step_size
from forerun.forecasting.engines.base import (
    Data,
    ForecastError,
    Progress,
    check_finite,
    future_values,
    tidy_columns,
)
from forerun.forecasting.engines.describing import arguments

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

CLASSES = {
    "LightGBM": ("lightgbm", "LGBMRegressor"),
    "LinearRegression": ("sklearn.linear_model", "LinearRegression"),
    "Ridge": ("sklearn.linear_model", "Ridge"),
    "RandomForest": ("sklearn.ensemble", "RandomForestRegressor"),
}
#: Package of each module.
PACKAGES = {"lightgbm": "lightgbm", "sklearn": "scikit-learn"}
#: Arguments of a model besides those of its regressor.
FEATURES = ("lags", "differences", "date_features")
#: Maximum number of lags by default.
MOST_LAGS = 48


def offer() -> Offer:
    """Describe every regressor."""
    return Offer(
        versions(["mlforecast", *PACKAGES.values()]),
        {name: _describe(name, *place) for name, place in CLASSES.items()},
    )


def _describe(name: str, module: str, class_name: str) -> ModelInfo:
    top = module.partition(".")[0]
    cls = getattr(importlib.import_module(module), class_name)
    return ModelInfo(
        name,
        "mlforecast",
        "machine learning",
        summary=f"{class_name} of {top} on lagged values",
        futr_exog=True,
        stat_exog=True,
        arguments={**arguments(cls), **{name: Argument() for name in FEATURES}},
        needs=("mlforecast", PACKAGES[top]),
    )


@dataclass
class Fitted:
    """A trained regressor (any object with ``predict``) and its specification."""

    spec: ModelSpec
    regressor: Any


class Linear:
    """A linear model from its coefficients."""

    def __init__(self, coefficients: Any, intercept: float):
        self.coefficients, self.intercept = np.asarray(coefficients, dtype=float), intercept

    def predict(self, features: Any) -> Any:
        return np.asarray(features, dtype=float) @ self.coefficients + self.intercept


class Forest:
    """The mean of regression trees as arrays: ``left, right, feature, threshold, value, roots``."""

    def __init__(self, arrays: dict[str, Any]):
        self.arrays = arrays

    @classmethod
    def of(cls, trees: list[Any]) -> Forest:
        """Concatenate the arrays of scikit-learn's trees."""
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        moved = list(zip(trees, starts, strict=False))
        children = {
            "left": np.concatenate(
                [np.where(t.children_left < 0, -1, t.children_left + s) for t, s in moved]
            ),
            "right": np.concatenate(
                [np.where(t.children_right < 0, -1, t.children_right + s) for t, s in moved]
            ),
        }
        rest = {
            name: np.concatenate([getattr(t, name).ravel() for t in trees])
            for name in ("feature", "threshold", "value")
        }
        return cls(children | rest | {"roots": starts[:-1]})

    def predict(self, features: Any) -> Any:
        a = self.arrays
        values = np.asarray(features, dtype=np.float32)
        row = np.arange(len(values))[:, None]
        node = np.tile(a["roots"], (len(values), 1))
        while (inside := a["left"][node] >= 0).any():
            goes_left = values[row, np.maximum(a["feature"][node], 0)] <= a["threshold"][node]
            node = np.where(inside, np.where(goes_left, a["left"][node], a["right"][node]), node)
        return a["value"][node].mean(axis=1)


def _regressor(spec: ModelSpec, settings: dict[str, Any]) -> Any:
    module, name = CLASSES[spec.model]
    regressor = getattr(importlib.import_module(module), name)
    accepted = inspect.signature(regressor.__init__).parameters
    given = {"random_state": settings["seed"], "n_jobs": settings["threads"], "verbosity": -1}
    arguments = {k: v for k, v in given.items() if k in accepted or spec.model == "LightGBM"}
    own = {k: v for k, v in spec.params.items() if k not in FEATURES}
    if spec.model == "LightGBM":
        arguments |= {"deterministic": True, "force_row_wise": True}
    return regressor(**arguments | own)


def _lags(spec: ModelSpec, settings: dict[str, Any]) -> list[int]:
    if spec.params.get("lags"):
        return [int(lag) for lag in spec.params["lags"]]
    season = int(settings["season_length"])
    longest = max(1, min(int(settings["input_size"]), max(2 * season, 12), MOST_LAGS))
    lags = list(range(1, longest + 1))
    return lags if season <= longest or season > int(settings["input_size"]) else [*lags, season]


def _build(spec: ModelSpec, settings: dict[str, Any], regressor: Any) -> MLForecast:
    differences = spec.params.get("differences", [1])
    steps = [differences] if isinstance(differences, int) else list(differences or [])
    transforms: list[Any] = [Differences(steps)] if steps else []
    return MLForecast(
        models={spec.name: regressor},
        freq=settings["freq"],
        lags=_lags(spec, settings),
        date_features=spec.params.get("date_features") or [],
        target_transforms=[*transforms, LocalStandardScaler()],
        num_threads=settings["threads"],
    )


def _table(
    spec: ModelSpec, settings: dict[str, Any], data: Data
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the history with the model's columns, and the names of static and future columns."""
    used = exogenous_columns(spec, settings)
    static, future = used["stat_exog"], used["futr_exog"]
    table = data.history[["unique_id", "ds", "y", *future]]
    if static and data.static is not None:
        table = table.merge(data.static[["unique_id", *static]], on="unique_id", how="left")
    return table, static, future


def fit(spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Fitted:
    """See :meth:`forerun.forecasting.engines.base.Engine.fit`."""
    progress(0, 1, None)
    table, static, _ = _table(spec, settings, data)
    library = _build(spec, settings, _regressor(spec, settings))
    _enough(spec, settings, table)
    library.fit(table, static_features=static)
    return Fitted(spec, library.models_[spec.name])


def _enough(spec: ModelSpec, settings: dict[str, Any], table: pd.DataFrame) -> None:
    longest, lag = int(table["unique_id"].value_counts().max()), max(_lags(spec, settings))
    if longest <= lag + 1:
        raise ForecastError(
            f"no series is longer than the longest lag of {spec.name}, {lag}; give it smaller lags"
        )


def cross_validate(
    spec: ModelSpec, settings: dict[str, Any], data: Data, windows: int, progress: Progress
) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.cross_validate`."""
    progress(0, 1, None)
    table, static, _ = _table(spec, settings, data)
    library = _build(spec, settings, _regressor(spec, settings))
    _enough(spec, settings, table)
    frame = library.cross_validation(
        table,
        n_windows=windows,
        h=reach(settings),
        step_size=step_size(settings),
        static_features=static,
        refit=False,
    )
    return check_finite(tidy_columns(frame, spec.name), spec.name)


def predict(fitted: Fitted, settings: dict[str, Any], data: Data) -> pd.DataFrame:
    """See :meth:`forerun.forecasting.engines.base.Engine.predict`."""
    spec = fitted.spec
    table, static, columns = _table(spec, settings, data)
    future = future_values(data, columns, spec.name, settings)
    library = _build(spec, settings, fitted.regressor)
    library.preprocess(table, static_features=static)
    library.models_ = {spec.name: fitted.regressor}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        frame = library.predict(h=reach(settings), X_df=future)
    return check_finite(tidy_columns(frame, spec.name), spec.name)


def save(fitted: Fitted, folder: Path) -> None:
    """Write the specification as JSON and the regressor in a format that contains no code."""
    text = json.dumps(asdict(fitted.spec), indent=2, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    regressor, model = fitted.regressor, fitted.spec.model
    if model == "LightGBM":
        booster = getattr(regressor, "booster_", regressor)
        (folder / "booster.txt").write_text(booster.model_to_string(), encoding="utf-8")
    elif model == "RandomForest":
        forest = Forest.of([tree.tree_ for tree in regressor.estimators_])
        np.savez_compressed(folder / "forest.npz", allow_pickle=False, **forest.arrays)
    else:
        numbers = {
            "coefficients": regressor.coef_.tolist(),
            "intercept": float(regressor.intercept_),
        }
        (folder / "linear.json").write_text(json.dumps(numbers) + "\n", encoding="utf-8")


def load(spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Fitted:
    """Load a model that :func:`save` wrote."""
    if spec.model == "LightGBM":
        from lightgbm import Booster

        text = (folder / "booster.txt").read_text(encoding="utf-8")
        return Fitted(spec, Booster(model_str=text))
    if spec.model == "RandomForest":
        with np.load(folder / "forest.npz", allow_pickle=False) as arrays:
            return Fitted(spec, Forest({name: arrays[name] for name in arrays.files}))
    numbers = json.loads((folder / "linear.json").read_text(encoding="utf-8"))
    return Fitted(spec, Linear(**numbers))
