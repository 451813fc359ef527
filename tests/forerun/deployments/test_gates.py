"""The Diebold-Mariano test with numbers computed by hand, and each gate alone."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from forerun.deployments.gates import diebold_mariano, evaluate, paired
from forerun.deployments.settings import Gates


def test_statistic_without_overlap() -> None:
    """Mean 2.5, variance 1.25: 2.5 / sqrt(1.25 / 4) * sqrt(3 / 4) = 3.873."""
    from scipy.stats import t

    statistic, p = diebold_mariano(np.array([1.0, 2.0, 3.0, 4.0]), overlap=1)
    assert statistic == pytest.approx(math.sqrt(15))
    assert p == pytest.approx(float(t.sf(math.sqrt(15), 3)))


def test_statistic_with_overlapping_horizons() -> None:
    """Autocovariance 0.3125 counts twice: 2.5 / sqrt(1.875 / 4) * sqrt(1.5 / 4) = 2.236."""
    statistic, _ = diebold_mariano(np.array([1.0, 2.0, 3.0, 4.0]), overlap=2)
    assert statistic == pytest.approx(math.sqrt(5))


def test_variance_that_would_be_negative() -> None:
    """1, -1, 1, -1 + 0.1: the autocovariance is almost minus the variance; Bartlett's weights."""
    statistic, p = diebold_mariano(np.array([1.1, -0.9, 1.1, -0.9, 1.1, -0.9]), overlap=2)
    assert math.isfinite(statistic)
    assert 0 < p < 1


@pytest.mark.parametrize(
    ("difference", "p"), [([], 1.0), ([1.0], 1.0), ([0.0] * 5, 0.5), ([1.0] * 5, 0.0)]
)
def test_differences_without_variance(difference: list[float], p: float) -> None:
    assert diebold_mariano(np.array(difference), overlap=1)[1] == p


def scores(errors: dict[str, list[list[float]]], inside: float = 0.8) -> pd.DataFrame:
    """Rows of two runs: for each an error by origin (rows) and series (columns); values are 10."""
    rows = []
    for run, by_origin in errors.items():
        for origin, by_series in enumerate(by_origin):
            for series, error in enumerate(by_series):
                rows.append(
                    {"origin": origin, "unique_id": f"s{series}", "ds": origin + 1, "step": 1,
                     "run_id": run, "model": "m", "y": 10.0, "error": error,
                     "mae_step": abs(error), "inside_80": inside}
                )  # fmt: skip
    return pd.DataFrame(rows)


OLD = [[2.0, 2.2], [2.4, 2.0], [2.1, 2.3], [2.2, 2.1]]
NEW = [[0.1, 0.2], [-0.2, 0.1], [0.1, -0.3], [0.2, 0.0]]


def checks(old: list[list[float]], new: list[list[float]], **more: float) -> dict[str, bool]:
    inside = more.pop("inside", 0.8)
    failures = int(more.pop("failures", 0))
    table = scores({"old": old, "new": new}, inside)
    pairs = paired(table, "old", "new", ("m", "m"))
    found = evaluate(pairs, Gates(**more), "mae", 1, failures)  # type: ignore[arg-type]
    return {check.name: check.passed for check in found}


def test_a_better_run_passes_every_gate() -> None:
    assert all(checks(OLD, NEW).values())


@pytest.mark.parametrize(
    ("gate", "old", "new", "more"),
    [
        ("origins", OLD[:3], NEW[:3], {}),
        ("p_value", OLD, [[2.0, -2.0], [-2.6, 2.1], [2.0, -2.3], [-2.1, 2.2]], {}),
        ("improved", [[9, 1, 1], [9, 1, 1], [9.5, 1, 1], [9, 1, 1]],
         [[0, 1.1, 1.1], [0, 1.1, 1.1], [0, 1.2, 1.1], [0, 1.1, 1.1]], {}),
        ("coverage_80", OLD, NEW, {"inside": 0.5}),
        ("bias", [[5.0], [5.5], [5.2], [5.1]], [[2.0], [2.1], [2.2], [2.0]], {}),
        ("failures", OLD, NEW, {"failures": 1}),
    ],
)  # fmt: skip
def test_each_gate_alone_refuses(gate: str, old: list, new: list, more: dict) -> None:
    found = checks(old, new, **more)
    assert not found[gate]
    assert all(passed for name, passed in found.items() if name != gate)


def test_only_common_rows_are_compared() -> None:
    pairs = paired(scores({"old": OLD, "new": NEW[:2]}), "old", "new", ("m", "m"))
    assert sorted(pairs["origin"].unique()) == [0, 1]
    assert len(pairs) == 4
