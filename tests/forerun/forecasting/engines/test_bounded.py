"""The search of an automatic model of hourly data is bounded, and the run says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lazily import lazily

from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.forecasting.engines import bounded
from forerun.forecasting.engines.base import Data

statistical = lazily("forerun.forecasting.engines.statistical")


def test_a_search_with_a_long_season_is_bounded_with_a_note() -> None:
    own = {"name": "Own", "model": "AutoETS", "params": {"model": "ZZZ"}}
    damped = {"name": "Damped", "model": "AutoETS", "params": {"damped": False}}
    settings = resolve({"models": [], "baselines": ["AutoETS", "AutoARIMA", own, damped, "MSTL"]})
    hourly = settings | {"season_length": 24}
    ets, arima, *others = specs(settings)
    assert bounded.bounds(ets, hourly) == {"model": "AZA", "damped": True}
    assert bounded.notes([ets, *others], hourly) == [
        "AutoETS: the season has 24 steps, so its search is bounded (model: AZA, damped: True)"
    ]
    assert bounded.bounds(arima, hourly)["nmodels"] == 10
    for each in (ets, arima):
        for shorter in (12, 1, None):
            assert not bounded.bounds(each, settings | {"season_length": shorter})
        for version in (1, 2):
            assert not bounded.bounds(each, hourly | {"model_defaults": version})


@pytest.mark.parametrize("model", ["AutoETS", "AutoARIMA"])
def test_the_season_of_a_model_counts_rather_than_that_of_the_data(model: str) -> None:
    """AutoETS without a season failed on hourly data: an additive season was asked of it."""
    item = {"name": "Own", "model": model}
    for season, of_data, is_bounded in ((1, 24, False), (12, 24, False), (168, 7, True)):
        item["params"] = {"season_length": season}
        settings = resolve({"models": [], "baselines": [item]})
        (spec,) = specs(settings)
        note = bounded.note(spec, settings | {"season_length": of_data})
        assert (f"the season has {season} steps" in note) == is_bounded == bool(note)


@pytest.mark.parametrize("season", [12, 24])
def test_hourly_and_monthly_data_are_forecast_by_the_search_that_is_noted(season: int) -> None:
    """The bounded search has an additive season, so its forecasts are those of that model."""
    asked = [
        "AutoETS",
        {
            "name": "Asked",
            "model": "AutoETS",
            "params": dict(bounded.SEARCHES["AutoETS"].arguments),
        },
    ]
    settings = resolve({"models": [], "baselines": asked, "horizon": 4})
    settings |= {"season_length": season, "freq": "h"}
    times = pd.date_range("2026-01-01", periods=6 * season, freq="h")
    level = 1 + np.arange(len(times)) / 50
    values = level * (10 + 5 * np.sin(2 * np.pi * np.arange(len(times)) / season))
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": values})
    found = []
    for spec in specs(settings):
        fitted = statistical.fit(spec, settings, Data(frame), lambda *_, **__: None)
        found.append(fitted.forecasts[spec.name].to_numpy())
    assert (found[0] == found[1]).all() == (season == 24)
