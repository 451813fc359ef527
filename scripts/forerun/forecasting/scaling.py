"""Scaling of the inputs of networks and regressors, in 64 bits, before they reach the engine.

Engines scale the target and temporal columns within each window, if at all, and never static
columns. Here exogenous columns are standardized (mean 0, standard deviation 1). Networks compute in
32 bits, so a target that changes little relative to its level is centered: the level is subtracted
and added to the forecasts again. ``scaling.json`` in a model's folder holds both; a model without
it is not scaled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.files import read_json, write_json
from forerun.config.engines import ENGINES
from forerun.config.models import ModelSpec, categorical_columns, exogenous_columns
from forerun.data.future import listed
from forerun.data.panel import series_starts
from forerun.forecasting.engines.base import Data

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

FILE = "scaling.json"
#: Largest accepted spacing of 32-bit numbers, relative to the usual change of a series.
COARSEST = 0.01
#: Number of rows to look at together, which bounds memory.
ROWS = 1_000_000
#: Losses and distributions that need the level of the target: positive values, relative errors.
OF_LEVEL = {
    *("MAPE", "SMAPE", "relMSE", "Accuracy", "sCRPS", "PMM", "NBMM", "Tweedie"),
    *("Poisson", "NegativeBinomial", "Bernoulli", "ISQF"),
}


@dataclass(frozen=True)
class Scaling:
    """Scaling of a model's data.

    Attributes
    ----------
    columns : exogenous column -> (shift, scale)
    centered : whether the level of each series is subtracted from its target
    """

    columns: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    centered: bool = False

    @classmethod
    def of(
        cls, spec: ModelSpec, settings: Mapping[str, Any], data: Data, seen: pd.DataFrame
    ) -> Scaling:
        """Derive the scaling of a model from its training data.

        Parameters
        ----------
        data : data with the static columns
        seen : history before the first window to forecast
        """
        if ENGINES[spec.engine].local:  # neither the scale of columns nor 32 bits affect it
            return cls()
        used = exogenous_columns(spec, settings)
        categories = {*(spec.params.get("cat_exog_list") or ())}
        categories |= {*categorical_columns(spec, settings)}
        temporal = dict.fromkeys([*used["hist_exog"], *used["futr_exog"]])
        static = used["stat_exog"] if data.static is not None else []
        values = {name: seen[name] for name in temporal if name not in categories}
        values |= {name: data.static[name] for name in static if name not in categories}  # type: ignore[index]
        columns = {name: _standard(column.to_numpy(dtype=float)) for name, column in values.items()}
        return cls(columns, is_centered(spec, seen))

    @classmethod
    def read(cls, folder: Path) -> Scaling:
        """Read the scaling of a saved model; without a file nothing is scaled."""
        path = folder / FILE
        if not path.is_file():
            return cls()
        try:
            record: Any = read_json(path)
            columns = {
                str(name): (float(shift), float(scale))
                for name, (shift, scale) in record["columns"].items()
            }
            sound = all(map(math.isfinite, (n for pair in columns.values() for n in pair)))
            if sound and all(scale > 0 for _, scale in columns.values()):
                return cls(columns, record["centered"] is True)
        except (TypeError, KeyError, ValueError, AttributeError):
            pass
        raise UserError(f"{path}: is damaged; restore it")

    def write(self, folder: Path) -> None:
        """Write ``scaling.json``, if anything is scaled."""
        if self.columns or self.centered:
            columns = {name: list(pair) for name, pair in self.columns.items()}
            write_json(folder / FILE, {"columns": columns, "centered": self.centered})

    def forward(self, data: Data, seen: pd.DataFrame) -> Data:
        """Return the scaled data; `seen` as in :meth:`of`."""
        history = self._scaled(data.history)
        if self.centered:
            levels = history["unique_id"].map(_levels(seen)).to_numpy(dtype=float)
            history = history.assign(y=history["y"].to_numpy(dtype=float) - levels)
        future = None if data.future is None else self._scaled(data.future)
        static = None if data.static is None else self._scaled(data.static)
        return replace(data, history=history, future=future, static=static)

    def back(self, frame: pd.DataFrame, data: Data, seen: pd.DataFrame) -> pd.DataFrame:
        """Return forecasts, and the target in column ``y``, with the level added again.

        Parameters
        ----------
        data : data before :meth:`forward`
        """
        if not self.centered or not len(frame):
            return frame
        levels = frame["unique_id"].map(_levels(seen)).to_numpy(dtype=float)
        return converted(frame, data.history, lambda values: values + levels)

    def _scaled(self, frame: pd.DataFrame) -> pd.DataFrame:
        scaled = {
            name: (frame[name].to_numpy(dtype=float) - shift) / scale
            for name, (shift, scale) in self.columns.items()
            if name in frame.columns
        }
        return frame.assign(**scaled) if scaled else frame


def converted(
    frame: pd.DataFrame, history: pd.DataFrame, convert: Callable[[Floats], Floats]
) -> pd.DataFrame:
    """Return forecasts converted to the target's unit; column ``y`` is the exact target."""
    keys = ("unique_id", "ds", "cutoff", "y")
    columns = {
        name: convert(frame[name].to_numpy(dtype=float))
        for name in frame.columns
        if name not in keys
    }
    if "y" in frame.columns:
        target = history.set_index(["unique_id", "ds"])["y"]
        rows = pd.MultiIndex.from_frame(frame[["unique_id", "ds"]])
        columns["y"] = np.asarray(target.reindex(rows), dtype=float)
    return frame.assign(**columns)


