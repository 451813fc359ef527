"""Units in which errors of series are compared: seasonal naive error and level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forerun.evaluation.arrays import Floats, Ints
from forerun.evaluation.computed import Computed
from forerun.evaluation.scales import levels as level_of
from forerun.evaluation.scales import naive_scales, positive_shares

#: Smallest level in units of the naive error.
SMALLEST = 1e-3


@dataclass
class Units:
    """Statistics of series before some cutoffs; arrays of shape (series, cutoffs).

    Attributes
    ----------
    naive : seasonal naive error, never zero or NaN
    level : mean absolute value of the last season, never NaN
    positive : whether all values are positive
    """

    naive: Floats
    level: Floats
    positive: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, history: pd.DataFrame, ids: npt.NDArray[Any], before_end: Ints, season: int
    ) -> Units:
        """Compute the units; parameters as in :func:`forerun.evaluation.scales.naive_scales`."""
        naive = naive_scales(history, ids, before_end, season)
        plain = naive_scales(history, ids, before_end, 1)
        naive = np.where(naive > 0, naive, plain)
        naive = np.where(naive > 0, naive, naive[:, -1:])  # too early for this window
        usual = naive[naive > 0]
        naive = np.where(naive > 0, naive, np.median(usual) if len(usual) else 1.0)
        level = level_of(history, ids, before_end, season)
        positive = positive_shares(history, ids, before_end) == 1.0
        return cls(naive, np.where(level >= 0, level, naive), positive)

    def take(self, series: Any, cutoffs: Any) -> Units:
        """Return the units of some series and cutoffs."""
        parts = (self.naive, self.level, self.positive)
        return Units(*(part[series][:, cutoffs] for part in parts))

    def relative_level(self) -> Floats:
        return self.level / self.naive + SMALLEST

    def with_exponent(self, exponent: float) -> Floats:
        """Return the unit of each series and cutoff."""
        return np.asarray(self.naive * self.relative_level() ** exponent)


class Past:
    """What intervals need of the history of the series to forecast, computed once for all models.

    Their windows usually have the same cutoffs.

    Attributes
    ----------
    history : ``unique_id``, ``ds``, ``y``, sorted by series and time; must not change
    """

    def __init__(self, history: pd.DataFrame):
        self.history = history
        self._units: Computed[Units] = Computed()
        self._after: Computed[Ints] = Computed()

    def units(self, ids: npt.NDArray[Any], before_end: Ints, season: int) -> Units:
        """Return the units; parameters as in :meth:`Units.of`."""
        given = (ids, before_end, np.array(season))
        return self._units.of(given, lambda: Units.of(self.history, ids, before_end, season))

    def rows_after(self, ids: npt.NDArray[Any], cutoffs: npt.NDArray[Any]) -> Ints:
        """Return the number of rows of each series after its cutoff."""

        def count() -> Ints:
            names = self.history["unique_id"]
            cutoff = names.map(pd.Series(cutoffs, index=ids))
            later = names[(self.history["ds"] > cutoff).to_numpy()].value_counts()
            return np.asarray(later.reindex(ids, fill_value=0), dtype=np.int64)

        return self._after.of((ids, cutoffs), count)
