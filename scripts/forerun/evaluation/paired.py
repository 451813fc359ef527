"""Significance test for the difference between the errors of two runs.

Errors are paired by series. The test is Wilcoxon's signed-rank test (two-sided, ties by Pratt's
rule), which makes no assumption about the distribution and, unlike a mean, is not dominated by a
few large series. For several comparisons in one metric, p-values are adjusted by Holm's method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forerun.evaluation.arrays import mean
from forerun.evaluation.measures import Measures

#: Significance level of (adjusted) p-values.
LEVEL = 0.05
#: Minimum number of series: with fewer, no p-value can be below 5 %.
FEWEST = 6


@dataclass
class Comparison:
    """One metric of one model in two runs.

    Attributes
    ----------
    first, second : float
        Mean errors over the common series.
    better : float
        Share of the series on which the second run is better (ties count half).
    p : float or None
        Adjusted p-value of Wilcoxon's test; None with too few series.
    """

    metric: str
    model_first: str
    model_second: str
    series: int
    first: float
    second: float
    better: float
    p: float | None = None

    @property
    def difference(self) -> float:
        """Second minus first: negative if the second run is better."""
        return self.second - self.first

    @property
    def relative(self) -> float | None:
        """Difference relative to the first."""
        return self.difference / self.first if self.first else None

    @property
    def real(self) -> bool:
        """Whether the difference is significant."""
        return self.p is not None and self.p < LEVEL

    @property
    def favors_second(self) -> bool:
        """Whether the second run is better on most series (its mean may be higher)."""
        return self.better > 0.5

    def verdict(self, first: str, second: str) -> str:
        """Return the outcome in words."""
        if self.series == 0:
            return "no series in common"
        if self.p is None:
            return f"too few series to tell ({self.series}; the test needs {FEWEST})"
        if not self.real:
            return "no more than noise"
        winner = second if self.favors_second else first
        mixed = self.favors_second != (self.difference < 0)
        return f"{winner} is better" + (" on most series, not in the mean" if mixed else "")


def paired(
    first: pd.DataFrame,
    second: pd.DataFrame,
    metric: str,
    models: tuple[str, str],
    weights: Measures | None = None,
) -> tuple[Comparison, pd.DataFrame]:
    """Compare two models of two runs in one metric.

    Parameters
    ----------
    first, second : DataFrame
        ``metrics.csv`` of both runs.
    models : the model of each
    weights : weights of the series in the means; the test and the share count all equally

    Returns
    -------
    tuple
        The comparison, and a frame ``first, second`` by ``unique_id`` of the common series.
    """
    columns = []
    for metrics, model in zip((first, second), models, strict=True):
        columns.append(metrics[metrics["metric"] == metric].set_index("unique_id")[model])
    both = pd.concat(columns, axis=1, keys=["first", "second"], join="inner").dropna().astype(float)
    change = (both["second"] - both["first"]).to_numpy()
    better = float(np.mean((change < 0) + 0.5 * (change == 0))) if len(both) else float("nan")
    counts = (weights or Measures()).by_series(both.index)
    means = mean(both.to_numpy(), 0, counts) if len(both) else [float("nan")] * 2
    comparison = Comparison(
        metric,
        *models,
        series=len(both),
        first=float(means[0]),
        second=float(means[1]),
        better=better,
        p=signed_rank(change),
    )
    return comparison, both


def signed_rank(change: np.ndarray) -> float | None:
    """Return the p-value of Wilcoxon's signed-rank test; None with too few series."""
    from scipy.stats import wilcoxon

    if len(change) < FEWEST:
        return None
    if not np.any(change):
        return 1.0
    return float(wilcoxon(change, zero_method="pratt").pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for multiple comparisons (Holm 1979)."""
    ordered = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    result: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(ordered):
        highest = max(highest, min(1.0, p * (len(ordered) - rank)))
        result[i] = highest
    return result
