"""Arguments of mlforecast's models are checked before anything is imported."""

from __future__ import annotations

from typing import Any

import pytest

from forerun.base.errors import UserError
from forerun.config.regressor_features import LagTransform, lag_transform
from forerun.config.settings import resolve


def model(name: str, **params: Any) -> dict[str, Any]:
    return resolve({"models": [{"name": name, "params": params}]})


def test_lag_transforms_are_read() -> None:
    assert lag_transform("rolling_mean:7") == LagTransform("rolling_mean", (7,), 1)
    assert lag_transform("seasonal_mean:7:4@7") == LagTransform("seasonal_mean", (7, 4), 7)
    assert lag_transform("ewm:0.3") == LagTransform("ewm", (0.3,), 1)
    assert lag_transform("expanding_mean@2") == LagTransform("expanding_mean", (), 2)


def test_valid_arguments_are_accepted() -> None:
    model("LightGBM", lags=[1, 7], lag_transforms=["ewm:0.5"], direct=True, differences=[])
    model("Ridge", per_series=True, alpha=2.0)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("LightGBM", {"lag_transforms": ["rolling_men:7"]}, "did you mean 'rolling_mean'"),
        ("LightGBM", {"lag_transforms": ["rolling_mean"]}, "write rolling_mean:steps"),
        ("LightGBM", {"lag_transforms": ["ewm:2"]}, "weight is between 0 and 1"),
        ("LightGBM", {"lag_transforms": ["rolling_mean:7@0"]}, "integers of at least 1"),
        ("LightGBM", {"lag_transforms": ["rolling_mean:1.2.3"]}, "write rolling_mean:steps"),
        ("LightGBM", {"lags": [0]}, "lags has 0"),
        ("LightGBM", {"direct": "both"}, "direct is 'both'; it must be true or false"),
        ("LightGBM", {"per_series": True}, "LightGBM is fitted to all series"),
        ("Ridge", {"per_series": "yes"}, "must be true or false"),
        ("Ridge", {"per_series": True, "lags": [1]}, "lags and per_series: true exclude"),
    ],
)
def test_invalid_arguments_are_refused(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model(name, **params)
