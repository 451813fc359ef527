"""Regressors find planted effects: of columns, a trend, at each step; old ones still load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from synthetic import EFFECT, shop_settings, shops

from forerun.config.models import specs
from forerun.data import prepare, split
from forerun.forecasting.engines.base import Data

machine = lazily("forerun.forecasting.engines.machine")
pytestmark = pytest.mark.slow


def progress(step: int, most: int, loss: float | None) -> None:
    """Report no progress."""


def prepared(item: Any, **more: Any) -> tuple[Any, dict[str, Any], Data]:
    settings = shop_settings(models=[item], baselines=[], **more)
    frame = shops()
    made = prepare(frame, settings)
    settings |= {"season_length": 7}
    return specs(settings)[-1], settings, Data(*split(made.frame, settings))


def test_a_regressor_of_each_step_uses_the_columns_of_the_step_itself() -> None:
    """A promotion raises the values of the same day."""
    spec, settings, data = prepared({"name": "Ridge", "params": {"direct": True}})
    fitted = machine.fit(spec, settings, data, progress)
    assert len(fitted.regressor) == settings["horizon"]
    assert data.future is not None
    promoted = data.future["unique_id"].eq("shop_0") & data.future["ds"].eq(data.future["ds"].max())
    without = machine.predict(fitted, settings, data)
    data.future = data.future.assign(promo=data.future["promo"] + promoted)
    change = machine.predict(fitted, settings, data)["Ridge"] - without["Ridge"]
    assert np.flatnonzero(change.abs() > 1e-9).tolist() == [settings["horizon"] - 1]
    assert change.max() == pytest.approx(EFFECT, rel=0.25)


def test_a_regression_of_each_series_gives_each_its_own_effect_and_trend() -> None:
    days = pd.date_range("2024-01-01", periods=90)
    promo = (np.arange(90) % 5 == 0).astype(float)
    frames = []
    for number, (effect, slope) in enumerate([(10.0, 1.0), (-4.0, -0.5)]):
        y = 100 + slope * np.arange(90) + effect * promo + 3 * (days.dayofweek == 6)
        y = np.where(np.arange(90) < 83, y, np.nan)
        frames.append(pd.DataFrame({"shop": f"s{number}", "day": days, "sales": y, "promo": promo}))
    settings = shop_settings(
        models=[{"name": "LinearRegression", "params": {"per_series": True}}],
        baselines=[], horizon=7, calendar=[],
    )  # fmt: skip
    frame = pd.concat(frames)
    data = Data(*split(prepare(frame, settings).frame, settings))
    settings |= {"season_length": 7}
    spec = specs(settings)[-1]
    found = machine.predict(machine.fit(spec, settings, data, progress), settings, data)
    later = np.arange(83, 90)
    sunday = 3.0 * (days[83:].dayofweek == 6)
    expected = [100 + later + 10 * promo[83:] + sunday, 100 - later / 2 - 4 * promo[83:] + sunday]
    np.testing.assert_allclose(found["LinearRegression"], np.concatenate(expected), rtol=1e-9)


def test_features_of_models_with_and_without_known_columns() -> None:
    spec, settings, data = prepared({"name": "Ridge", "exogenous": False})
    features = machine.fit(spec, settings, data, progress).features
    assert features is not None
    assert (features.differences, features.lag_transforms) == ([1], [])
    spec, settings, data = prepared("Ridge")
    features = machine.fit(spec, settings, data, progress).features
    assert features is not None
    assert features.differences == []
    assert "rolling_mean:7" in features.lag_transforms


def test_a_model_of_version_0_1_is_read_with_its_features(tmp_path: Path) -> None:
    """It used known columns and differences together."""
    spec, settings, data = prepared({"name": "Ridge", "params": {"lags": [1, 7]}})
    record = {"name": "Ridge", "params": spec.params}
    (tmp_path / "model.json").write_text(json.dumps(record))
    numbers = {"coefficients": [0.0] * 9, "intercept": 0.0}
    (tmp_path / "linear.json").write_text(json.dumps(numbers))
    fitted = machine.load(spec, settings, tmp_path)
    found = machine.predict(fitted, settings, data)
    last = data.history.groupby("unique_id")["y"].last()
    # Differences that are forecast to be the mean difference: a straight line.
    first = found.groupby("unique_id")["Ridge"].first()
    assert ((first - last).abs() < 2 * EFFECT).all()
    assert fitted.features is not None
    assert fitted.features.differences == [1]
