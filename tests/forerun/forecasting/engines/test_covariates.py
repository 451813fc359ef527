"""Every model with known future covariates finds a planted effect of one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from synthetic import EFFECT, shop_settings, shops

from forerun.config import catalog, schema
from forerun.config.models import specs
from forerun.data import prepare, split
from forerun.forecasting.engines import bounded
from forerun.forecasting.engines.base import Data, get_engine
from forerun.forecasting.scaling import Scaling

neural_arguments = lazily("forerun.forecasting.engines.neural_arguments")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

#: Arguments that shorten the fits or that a model requires.
SMALL: dict[str, dict[str, Any]] = {
    "ARIMA": {"order": [1, 0, 0]},
    "AutoRegressive": {"lags": [1, 7]},
    "CatBoost": {"iterations": 200, "learning_rate": 0.2},
    "XGBoost": {"n_estimators": 100},
    "NBEATSx": {"mlp_units": [[64, 64]] * 3},
    "NHITS": {"mlp_units": [[64, 64]] * 3},
    "TiDE": {"hidden_size": 64},
    "FEDformer": {"hidden_size": 16, "n_head": 8, "conv_hidden_size": 16},
    "iTransformer": {"hidden_size": 64, "n_heads": 4, "d_ff": 64},
    "MLPMultivariate": {"hidden_size": 128},
    "TimesNet": {"hidden_size": 16, "conv_hidden_size": 16, "encoder_layers": 1, "top_k": 2},
    "LSTM": {"encoder_hidden_size": 32, "max_steps": 60},
}


def able(engine: str) -> list[str]:
    offered = catalog.of_engine(engine).models
    return [n for n, i in offered.items() if i.futr_exog and not i.refusal and not i.auto]


#: Networks whose forecasts depend on the column, but which do not learn its effect from these data:
#: DeepNPTS only weighs past values, MLPMultivariate has an input for each value of each series.
WEAK = ("DeepNPTS", "MLPMultivariate")
#: A model of each engine that `make test` trains; `make test-all` trains all of them.
FIRST = ("ARIMA", "LightGBM", "NHITS", "TiDE")
CASES = [
    name if name in FIRST else pytest.param(name, marks=pytest.mark.long)
    for engine in ("statsforecast", "mlforecast", "neuralforecast")
    for name in able(engine)
    if name not in (*WEAK, *catalog.PAST_ONLY)
]


def effect(item: Any, folder: Path, **more: Any) -> float:
    """Return how much higher the forecasts of a saved model are with promotions than without."""
    settings = shop_settings(models=[item], baselines=[], max_steps=80, learning_rate=0.005, **more)
    made = prepare(shops(), settings)
    settings |= {"season_length": 7, "categories": made.categories}
    spec = specs(settings)[-1]
    data, engine = Data(*split(made.frame, settings)), get_engine(spec.engine)
    scaling = Scaling.of(spec, settings, data, data.history)
    given = scaling.forward(data, data.history)
    engine.save(engine.fit(spec, settings, given, lambda *_: None), folder)
    loaded = engine.load(spec, settings, folder)
    found = []
    for promo in (0.0, 1.0):
        frame = made.frame.assign(promo=made.frame["promo"].where(made.frame["y"].notna(), promo))
        other = replace(scaling.forward(Data(*split(frame, settings)), data.history), own=False)
        found.append(engine.predict(loaded, settings, other).set_index(["unique_id", "ds"]))
    return float((found[1] - found[0])[spec.name].mean())


@pytest.mark.parametrize("model", CASES)
def test_the_effect_of_a_promotion_is_found(model: str, tmp_path: Path) -> None:
    found = effect({"name": model, "params": SMALL.get(model, {})}, tmp_path)
    assert 0.5 * EFFECT < found < 1.5 * EFFECT


@pytest.mark.long
@pytest.mark.parametrize("model", WEAK)
def test_other_networks_use_the_column(model: str, tmp_path: Path) -> None:
    found = effect({"name": model, "params": SMALL.get(model, {})}, tmp_path)
    assert 1e-4 < abs(found) < 0.5 * EFFECT


@pytest.mark.long
def test_timesnet_uses_the_past_of_the_column_only(tmp_path: Path) -> None:
    """If this fails after an upgrade, TimesNet is no longer in `PAST_ONLY`."""
    assert effect({"name": "TimesNet", "params": SMALL["TimesNet"]}, tmp_path) == 0


def test_a_search_with_columns_is_bounded_with_a_note() -> None:
    settings = shop_settings(models=["AutoARIMA", "MFLES"], baselines=[], calendar=[])
    arima, mfles = specs(settings)
    assert bounded.bounds(arima, settings)["nmodels"] == 10
    assert "search is bounded (approximation: True, nmodels: 10" in bounded.note(arima, settings)
    assert bounded.bounds(replace(arima, params={"nmodels": 50}), settings)["max_p"] == 2
    assert "nmodels" not in bounded.bounds(replace(arima, params={"nmodels": 50}), settings)
    assert not bounded.bounds(replace(arima, exogenous=False), settings)
    assert not bounded.bounds(arima, settings | {"model_defaults": 1})
    assert bounded.note(mfles, settings) == ""


def test_tide_ends_without_normalization_unless_its_run_is_older() -> None:
    asked = {"name": "TiDE_norm", "model": "TiDE", "params": {"layernorm": True}}
    settings = shop_settings(models=["TiDE", asked, "NHITS"], baselines=[])
    made = prepare(shops(1), settings)
    data = Data(*split(made.frame, settings))
    found = [
        neural_arguments.arguments_of(spec, settings, data).get("layernorm")
        for spec in specs(settings)
    ]
    assert found == [False, True, None]
    older = settings | {"model_defaults": schema.earlier()["model_defaults"]}
    assert "layernorm" not in neural_arguments.arguments_of(specs(settings)[0], older, data)


@pytest.mark.parametrize(
    "model", ["NHITS", "Ridge", pytest.param("LightGBM", marks=pytest.mark.long)]
)
def test_it_is_found_as_a_category_too(model: str, tmp_path: Path) -> None:
    item = {"name": model, "params": SMALL.get(model, {})}
    found = effect(item, tmp_path, categorical=["shop", "promo"])
    assert 0.5 * EFFECT < found < 1.5 * EFFECT


@pytest.mark.parametrize("model", ["NHITS", "LightGBM"])
def test_an_unseen_series_and_an_unseen_category_are_forecast(model: str, tmp_path: Path) -> None:
    settings = shop_settings(
        models=[{"name": model, "params": SMALL.get(model, {})}], baselines=[], max_steps=2,
        categorical=["shop", "promo"],
    )  # fmt: skip
    kinds = {0.0: "none", 1.0: "tv"}
    made = prepare(shops().assign(promo=lambda table: table["promo"].map(kinds)), settings)
    settings |= {"season_length": 7, "categories": made.categories}
    spec = specs(settings)[-1]
    engine = get_engine(spec.engine)
    data = Data(*split(made.frame, settings))
    fitted = engine.fit(spec, settings, data, lambda *_: None)
    engine.save(fitted, tmp_path)
    new = shops().replace({"shop_0": "shop_new"}).assign(promo="web")
    later = prepare(new, settings, training=False)
    assert any("'promo': 1 value not seen in training ('web')" in n for n in later.notes)
    other = Data(*split(later.frame, settings))
    found = engine.predict(engine.load(spec, settings, tmp_path), settings, other)
    assert len(found) == 4 * 7
    assert np.isfinite(found[model]).all()
    assert "shop_new" in set(found["unique_id"])
    assert isinstance(found, pd.DataFrame)
    pd.testing.assert_frame_equal(engine.predict(fitted, settings, other), found)
