"""Calendar columns: computed for past and future, never requested, refused if meaningless."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.models import exogenous_columns, specs
from forerun.config.settings import resolve
from forerun.data import calendar, forecastable, split


def settings(*terms: str, freq: str | int = "D", horizon: int = 3, **more: Any) -> dict[str, Any]:
    return resolve({"calendar": list(terms), "horizon": horizon, **more}) | {"freq": freq}


def table(start: str, periods: int, freq: str = "D") -> pd.DataFrame:
    times = pd.date_range(start, periods=periods, freq=freq)
    return pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0})


def test_weekdays_and_months_are_columns_of_the_past_and_the_future() -> None:
    given = settings("dayofweek", "month")
    history, future, _ = split(table("2024-01-29", 2), given)  # Monday, Tuesday
    assert future is not None
    assert list(future["ds"].dt.strftime("%d")) == ["31", "01", "02"]
    assert history["calendar_dayofweek_1"].tolist() == [0, 1]
    assert future["calendar_dayofweek_2"].tolist() == [1, 0, 0]  # Wednesday
    assert future["calendar_month_2"].tolist() == [0, 1, 1]
    assert not [name for name in history if name in ("calendar_dayofweek_0", "calendar_month_1")]


def test_fourier_terms_follow_the_share_of_the_period() -> None:
    history, _, _ = split(table("2023-01-01", 365), settings("fourier:2", "fourier:1:week"))
    angle = 2 * np.pi * np.arange(365) / 365
    np.testing.assert_allclose(history["calendar_year_sin1"], np.sin(angle), atol=1e-12)
    np.testing.assert_allclose(history["calendar_year_cos2"], np.cos(2 * angle), atol=1e-12)
    week = 2 * np.pi * ((np.arange(365) + 6) % 7) / 7  # 2023 begins on a Sunday
    np.testing.assert_allclose(history["calendar_week_sin1"], np.sin(week), atol=1e-12)


def test_terms_depend_on_the_time_not_on_the_start_of_a_series() -> None:
    """New data often start later than those of the run."""
    given = settings("fourier:3", "holidays:DE", "week")
    whole, _, _ = split(table("2023-11-01", 100), given)
    late, _, _ = split(table("2023-12-20", 51), given)
    pd.testing.assert_frame_equal(whole.tail(51).reset_index(drop=True), late)


@pytest.mark.parametrize(
    ("freq", "start", "periods", "expected"),
    [
        ("D", "2023-12-24", 4, [0, 1, 1, 0]),
        ("h", "2023-12-25 22:00", 4, [1, 1, 1, 1]),
        ("W-SUN", "2023-12-24", 3, [0, 2, 1]),  # the days before each Sunday
        ("MS", "2023-12-01", 2, [2, 1]),
        ("ME", "2023-12-31", 2, [2, 1]),
        ("B", "2023-12-22", 2, [0, 1]),
    ],
)
def test_holidays_are_counted_in_each_step(
    freq: str, start: str, periods: int, expected: list[int]
) -> None:
    history, _, _ = split(table(start, periods, freq), settings("holidays:DE", freq=freq))
    assert history["calendar_holidays_DE"].tolist() == expected


def test_regions_have_more_holidays() -> None:
    history, _, _ = split(table("2024-01-06", 1), settings("holidays:DE", "holidays:DE-BY"))
    assert history[["calendar_holidays_DE", "calendar_holidays_DE_BY"]].to_numpy().tolist() == [
        [0, 1]
    ]


def test_models_use_the_calendar_without_a_future_file() -> None:
    given = settings("month", models=["NHITS", "LightGBM", "NBEATS"], baselines=["AutoARIMA"])
    used = {spec.name: exogenous_columns(spec, given)["futr_exog"] for spec in specs(given)}
    assert len(used["NHITS"]) == len(used["LightGBM"]) == len(used["AutoARIMA"]) == 11
    assert used["NBEATS"] == []
    assert forecastable.need_future(given) == []
    assert forecastable.check(given, table("2024-01-01", 40)) == []


def test_other_columns_are_still_required() -> None:
    given = settings("month", models=["NHITS", "LSTM"], futr_exog=["promo"], baselines=[])
    frame = table("2024-01-01", 40).assign(promo=1.0)
    with pytest.raises(UserError, match="values of promo for the 3 steps"):
        forecastable.check(given, frame)
    _, future, _ = split(frame, given)
    assert future is not None
    assert future["promo"].isna().all()
    assert future["calendar_month_2"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("term", "freq", "message"),
    [
        ("dayofweek", "MS", "calendar: dayofweek is the same at all times of freq MS"),
        ("hour", "D", "calendar: hour is the same"),
        ("fourier:2:week", "W", "calendar: fourier is the same"),
        ("month", 1, "calendar needs dates, but the times are integers"),
        ("holidays:XX", "D", "no holidays of 'XX'"),
        ("holidays:DE-ZZ", "D", "no holidays of 'DE-ZZ'"),
    ],
)
def test_meaningless_terms_are_refused(term: str, freq: str | int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        calendar.check(settings(term, freq=freq))


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("mont", "did you mean 'month'"),
        ("fourier", "must be fourier:N"),
        ("fourier:0", "N from 1 to 50"),
        ("fourier:2:decade", "PERIOD one of year, month, week, day"),
        ("holidays", "must be holidays:COUNTRY"),
        ("month:2", "is not a calendar term"),
    ],
)
def test_unreadable_terms_are_refused(term: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        settings(term)


def test_a_column_with_the_name_of_a_term_is_refused() -> None:
    with pytest.raises(UserError, match="column 'calendar_month_2' of futr_exog has a name of"):
        settings("month", futr_exog=["calendar_month_2"])