def notes(history: pd.DataFrame, specs: Iterable[ModelSpec]) -> list[str]:
    """Return notes on a target whose changes 32-bit numbers cannot resolve."""
    networks = [spec for spec in specs if spec.is_network]
    if not networks or not loses_digits(history):
        return []
    largest = float(history["y"].abs().max())
    head = f"target values up to {text.number(largest)} change too little for 32-bit numbers"
    centered = [spec.name for spec in networks if not _needs_level(spec)]
    uncentered = [spec.name for spec in networks if _needs_level(spec)]
    found = []
    if centered:
        found.append(f"{head}: {listed(centered)} train on each series without its level")
    if uncentered:
        found.append(
            f"{head}: the loss of {listed(uncentered)} needs the level, so their forecasts are "
            "coarse; use another loss, or subtract a constant from the target"
        )
    return found


def loses_digits(history: pd.DataFrame) -> bool:
    """Return whether some series usually changes too little for 32-bit numbers to resolve."""
    starts = series_starts(history["unique_id"].to_numpy())
    ends = np.append(starts[1:], len(history))
    values = history["y"].to_numpy(dtype=float)
    while len(starts):
        some = max(1, int(np.searchsorted(starts, starts[0] + ROWS)))
        rows = slice(starts[0], ends[some - 1])
        codes = np.repeat(np.arange(some), ends[:some] - starts[:some])
        if _lose_digits(codes, values[rows]):
            return True
        starts, ends = starts[some:], ends[some:]
    return False


def _lose_digits(codes: npt.NDArray[np.int64], values: Floats) -> bool:
    """See :func:`loses_digits`; `codes` are the numbers of the series, in order."""
    changes = np.abs(np.diff(values, prepend=np.nan))
    changes[np.diff(codes, prepend=-1) != 0] = np.nan
    changes[changes == 0] = np.nan
    table = pd.DataFrame({"change": changes, "size": np.abs(values)})
    grouped = table.groupby(codes)
    usual, size = grouped["change"].median(), grouped["size"].max()
    coarse = size * float(np.finfo(np.float32).eps) > COARSEST * usual
    return bool(coarse.any())  # a constant series has no usual change


def is_centered(spec: ModelSpec, seen: pd.DataFrame) -> bool:
    """Return whether a model sees each series without its level."""
    return spec.is_network and not _needs_level(spec) and loses_digits(seen)


def _needs_level(spec: ModelSpec) -> bool:
    found = []
    for key in ("loss", "valid_loss"):
        loss = spec.params.get(key)
        found += list(loss.values()) if isinstance(loss, Mapping) else [loss]
    return any(isinstance(value, str) and value in OF_LEVEL for value in found)


def _levels(seen: pd.DataFrame) -> pd.Series:
    return seen.groupby("unique_id", observed=True)["y"].last()


def _standard(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation; a scale of 1 for a constant column."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    shift, scale = float(values.mean()), float(values.std())
    tiny = scale <= 1e-12 * max(1.0, abs(shift))
    return shift, 1.0 if tiny else scale
