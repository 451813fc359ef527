"""The error by which models are chosen and combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from forerun.evaluation.arrays import Floats, mean
from forerun.evaluation.losses import errors, value_weights


@dataclass(frozen=True)
class Objective:
    """A metric with all that its errors depend on besides forecasts and actual values.

    Attributes
    ----------
    metric : name of the metric
    scale : array, shape (series, windows): denominator of scaled metrics, ones for the others
    steps : array, shape (steps,): weights of the steps, or None
    series : array, shape (series,): weights of the series, or None
    """

    metric: str
    scale: Floats
    steps: Floats | None = None
    series: Floats | None = None

    def part(
        self, series: slice | npt.NDArray[Any], windows: slice | Sequence[int] = slice(None)
    ) -> Objective:
        """Return the objective for some series and windows."""
        own = None if self.series is None else self.series[series]
        return replace(self, scale=self.scale[series][:, windows], series=own)

    def errors(self, forecasts: Floats, actual: Floats) -> Floats:
        """Return the error of each series and window; see :func:`losses.errors`."""
        return errors(forecasts, actual, self.metric, self.scale, self.steps)

    def over_series(self, by_series: Floats) -> Floats:
        """Return the mean over the series, the last axis."""
        return mean(by_series, -1, self.series)

    def error(self, forecasts: Floats, actual: Floats) -> float:
        """Return the mean over windows, then over series."""
        return float(self.over_series(mean(self.errors(forecasts, actual), 1)))

    def of_values(self, shape: tuple[int, ...]) -> Floats:
        """Return the weight of each value of an array, flat; their mean is 1."""
        weights = value_weights(shape, self.steps, self.series)
        if weights is None or not weights.any():
            return np.ones(np.prod(shape))
        return weights / weights.mean()
