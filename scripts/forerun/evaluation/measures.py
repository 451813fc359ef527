"""How errors of a run are measured: weights of steps and series, and metrics of the user's own.

``horizon_weight`` applies where the errors of a window are averaged over its steps, the weights of
``weights_file`` where errors are averaged over the series. Both are relative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.base.bounded import Damaged
from forerun.config.names import SERIES_WEIGHT
from forerun.evaluation.arrays import Floats
from forerun.runs import metric_functions
from forerun.runs.metric_functions import OwnMetric
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_data


@dataclass(frozen=True)
class Measures:
    """How errors of a run are measured, besides its settings.

    Attributes
    ----------
    steps : weight of each step, shape (horizon,); None if all steps count equally
    series : weight of each series by ``unique_id``; None if all count equally
    own : metrics of the user's own, by name
    """

    steps: Floats | None = None
    series: pd.Series | None = None
    own: Mapping[str, OwnMetric] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any], run: Path) -> Measures:
        """Return the measures of a run; executes its own metrics, if they are trusted.

        Parameters
        ----------
        run : folder of the run, whose data have the weights of the series

        Raises
        ------
        Damaged
            The run has no weights, or invalid ones.
        UserError
            An own metric cannot be loaded, or is not trusted.
        """
        own = metric_functions.functions(run, settings)
        return replace(cls.of_weights(settings, run), own=own)

    @classmethod
    def of_weights(cls, settings: Mapping[str, Any], run: Path) -> Measures:
        """Return the weights of a run, which is enough to average its errors."""
        data = RunPaths(run).data
        series = _of_series(data) if settings.get("weights_file") else None
        return replace(cls.of_steps(settings), series=series)

    @classmethod
    def of_steps(cls, settings: Mapping[str, Any]) -> Measures:
        """Return the weights of the steps alone."""
        given = settings.get("horizon_weight") or None
        steps = None if given is None else np.asarray(given, dtype=float)
        if steps is not None and not _are_valid(steps):
            raise Damaged(f"horizon_weight is {given}: no valid weights; restore config.yaml")
        return cls(steps)

    def first_steps(self, number: int) -> Floats | None:
        """Return the weights of the first steps."""
        return None if self.steps is None else self.steps[:number]

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
