"""Binary and calendar columns are not scaled for networks, in training and prediction."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from lazily import lazily
from synthetic import shop_settings, shops

from forerun.config.models import specs
from forerun.data import prepare, split

window_scaling = lazily("forerun.forecasting.engines.window_scaling")
pytestmark = pytest.mark.slow


def test_binary_and_calendar_columns_are_not_scaled() -> None:
    settings = shop_settings(
        models=["NHITS"], baselines=[], futr_exog=["promo", "price"], calendar=["fourier:1"]
    )
    table = shops().assign(price=lambda frame: frame.groupby("shop").cumcount() * 1.0)
    history, _, _ = split(prepare(table, settings).frame, settings)
    found = window_scaling.unscaled(specs(settings)[-1], settings, history)
    assert found == ["promo", "calendar_year_sin1", "calendar_year_cos1"]


def test_other_columns_are_scaled_within_the_context_only() -> None:
    model = SimpleNamespace(
        hist_exog_list=[], futr_exog_list=["promo", "price"], hist_cat_exog_list=[],
        futr_cat_exog_list=[],
    )  # fmt: skip
    columns = pd.Index(["y", "promo", "price", "available_mask"])
    scaled = window_scaling.BaseModel._get_temporal_exogenous_cols
    with window_scaling.without_window_scaling(["promo"]):
        during = window_scaling.BaseModel._get_temporal_exogenous_cols(model, columns)
        assert during == ["price"]
    assert window_scaling.BaseModel._get_temporal_exogenous_cols is scaled
    assert sorted(scaled(model, columns)) == ["price", "promo"]


def test_a_model_keeps_the_columns_and_older_models_have_none(tmp_path: Path) -> None:
    assert window_scaling.read(tmp_path) == []
    window_scaling.write(["promo"], tmp_path)
    assert window_scaling.read(tmp_path) == ["promo"]
