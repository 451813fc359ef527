"""Weights shrunk toward equal ones, on synthetic forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from forerun.evaluation import stacking
from forerun.evaluation.arrays import Floats
from forerun.evaluation.objective import Objective


def made(series: int = 200, steps: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return forecasts of three models with noise of 1, 1 and 4, and the actual values."""
    random = np.random.default_rng(1)
    actual = random.normal(10, 3, (series, 1, steps))
    noise = np.array([1.0, 1.0, 4.0])[:, None, None, None]
    forecasts = actual + noise * random.normal(size=(3, series, 1, steps))
    return forecasts, actual, np.ones((series, 1))


def judged() -> tuple[Floats, Floats, Objective]:
    forecasts, actual, scale = made()
    return forecasts, actual, Objective("mae", scale)


def test_a_noisy_model_counts_less_and_equal_ones_alike() -> None:
    weights = stacking.shrunk_weights(*judged())
    assert weights.sum() == pytest.approx(1)
    assert weights[:2] == pytest.approx([0.48, 0.48], abs=0.05)
    assert weights[2] < 0.1


def test_the_penalty_pulls_to_equal_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacking, "PENALTY", 1e6)
    assert stacking.shrunk_weights(*judged()) == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_scaled_metrics_weigh_each_series_by_its_scale() -> None:
    """One enormous series, where only the third model is right, decides the error in units."""
    forecasts, actual, scale = made()
    actual[0], scale[0] = 1e6, 1e6
    forecasts[:, 0] = np.array([1.5e6, 1.5e6, 1e6])[:, None, None]
    assert stacking.shrunk_weights(forecasts, actual, Objective("mase", scale))[2] < 0.2
    assert stacking.shrunk_weights(forecasts, actual, Objective("mae", scale))[2] > 0.6


@pytest.mark.parametrize("metric", ["mae", "mse", "mape", "smape", "mase", "rmsse"])
def test_missing_values_and_zeros_are_left_out(metric: str) -> None:
    forecasts, actual, scale = made()
    actual[0], actual[1] = 0.0, np.nan
    scale[2] = np.nan
    weights = stacking.shrunk_weights(forecasts, actual, Objective(metric, scale))
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1)


def test_equal_weights_without_data() -> None:
    forecasts, actual, scale = made(2)
    assert (
        stacking.shrunk_weights(forecasts, actual * np.nan, Objective("mae", scale)).tolist()
        == [1 / 3] * 3
    )
    perfect = np.stack([actual, actual])
    assert stacking.shrunk_weights(perfect, actual, Objective("mae", scale)).tolist() == [0.5, 0.5]


def test_projection_on_the_simplex() -> None:
    assert stacking.projected(np.array([0.2, 0.3, 0.5])) == pytest.approx([0.2, 0.3, 0.5])
    assert stacking.projected(np.array([2.0, 0.5, -1.0])).tolist() == [1, 0, 0]
    assert stacking.projected(np.array([1.0, 1.0])).tolist() == [0.5, 0.5]


def test_shares_fall_with_the_error() -> None:
    """Errors of 1, 1.02 and 2: the second counts 1/e as much as the first."""
    actual, scale = np.zeros((1, 1, 1)), np.ones((1, 1))
    candidates = [np.full((1, 1, 1), value) for value in (1.0, 1.02, 2.0)]
    shares = stacking.shares_by_error(candidates, actual, Objective("mae", scale))
    assert shares[1] / shares[0] == pytest.approx(np.exp(-1))
    assert shares[2] == pytest.approx(0, abs=1e-9)
    perfect = stacking.shares_by_error([actual, actual], actual, Objective("mae", scale))
    assert perfect.tolist() == [0.5, 0.5]
