"""The interface of engines, the adapters to forecasting libraries.

An engine is a module with the functions of :class:`Engine`. It receives plain frames
(``unique_id``, ``ds``, ``y`` and exogenous columns), the resolved settings of the run and a
:class:`~forerun.config.models.ModelSpec`; it does not depend on runs or Snakemake.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from forerun.base.errors import UserError
from forerun.config.engines import ENGINES

if TYPE_CHECKING:
    import pandas as pd

    from forerun.config.catalog import EngineCatalog
    from forerun.config.models import ModelSpec
    from forerun.forecasting.checkpoint import Checkpoint

#: ``progress(step, max_steps, loss)``; an engine may call it at any time, and with
#: ``resumed=True`` if it continues after `step` of an earlier attempt.
Progress = Callable[..., None]


class ForecastError(Exception):
    """A model produced no usable forecasts; the message suggests what to do."""


@dataclass
class Data:
    """Data for a model.

    Attributes
    ----------
    history : DataFrame
        ``unique_id``, ``ds``, ``y`` and exogenous columns, sorted by series and time.
    future : DataFrame or None
        ``unique_id``, ``ds`` and the columns of ``futr_exog`` after each series' end.
    static : DataFrame or None
        ``unique_id`` and the columns of ``stat_exog``, one row per series.
    own : bool
        Whether these are the training data of the run's models.
    trained_on : list of str or None
        Series that the run's models were trained on; None if unknown.
    start : Path or None
        Folder of a saved network whose weights training continues.
    checkpoint : Checkpoint or None
        Where a network saves the state of its training; not at all if None.
    kept : dict
        Additional tables that an engine returns: ``trials`` of an automatic model, ``fallback``
        with the series that a statistical model could not forecast.
    """

    history: pd.DataFrame
    future: pd.DataFrame | None = None
    static: pd.DataFrame | None = None
    own: bool = False
    trained_on: list[str] | None = None
    start: Path | None = None
    checkpoint: Checkpoint | None = None
    kept: dict[str, pd.DataFrame] = field(default_factory=dict)


class Engine(Protocol):
    """Functions of an engine module; :mod:`forerun.config.engines` registers it."""

    def describe(self) -> EngineCatalog:
        """Describe the models and losses of the library for the catalog (make_catalog.py)."""

    def fit(self, spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Any:
        """Return the model trained on all of `data`."""

    def cross_validate(
        self,
        spec: ModelSpec,
        settings: dict[str, Any],
        data: Data,
        windows: int,
        progress: Progress,
    ) -> pd.DataFrame:
        """Train once before the last `windows` windows of `data`, then forecast each of them.

        Returns ``unique_id``, ``ds``, ``cutoff``, ``y``, ``<model>`` and intervals
        ``<model>-lo-<level>``, ``<model>-hi-<level>`` if the model provides them.
        """

    def predict(self, fitted: Any, settings: dict[str, Any], data: Data) -> pd.DataFrame:
        """Forecast after the end of each series: ``unique_id``, ``ds``, ``<model>``, intervals."""

    def save(self, fitted: Any, folder: Path) -> None:
        """Write the fitted model to an existing empty folder, in formats that contain no code."""

    def load(self, spec: ModelSpec, settings: dict[str, Any], folder: Path) -> Any:
        """Load a model that :meth:`save` wrote."""


def get_engine(name: str) -> Engine:
    """Return the module of an engine; importing it may take seconds."""
    return importlib.import_module(ENGINES[name].module)


def tidy_columns(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Normalize forecast columns to ``m``, ``m-lo-90``, ``m-hi-90``; drop all others.

    The point forecast is the median if there is one, otherwise the only quantile. Parameters of
    distributions (``m-loc``...) are dropped.
    """
    keys = [c for c in ("unique_id", "ds", "cutoff", "y") if c in frame.columns]
    point = f"{model}-median" if f"{model}-median" in frame.columns else model
    if point not in frame.columns:  # QuantileLoss and the like: m_ql0.5
        point = next(c for c in frame.columns if str(c).startswith(f"{model}_q"))
    names = {point: model}
    for column in frame.columns:
        if match := re.fullmatch(rf"{re.escape(model)}-(lo|hi)-(\d+(?:\.\d+)?)", str(column)):
            names[column] = f"{model}-{match[1]}-{float(match[2]):g}"
    return frame[[*keys, *names]].rename(columns=names)


def future_values(
    data: Data, columns: list[str], model: str, settings: dict[str, Any]
) -> pd.DataFrame | None:
    """Return the known future values of `columns`; None if there are no columns.

    Raises
    ------
    UserError
        If values are missing; names the columns and the first series without them.
    """
    if not columns:
        return None
    from forerun.config.windows import reach
    from forerun.data.forecastable import IN_A_RUN
    from forerun.data.future import missing_future

    steps = reach(settings)
    missing = missing_future(data.history, data.future, columns, steps, settings["freq"])
    if missing or data.future is None:
        raise UserError(f"{model} needs {missing}; {IN_A_RUN}")
    values = data.future[["unique_id", "ds", *columns]]
    return values.groupby("unique_id", observed=True, sort=False).head(steps)


def series_hashes(history: pd.DataFrame) -> pd.Series:
    """Return a sha256 of the times and values of each series, by ``unique_id``.

    Parameters
    ----------
    history : ``unique_id``, ``ds``, ``y``, sorted by series and time
    """
    import numpy as np
    import pandas as pd

    from forerun.data.panel import series_starts

    ids, y = history["unique_id"].to_numpy(), history["y"].to_numpy(dtype="float64")
    times = history["ds"].to_numpy()
    starts = series_starts(ids)
    ends = [*starts[1:], len(ids)]
    found = []
    for first, end in zip(starts, ends, strict=False):
        time = times[first:end]
        time = time.astype("datetime64[ns]") if time.dtype.kind == "M" else time
        rows = np.stack([time.astype("int64"), (y[first:end] + 0.0).view("int64")], axis=1)
        found.append(hashlib.sha256(rows.tobytes()).hexdigest())  # -0.0 is 0.0
    return pd.Series(found, index=pd.Index(ids[starts], name="unique_id"), dtype=object)


#: Advice for networks whose forecasts are NaN or infinite.
NETWORK_ADVICE = "try a smaller learning_rate, another scaler_type, or look at the data"


def check_finite(frame: pd.DataFrame, model: str, advice: str = NETWORK_ADVICE) -> pd.DataFrame:
    """Return `frame`; raise :class:`ForecastError` where a forecast is NaN or infinite.

    Parameters
    ----------
    advice : what the user can do about it
    """
    import numpy as np

    bad = ~np.isfinite(frame[model].to_numpy(dtype=float))
    if bad.any():
        first = frame.loc[bad, "unique_id"].iloc[0]
        raise ForecastError(
            f"{int(bad.sum())} of {len(frame)} forecasts are NaN or infinite (first: series "
            f"'{first}'); {advice}"
        )
    return frame
