"""The regressors of mlforecast's models: creating, saving and loading.

The saved formats contain no code: LightGBM's text, XGBoost's JSON, CatBoost's binary trees, the
coefficients of a linear model as JSON, the trees of a forest as arrays.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forerun.config.regressor_features import FEATURES

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

CLASSES = {
    "LightGBM": ("lightgbm", "LGBMRegressor"),
    "XGBoost": ("xgboost", "XGBRegressor"),
    "CatBoost": ("catboost", "CatBoostRegressor"),
    "LinearRegression": ("sklearn.linear_model", "LinearRegression"),
    "Ridge": ("sklearn.linear_model", "Ridge"),
    "RandomForest": ("sklearn.ensemble", "RandomForestRegressor"),
}
#: The package of each module.
PACKAGES = {
    "lightgbm": "lightgbm",
    "sklearn": "scikit-learn",
    "xgboost": "xgboost",
    "catboost": "catboost",
}
#: The file of each kind of regressor, without its number.
_FILES = {
    "LightGBM": ("booster", ".txt"),
    "XGBoost": ("booster", ".json"),
    "CatBoost": ("trees", ".cbm"),
    "RandomForest": ("forest", ".npz"),
}


class Linear:
    """A linear model from its saved coefficients."""

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
        shifted = list(zip(trees, starts, strict=False))
        children = {
            "left": np.concatenate(
                [np.where(t.children_left < 0, -1, t.children_left + s) for t, s in shifted]
            ),
            "right": np.concatenate(
                [np.where(t.children_right < 0, -1, t.children_right + s) for t, s in shifted]
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


def make(spec: ModelSpec, settings: dict[str, Any]) -> Any:
    """Create the regressor of a model with the run's seed and threads."""
    module, name = CLASSES[spec.model]
    regressor = getattr(importlib.import_module(module), name)
    accepted = inspect.signature(regressor.__init__).parameters
    seed, threads = settings["seed"], settings["threads"]
    given: dict[str, Any] = {"random_state": seed, "n_jobs": threads}
    arguments = {k: v for k, v in given.items() if k in accepted}
    if spec.model == "LightGBM":
        arguments = given | {"verbosity": -1, "deterministic": True, "force_row_wise": True}
    elif spec.model == "XGBoost":
        arguments = given | {"verbosity": 0, "tree_method": "hist"}
    elif spec.model == "CatBoost":
        arguments = {"random_seed": seed, "thread_count": threads, "verbose": False}
        arguments |= {"allow_writing_files": False}
    return regressor(**arguments | {k: v for k, v in spec.params.items() if k not in FEATURES})


def save(model: str, regressor: Any, folder: Path, number: int | None = None) -> None:
    """Write a regressor into a folder; `number` is its step if there is one for each step."""
    path = _path(model, folder, number)
    if model == "LightGBM":
        booster = getattr(regressor, "booster_", regressor)
        path.write_text(booster.model_to_string(), encoding="utf-8")
    elif model == "XGBoost":
        path.write_bytes(_xgboost(regressor).save_raw("json"))
    elif model == "CatBoost":
        regressor.save_model(str(path), format="cbm")
    elif model == "RandomForest":
        forest = Forest.of([tree.tree_ for tree in regressor.estimators_])
        np.savez_compressed(path, allow_pickle=False, **forest.arrays)
    else:
        numbers = {
            "coefficients": regressor.coef_.tolist(),
            "intercept": float(regressor.intercept_),
        }
        path.write_text(json.dumps(numbers) + "\n", encoding="utf-8")


def load(model: str, folder: Path, number: int | None = None) -> Any:
    """Read a regressor written by :func:`save`."""
    path = _path(model, folder, number)
    if model == "LightGBM":
        from lightgbm import Booster

        return Booster(model_str=path.read_text(encoding="utf-8"))
    if model == "XGBoost":
        from xgboost import XGBRegressor

        regressor = XGBRegressor()
        regressor.load_model(bytearray(path.read_bytes()))
        return regressor
    if model == "CatBoost":
        from catboost import CatBoostRegressor

        return CatBoostRegressor().load_model(str(path), format="cbm")
    if model == "RandomForest":
        with np.load(path, allow_pickle=False) as arrays:
            return Forest({name: arrays[name] for name in arrays.files})
    numbers = json.loads(path.read_text(encoding="utf-8"))
    return Linear(**numbers)


def _path(model: str, folder: Path, number: int | None) -> Path:
    stem, suffix = _FILES.get(model, ("linear", ".json"))
    return folder / f"{stem}{'' if number is None else f'_{number:05d}'}{suffix}"


def _xgboost(regressor: Any) -> Any:
    return regressor.get_booster()
