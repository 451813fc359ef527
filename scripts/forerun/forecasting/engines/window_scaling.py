"""Exogenous columns that networks do not scale within each window.

NeuralForecast scales exogenous columns within each window, like the target. In a column of two
values the same value then differs between windows, and its effect is hard to learn. Exogenous
columns are already scaled over all data (:mod:`forerun.forecasting.scaling`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from neuralforecast.common._base_model import BaseModel

from forerun.config import calendar
from forerun.config.models import ModelSpec, exogenous_columns

FILE = "unscaled.json"
_ORIGINAL = BaseModel._get_temporal_exogenous_cols


def unscaled(spec: ModelSpec, settings: dict[str, Any], history: pd.DataFrame) -> list[str]:
    """Return calendar columns and columns with at most two values."""
    used = exogenous_columns(spec, settings)
    made = set(calendar.columns(settings))
    names = dict.fromkeys([*used["hist_exog"], *used["futr_exog"]])
    return [name for name in names if name in made or history[name].nunique() <= 2]


@contextmanager
def without_window_scaling(columns: list[str]) -> Iterator[None]:
    """Exclude `columns` from the scaling of windows while networks train or forecast."""

    def scaled(model: Any, temporal_cols: Any) -> list[str]:
        return [name for name in _ORIGINAL(model, temporal_cols) if name not in columns]

    BaseModel._get_temporal_exogenous_cols = scaled
    try:
        yield
    finally:
        BaseModel._get_temporal_exogenous_cols = _ORIGINAL


def write(columns: list[str], folder: Path) -> None:
    """Write the names of the columns, if there are any, into a model's folder."""
    if columns:
        (folder / FILE).write_text(json.dumps(columns) + "\n", encoding="utf-8")


def read(folder: Path) -> list[str]:
    """Read the names written by :func:`write`; empty for models of earlier versions."""
    path = folder / FILE
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []
