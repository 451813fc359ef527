"""The gates of a promotion: each condition with its value and its limit.

The test is that of Diebold and Mariano (1995, doi:10.1080/07350015.1995.10524599) on the
difference of mean losses at each origin, with the small-sample correction of Harvey, Leybourne and
Newbold (1997, doi:10.1016/S0169-2070(96)00719-4), one-sided: is the challenger's loss smaller?
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forerun.base.text import number
from forerun.deployments.settings import Gates
from forerun.evaluation.arrays import Floats


@dataclass(frozen=True)
class Check:
    """One condition: its value, its limit, whether it is met, and a description."""

    name: str
    value: float
    limit: float
    passed: bool
    detail: str = ""


def diebold_mariano(difference: Floats, overlap: int) -> tuple[float, float]:
    """Test whether the mean of loss differences is above zero.

    Parameters
    ----------
    difference : loss of the champion minus that of the challenger, one for each origin in order
    overlap : how many consecutive origins forecast a common time (the test's ``h``; at least 1)

    Returns
    -------
    tuple
        The corrected statistic and its one-sided p-value, from Student's distribution with
        ``n - 1`` degrees of freedom. NaN and 1 with fewer than two origins.

    Notes
    -----
    The long-run variance is the sum of autocovariances up to lag ``h - 1``; where that is not
    positive, Bartlett's weights are used instead, which cannot give a negative sum.
    """
    from scipy.stats import t

    n = len(difference)
    if n < 2:
        return float("nan"), 1.0
    h = max(1, min(overlap, n - 1))
    d = np.asarray(difference, dtype=float) - np.mean(difference)
    covariances = [float(d[lag:] @ d[: n - lag]) / n for lag in range(h)]
    variance = covariances[0] + 2 * sum(covariances[1:])
    if variance <= 0:
        weights = [1 - lag / h for lag in range(h)]
        variance = covariances[0] + 2 * sum(
            w * c for w, c in zip(weights[1:], covariances[1:], strict=True)
        )
    mean = float(np.mean(difference))
    if variance <= 1e-300:
        return (math.copysign(math.inf, mean), float(mean <= 0)) if mean else (0.0, 0.5)
    correction = math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    statistic = correction * mean / math.sqrt(variance / n)
    return statistic, float(t.sf(statistic, n - 1))


def paired(
    scores: pd.DataFrame, champion: str, challenger: str, models: tuple[str, str]
) -> pd.DataFrame:
    """Return the values that both runs have forecast: ``origin, unique_id, step, y``, both errors.

    Parameters
    ----------
    scores : rows of :mod:`forerun.deployments.scores`, the newest vintage of each
    models : the model of each run that is compared
    """
    keys = ["origin", "unique_id", "ds", "step"]
    sides = [
        scores[(scores["run_id"] == run) & (scores["model"] == model)].drop_duplicates(keys)
        for run, model in zip((champion, challenger), models, strict=True)
    ]
    return sides[0].merge(sides[1], on=keys, suffixes=("", "_new"))


def evaluate(
    pairs: pd.DataFrame, gates: Gates, metric: str, overlap: int, failures: int
) -> list[Check]:
    """Return the checks of a challenger, from the rows of :func:`paired`.

    Parameters
    ----------
    metric : ``mae`` or another metric with a loss per step in the scores
    failures : number of models that failed in the challenger and not in the champion
    """
    loss = f"{metric}_step"
    by_origin = pairs.groupby("origin")[[loss, f"{loss}_new"]].mean().dropna()
    by_series = pairs.groupby("unique_id")[[loss, f"{loss}_new"]].mean().dropna()
    count = len(by_origin)
    first, second = by_series[loss], by_series[f"{loss}_new"]
    improved = float(np.mean((second < first) + 0.5 * (second == first))) if len(first) else 0.0
    statistic, p = diebold_mariano((by_origin[loss] - by_origin[f"{loss}_new"]).to_numpy(), overlap)
    size = float(pairs["y"].abs().mean()) if len(pairs) else float("nan")
    bias = abs(float(pairs["error_new"].mean())) / size if size else float("nan")
    checks = [
        Check("origins", count, gates.min_origins, count >= gates.min_origins),
        Check("p_value", p, gates.p_value, p <= gates.p_value, f"statistic {number(statistic, 3)}"),
        Check("improved", improved, gates.min_improved, improved >= gates.min_improved),
    ]
    for name in sorted(str(c) for c in pairs if str(c).startswith("inside_")):
        if not name.endswith("_new"):
            continue
        level = float(name.removeprefix("inside_").removesuffix("_new"))
        inside = pairs[name].dropna()
        if len(inside):
            off = abs(100 * float(inside.mean()) - level)
            band = gates.coverage_band
            checks.append(Check(f"coverage_{level:g}", off, band, off <= band, "points off"))
    checks.append(Check("bias", bias, gates.max_bias, bool(bias <= gates.max_bias)))
    limit = gates.new_failures
    return [*checks, Check("failures", failures, limit, failures <= limit)]
