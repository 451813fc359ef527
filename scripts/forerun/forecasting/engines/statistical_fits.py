"""Fitted statistical models: their forecasts and hashes of their series, in memory or on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from forerun.data.panel import names_of

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec
    from forerun.forecasting.engines.base import Data

#: A saved model is read in part if it has at least so many times the series to forecast.
MANY = 2


@dataclass
class Fitted:
    """The specification of a local model and its forecasts for the training data.

    Attributes
    ----------
    series : DataFrame by ``unique_id``: the ``sha256`` of the times and values of each series
    """

    spec: ModelSpec
    forecasts: pd.DataFrame
    series: pd.DataFrame


@dataclass
class Saved:
    """A saved model, of which only the series to forecast are read.

    Attributes
    ----------
    folder : written by :func:`~forerun.forecasting.engines.statistical.save`
    number : of series that it was trained on
    """

    spec: ModelSpec
    folder: Path
    number: int

    def of(self, data: Data) -> Fitted:
        """Read the part for the series of `data`, and perhaps of others."""
        names = names_of(data.history["unique_id"])
        some = None
        if len(names) and self.number > MANY * len(names):
            some = [("unique_id", ">=", min(names)), ("unique_id", "<=", max(names))]
        forecasts, series = (
            pd.read_parquet(self.folder / f"{name}.parquet", filters=some)
            for name in ("forecasts", "series")
        )
        return Fitted(self.spec, forecasts, series.set_index("unique_id"))
