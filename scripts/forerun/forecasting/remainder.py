"""Residuals of a regression as the target of a model: ``transform: regression``.

A linear regression of each series on trend, season, calendar and known future columns is subtracted
from the target. The model forecasts the residuals, and its forecasts are added to those of the
regression. So effects of promotions and holidays, which a network learns slowly and other models
cannot use at all, come from the regression. The model itself gets no future columns. Nothing is
saved: the regression is fitted to the series to forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forerun.config.models import ModelSpec, exogenous_columns
from forerun.forecasting.engines.base import Data, future_values
from forerun.forecasting.engines.series_design import design
from forerun.forecasting.scaling import converted

if TYPE_CHECKING:
    import numpy.typing as npt

#: Penalty of the coefficients of standardized columns; the sum of squares of a column is the number
#: of steps.
PENALTY = 1.0


@dataclass(frozen=True)
class Remainder:
    """The regressions of a model's series; without any for models without this transformation.

    Attributes
    ----------
    settings : settings of the run for the engine, without the columns that the regressions use
    expected : values of the regressions by ``unique_id`` and ``ds``, in the history and after it
    """

    settings: dict[str, Any]
    expected: pd.Series | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        spec: ModelSpec,
        settings: dict[str, Any],
        data: Data,
        seen: pd.DataFrame,
        ahead: bool = False,
    ) -> Remainder:
        """Fit the regressions of a model.

        Parameters
        ----------
        seen : history before the first window to forecast
        ahead : whether the steps after the history are forecast, which needs their columns

        Raises
        ------
        UserError
            Values of a column are missing in the future.
        """
        if not spec.takes_remainder:
            return cls(settings)
        columns = exogenous_columns(spec, settings)["futr_exog"]
        inner = {**settings, "futr_exog": [], "calendar": []}
        tables = [data.history, _ahead(spec, settings, data, columns)] if ahead else [data.history]
        table = pd.concat(tables, ignore_index=True)
        table = table.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)
        lengths = seen["unique_id"].value_counts(sort=False)
        found = [
            _expected(part, int(lengths.get(name, 0)), settings, columns)
            for name, part in table.groupby("unique_id", observed=True, sort=False)
        ]
        index = pd.MultiIndex.from_frame(table[["unique_id", "ds"]])
        return cls(inner, pd.Series(np.concatenate(found), index=index))

    def forward(self, data: Data) -> Data:
        """Return the data with the residuals as target."""
        if self.expected is None:
            return data
        left = data.history["y"].to_numpy(dtype=float) - self._at(data.history)
        return replace(data, history=data.history.assign(y=left))

    def back(self, frame: pd.DataFrame, data: Data) -> pd.DataFrame:
        """Return forecasts with the regressions added, and the target in column ``y``.

        Parameters
        ----------
        data : data before :meth:`forward`
        """
        if self.expected is None or not len(frame):
            return frame
        expected = self._at(frame)
        return converted(frame, data.history, lambda values: values + expected)

    def _at(self, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        assert self.expected is not None
        rows = pd.MultiIndex.from_frame(frame[["unique_id", "ds"]])
        return np.asarray(self.expected.reindex(rows), dtype=float)


def _ahead(
    spec: ModelSpec, settings: dict[str, Any], data: Data, columns: list[str]
) -> pd.DataFrame:
    """Return the steps to forecast after each series with their columns."""
    from utilsforecast.processing import make_future_dataframe

    from forerun.config.windows import reach

    known = future_values(data, columns, spec.name, settings)
    ends = data.history.groupby("unique_id", observed=True, sort=False)["ds"].last()
    frame = make_future_dataframe(
        ends.index, ends.reset_index(drop=True), settings["freq"], reach(settings)
    )
    return frame if known is None else frame.merge(known, on=["unique_id", "ds"], how="left")


def _expected(
    table: pd.DataFrame, length: int, settings: Mapping[str, Any], columns: list[str]
) -> npt.NDArray[np.float64]:
    """Return the values of a regression on the first `length` rows for all rows of a series."""
    if not length:
        return np.zeros(len(table))
    inputs = design(np.arange(len(table)) - length, length, settings, table, columns)
    target = table["y"].to_numpy(dtype=float)[:length]
    center, scale = inputs[:length].mean(axis=0), inputs[:length].std(axis=0)
    inputs = (inputs - center) / np.where(scale > 1e-12, scale, np.inf)
    level, seen = target.mean(), inputs[:length]
    gram = seen.T @ seen + PENALTY * np.eye(seen.shape[1])
    return np.asarray(level + inputs @ np.linalg.solve(gram, seen.T @ (target - level)))
