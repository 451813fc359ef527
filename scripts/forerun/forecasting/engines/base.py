"""The interface of engines, the adapters of forecasting libraries.

An engine is a module with the functions of :class:`Engine`. It gets plain frames (``unique_id``,
``ds``, ``y`` and exogenous columns), the resolved settings of the run and one
:class:`~forerun.config.models.ModelSpec`; it knows nothing of runs, folders' layout or Snakemake.
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

    from forerun.config.catalog import Offer
    from forerun.config.models import ModelSpec

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
    own : bool
        Whether these are the rows that the run's models were fitted to.
    trained_on : list of str or None
        The series that the run's models were fitted to; None where that is not known.
    kept : dict
        Tables that an engine wants kept beside its result: ``trials`` of an automatic model.
    """

    history: pd.DataFrame
    future: pd.DataFrame | None = None
    static: pd.DataFrame | None = None
    own: bool = False
    trained_on: list[str] | None = None
    kept: dict[str, pd.DataFrame] = field(default_factory=dict)


class Engine(Protocol):
    """What an engine module offers; :mod:`forerun.config.engines` registers it."""

    def offer(self) -> Offer:
        """Describe what the library offers, for the catalog (make_catalog.py)."""

    def fit(self, spec: ModelSpec, settings: dict[str, Any], data: Data, progress: Progress) -> Any:
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
    return importlib.import_module(ENGINES[name].module)


def tidy_columns(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Give forecast columns one form: ``m``, ``m-lo-90``, ``m-hi-90``; drop all others.

    The point forecast is the median where there is one, or else the only quantile. Distribution
    parameters (``m-loc``...) are left out.
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
        If they are needed and not there; names the columns and the first series without them.
    """
    if not columns:
        return None
    from forerun.config.windows import reach
    from forerun.data.future import missing_future

    steps = reach(settings)
    missing = missing_future(data.history, data.future, columns, steps, settings["freq"])
    if missing or data.future is None:
        where = "give them as later rows of data_file (without a target) or in futr_file"
        raise UserError(f"{model} needs {missing}; {where}")
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

    ids, y = history["unique_id"].to_numpy(), history["y"].to_numpy(dtype="float64")
    times = history["ds"].to_numpy()
    if times.dtype.kind == "M":
        times = times.astype("datetime64[ns]")
    rows = np.stack([times.astype("int64"), (y + 0.0).view("int64")], axis=1)  # -0.0 is 0.0
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.array([], int)
    ends = [*starts[1:], len(ids)]
    found = [
        hashlib.sha256(rows[a:b].tobytes()).hexdigest() for a, b in zip(starts, ends, strict=False)
    ]
    return pd.Series(found, index=pd.Index(ids[starts], name="unique_id"), dtype=object)


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
