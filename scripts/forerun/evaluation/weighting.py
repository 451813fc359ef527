"""Weights of errors: of the steps of the horizon, and of the series.

``horizon_weight`` applies where the errors of a window are averaged over its steps, the weights of
``weights_file`` where errors are averaged over the series. Both are relative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.base.bounded import Damaged
from forerun.config.names import SERIES_WEIGHT
from forerun.evaluation.arrays import Floats
from forerun.runs.run_data import read_data


@dataclass(frozen=True)
class Weights:
    """Weights of the errors of a run.

    Attributes
    ----------
    steps : array, shape (horizon,); None if all steps count equally
    series : weight of each series by ``unique_id``; None if all count equally
    """

    steps: Floats | None = None
    series: pd.Series | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any], data: str | Path) -> Weights:
        """Return the weights of a run.

        Parameters
        ----------
        data : the run's ``data.parquet``, which has the weights of the series

        Raises
        ------
        Damaged
            The run has no weights, or invalid ones.
        """
        series = _of_series(data) if settings.get("weights_file") else None
        return cls(cls.of_steps(settings).steps, series)

    @classmethod
    def of_steps(cls, settings: Mapping[str, Any]) -> Weights:
        """Return the weights of the steps alone."""
        given = settings.get("horizon_weight") or None
        steps = None if given is None else np.asarray(given, dtype=float)
        if steps is not None and not _are_valid(steps):
            raise Damaged(f"horizon_weight is {given}: no valid weights; restore config.yaml")
        return cls(steps)

    def by_series(self, ids: npt.NDArray[Any] | pd.Index) -> Floats | None:
        """Return the weights of some series, shape (ids,); series without a weight have 0."""
        if self.series is None:
            return None
        return self.series.reindex(pd.Index(ids).astype(str)).fillna(0.0).to_numpy(dtype=float)

    def means(self, table: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
        """Return the mean over the series of each metric (rows) and model (columns).

        Parameters
        ----------
        table : ``unique_id``, ``metric`` and one column for each model
        """
        names = table["metric"]
        values = table[list(models)]
        weight = self.by_series(pd.Index(table["unique_id"]))
        if weight is None:
            return values.groupby(names, sort=False, observed=True).mean()
        weighted = values.mul(weight, axis=0).groupby(names, sort=False, observed=True).sum()
        counted = values.notna().mul(weight, axis=0).groupby(names, sort=False, observed=True).sum()
        return weighted / counted.where(counted > 0)


def _of_series(data: str | Path) -> pd.Series:
    try:
        frame = read_data(data, ["unique_id", SERIES_WEIGHT])
    except (OSError, LookupError, ValueError, TypeError) as error:
        raise Damaged(f"{data}: has no weights of series ({error}); restore it") from None
    first = frame[~frame["unique_id"].duplicated()]
    weights = pd.Series(first[SERIES_WEIGHT].to_numpy(), index=first["unique_id"].astype(str))
    if weights.dtype != np.float64 or not _are_valid(weights.to_numpy()):
        raise Damaged(f"{data}: has invalid weights of series; restore it")
    return weights


def _are_valid(weights: Floats) -> bool:
    finite = bool(np.isfinite(weights).all() and (weights >= 0).all())
    return finite and bool(weights.sum() > 0)
