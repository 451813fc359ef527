"""DirectRidge: the matrix from lags to steps, short series, logarithms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.config.models import ModelSpec
from forerun.forecasting.engines import direct, window_regression
from forerun.forecasting.engines.base import Data

SETTINGS = {"horizon": 2, "gap": 0, "season_length": 4, "freq": 1, "step_size": None}


def table(*series: Any) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"unique_id": f"s{n}", "ds": range(len(y)), "y": np.asarray(y, dtype=float)})
        for n, y in enumerate(series)
    ]
    return pd.concat(frames, ignore_index=True)


def forecast(frame: pd.DataFrame, **params: Any) -> pd.DataFrame:
    spec = ModelSpec("DirectRidge", "direct", "DirectRidge", params)
    fitted = direct.fit(spec, SETTINGS, Data(frame), lambda *_: None)
    return direct.predict(fitted, SETTINGS, Data(frame))


def test_a_season_with_a_trend_is_continued() -> None:
    """y = step + season is linear in its lags, at every level and scale."""
    steps = np.arange(40)
    season = np.resize([3.0, -1.0, 2.0, -4.0], 42)
    y = steps + season[:40] + 20
    found = forecast(table(y, 1000 * y, y + 500), log=False, penalty=1e-9)
    expected = np.array([40, 41]) + season[40:] + 20
    wanted = np.concatenate([expected, 1000 * expected, expected + 500])
    np.testing.assert_allclose(found["DirectRidge"], wanted, rtol=1e-4)
    assert found["ds"].tolist() == [40, 41] * 3


def test_growth_is_linear_in_logarithms() -> None:
    """Growth of 10 % a step, of two series."""
    y = 1.1 ** np.arange(40)
    found = forecast(table(y, 7 * y), log=True, penalty=1e-9)["DirectRidge"]
    expected = np.array([1.1**40, 1.1**41])
    np.testing.assert_allclose(found, np.concatenate([expected, 7 * expected]), rtol=1e-4)


def test_a_series_with_zeros_is_forecast_from_its_values() -> None:
    random = np.random.default_rng(1)
    y = 5 + np.resize([2.0, 0.0, 1.0, 3.0], 40) + random.normal(0, 0.1, 40)
    frame = table(y, np.where(np.arange(40) == 7, 0.0, y))
    by_log, by_value = (forecast(frame, log=log)["DirectRidge"].to_numpy() for log in (True, False))
    assert np.abs(by_log[:2] - by_value[:2]).max() > 1e-6
    np.testing.assert_array_equal(by_log[2:], by_value[2:])


def test_short_series_use_fewer_lags_and_a_single_value_is_enough() -> None:
    long = np.resize([3.0, 1.0, 2.0, 5.0], 60) + np.random.default_rng(1).normal(0, 0.1, 60)
    found = forecast(table(long, long[:6], [4.0]))
    assert np.isfinite(found["DirectRidge"]).all()
    assert found["unique_id"].value_counts().tolist() == [2, 2, 2]


def test_without_a_series_longer_than_the_horizon_the_last_value_is_the_forecast() -> None:
    data = Data(table([1.0, 2.0], [3.0]))
    spec = ModelSpec("DirectRidge", "direct", "DirectRidge", {})
    fitted = direct.fit(spec, SETTINGS, data, lambda *_: None)
    assert direct.predict(fitted, SETTINGS, data)["DirectRidge"].tolist() == [2, 2, 3, 3]
    assert data.kept["fallback"]["unique_id"].tolist() == ["s0", "s1"]


def test_constant_and_enormous_values() -> None:
    found = forecast(table(np.full(30, 1e12), np.zeros(30), np.full(30, -5.0)))["DirectRidge"]
    np.testing.assert_allclose(found, [1e12, 1e12, 0, 0, -5, -5], atol=1e-6)


def test_one_outlier_among_the_windows_changes_little() -> None:
    """With absolute errors an outlier is not squared."""
    random = np.random.default_rng(1)
    y = np.resize([3.0, 1.0, 2.0, 5.0], 80) + random.normal(0, 0.1, 80)
    spoiled = y.copy()
    spoiled[40] = 300.0
    clean, other = (
        forecast(table(y, last), log=False)["DirectRidge"].to_numpy()[:2] for last in (y, spoiled)
    )
    np.testing.assert_allclose(clean, other, atol=0.5)


def test_large_series_count_more_with_size_weight() -> None:
    """Two small series are noise around a level, a large one repeats its last change."""
    noise, line = np.random.default_rng(1).normal(0, 1, 40), np.arange(40.0)
    frame = table(noise + 9, 2 * noise + 9, 1000 * line + 9)
    expected = 1000 * np.array([40.0, 41.0]) + 9
    error = {
        power: np.abs(
            forecast(frame, log=False, input_size=2, size_weight=power)["DirectRidge"][4:]
            - expected
        ).sum()
        for power in (0.0, 1.0)
    }
    assert error[1.0] < 0.1 * error[0.0]


def test_random_features_learn_what_is_not_linear() -> None:
    """Each value is the absolute difference of the two before it: no linear map of lags."""
    values = [5.0, 2.0]
    for _ in range(80):
        values.append(abs(values[-1] - values[-2]) + 1.0)
    frame = table(values[:-2], *(np.roll(values, -n)[:50] for n in range(1, 9)))
    error = {}
    for number in (0, 60):
        params = {"log": False, "input_size": 4, "features": number, "feature_scale": 1.0}
        found = forecast(frame, penalty=1e-6, **params)["DirectRidge"].to_numpy()[:2]
        error[number] = np.abs(found - values[-2:]).mean()
    assert error[60] < 0.3 * error[0]


def test_random_features_are_saved_and_depend_on_the_seed(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    data = Data(table(*(np.cumsum(random.normal(0, 1, 60)) + 50 for _ in range(4))))
    spec = ModelSpec("DirectRidge", "direct", "DirectRidge", {"features": 20, "input_size": 4})
    found = []
    for seed in (1, 1, 2):
        fitted = direct.fit(spec, SETTINGS | {"seed": seed}, data, lambda *_: None)
        found.append(direct.predict(fitted, SETTINGS, data)["DirectRidge"].to_numpy())
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-6
    direct.save(fitted, tmp_path)
    loaded = direct.load(spec, SETTINGS, tmp_path)
    again = direct.predict(loaded, SETTINGS, data)["DirectRidge"]
    np.testing.assert_array_equal(again, found[2])


def test_few_windows_have_no_random_features() -> None:
    """Two series of ten values: far fewer windows than 20 for each lag."""
    series = [np.arange(10.0) ** 1.5, np.sqrt(np.arange(1.0, 11.0))]
    fitted = window_regression.fit(series, 4, 2, 1, 1e-3, True, window_regression.Features(30))
    assert fitted.features == {}
    assert fitted.by_lags[4].shape == (5, 2)


def test_windows_of_a_long_series_are_spread_over_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window_regression, "MOST_VALUES", 60)
    windows = window_regression._Windows.of([np.arange(100.0)], 4, 2, 1)
    assert windows is not None
    assert len(windows.lags) == 10
    assert (windows.lags[0, 0], windows.targets[-1, -1]) == (0.0, 99.0)


@pytest.mark.parametrize(("season", "lags"), [(1, 8), (4, 20), (12, 48), (52, 104), (168, 336)])
def test_lags_follow_from_the_season(season: int, lags: int) -> None:
    assert direct.default_lags(season) == lags
