"""The one interface behind which the forecasting libraries hide.

An engine is a module with the functions of :class:`Engine`. It gets plain frames (``unique_id``,
``ds``, ``y`` and exogenous columns), the resolved settings of the run and one
:class:`~forerun.models.ModelSpec`; it knows nothing of runs, folders' layout or Snakemake.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from forerun.models import ModelSpec

#: The module of each engine.
MODULES = {
    "neuralforecast": "forerun.engines.neural",
    "statsforecast": "forerun.engines.statistical",
    "mlforecast": "forerun.engines.machine",
}

#: ``progress(step, max_steps, loss)`` is called as often as the engine likes.
Progress = Callable[[int, int, float | None], None]


class ForecastError(Exception):
    """A model did not give usable forecasts; the message says what a user can do about it."""


@dataclass
class Data:
    """What a model may see.

    Attributes
    ----------
    history : DataFrame
        ``unique_id``, ``ds``, ``y`` and exogenous columns, sorted by series and time.
    future : DataFrame or None
        ``unique_id``, ``ds`` and the columns of ``futr_exog`` after each series' end.
    static : DataFrame or None
        ``unique_id`` and the columns of ``stat_exog``, one row per series.
    """

    history: pd.DataFrame
    future: pd.DataFrame | None = None
    static: pd.DataFrame | None = None


class Engine(Protocol):
    """What an engine module offers."""

    def fit(
        self, spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress
    ) -> Any:
        """Return the model fitted to all of `data`."""

    def cross_validate(
        self,
        spec: ModelSpec,
        settings: dict[str, Any],
        data: Data,
        windows: int,
        progress: Progress,
    ) -> pd.DataFrame:
        """Fit once before the first of `windows` windows at the end of `data`; forecast each.

        Returns ``unique_id``, ``ds``, ``cutoff``, ``y``, ``<model>`` and intervals
        ``<model>-lo-<level>``, ``<model>-hi-<level>`` where the model gives them.
        """

    def predict(self, fitted: Any, settings: dict[str, Any], data: Data) -> pd.DataFrame:
        """Forecast after each series' end: ``unique_id``, ``ds``, ``<model>``, intervals."""

    def save(self, fitted: Any, folder: Path) -> None:
        """Write the fitted model into an existing empty folder, in formats that carry no code."""

    def load(self, spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Any:
        """Read what :meth:`save` wrote."""


def get_engine(name: str) -> Engine:
    """Return the module of an engine; importing it may take seconds."""
    return importlib.import_module(MODULES[name])  # type: ignore[return-value]


def tidy_columns(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Give forecast columns one form: ``m``, ``m-lo-90``, ``m-hi-90`` (``m-median`` is the point)."""
    names = {}
    for column in frame.columns:
        if column == f"{model}-median":
            names[column] = model
        elif match := re.fullmatch(rf"{re.escape(model)}-(lo|hi)-(\d+)(\.0*)?", str(column)):
            names[column] = f"{model}-{match[1]}-{match[2]}"
    if f"{model}-median" in names and model in frame.columns:
        frame = frame.drop(columns=model)  # the mean of a distribution: its median is the point
    return frame.rename(columns=names)


def check_finite(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return `frame`; raise :class:`ForecastError` where a forecast is NaN or infinite."""
    import numpy as np

    bad = ~np.isfinite(frame[model].to_numpy(dtype=float))
    if bad.any():
        first = frame.loc[bad, "unique_id"].iloc[0]
        raise ForecastError(
            f"{int(bad.sum())} of {len(frame)} forecasts are NaN or infinite (first: series "
            f"'{first}'); try a smaller learning_rate, another scaler_type, or look at the data"
        )
    return frame
