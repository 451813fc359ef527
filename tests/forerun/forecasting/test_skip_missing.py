"""New data that a model cannot forecast are refused unless the model may be skipped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.forecasting import forecasts, predict
from forerun.forecasting.choice import Choice
from forerun.forecasting.engines.base import Data


@pytest.fixture
def settings() -> dict[str, Any]:
    asked = {"models": ["AutoARIMA"], "baselines": ["SeasonalNaive"], "futr_exog": ["promo"]}
    return resolve({**asked, "horizon": 2, "freq": "D", "season_length": 7})


@pytest.fixture
def data() -> Data:
    days = pd.date_range("2024-01-01", periods=20)
    table = {"unique_id": "a", "ds": days, "y": np.arange(20.0), "promo": 0.0}
    return Data(pd.DataFrame(table))


@pytest.fixture
def choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choice:
    """Both models with an untrained engine that repeats the last value."""
    names = ["AutoARIMA", "SeasonalNaive"]
    folders = {name: tmp_path / "models" / name for name in names}
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "model.json").touch()

    def forecast(name: str, settings: Any, data: Data) -> pd.DataFrame:
        if name == "AutoARIMA" and data.future is None:
            raise UserError("AutoARIMA needs the values of promo")
        return pd.DataFrame({"unique_id": "a", "ds": [21, 22], name: 1.0})

    fake = SimpleNamespace(load=lambda spec, *_: spec.name, predict=forecast)
    monkeypatch.setattr(forecasts, "get_engine", lambda _: fake)
    return Choice(names, folders)


def test_a_model_without_future_values_stops_the_call(
    settings: dict[str, Any], data: Data, choice: Choice
) -> None:
    with pytest.raises(UserError) as caught:
        predict.forecast_all(settings, data, choice, [])
    text = str(caught.value)
    assert "AutoARIMA needs the values of promo for the 2 steps after each series' end" in text
    assert "from 2024-01-21 on" in text
    assert "--skip-missing" in text
    alone = Choice(["SeasonalNaive"], {"SeasonalNaive": choice.models["SeasonalNaive"]})
    assert list(predict.forecast_all(settings, data, alone, [])) == ["SeasonalNaive"]


def test_skip_missing_forecasts_with_the_others(
    settings: dict[str, Any], data: Data, choice: Choice
) -> None:
    found = predict.forecast_all(settings, data, choice, [], skip_missing=True)
    assert list(found) == ["SeasonalNaive"]


def test_a_model_skipped_for_another_reason_stops_the_call(
    settings: dict[str, Any], data: Data, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings |= {"futr_exog": []}
    with pytest.raises(UserError, match="AutoARIMA needs the values of promo; --skip-missing"):
        predict.forecast_all(settings, data, choice, [])
