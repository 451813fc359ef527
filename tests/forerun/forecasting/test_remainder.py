"""transform: regression: a model forecasts what a regression of each series leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import EFFECT, shops

from forerun.base.errors import UserError
from forerun.config.models import exogenous_columns, specs
from forerun.config.settings import dump, resolve
from forerun.data import forecastable, model_needs, prepare, split
from forerun.data.panel import without_last
from forerun.forecasting.engines.base import Data
from forerun.forecasting.forecasts import forecasts
from forerun.forecasting.remainder import Remainder
from forerun.forecasting.training import cross_validate, train_model
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

NAIVE = {"name": "Naive", "transform": "regression"}
SHOPS = {"id_col": "shop", "time_col": "day", "target_col": "sales", "horizon": 7, "n_windows": 2}


def resolved(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = {"models": [item], "baselines": [], "futr_exog": ["promo"], **SHOPS, **more}
    return resolve(asked) | {"freq": "D", "season_length": 7, "input_size": 14}


def whole(settings: dict[str, Any], table: pd.DataFrame) -> Data:
    return Data(*split(prepare(table, settings).frame, settings), own=True)


def test_the_regression_takes_the_columns_and_the_model_gets_none() -> None:
    settings = resolved(NAIVE, calendar=["weekend"])
    spec = specs(settings)[-1]
    assert exogenous_columns(spec, settings)["futr_exog"] == ["promo", "calendar_weekend"]
    assert forecastable.need_future(settings) == ["Naive"]
    data = whole(settings, shops(2))
    remainder = Remainder.of(spec, settings, data, data.history)
    assert not any(exogenous_columns(spec, remainder.settings).values())
    left = remainder.forward(data).history
    means = left.groupby([left["unique_id"], data.history["promo"]], observed=True)["y"].mean()
    assert np.abs(means).max() < 0.5  # of an effect of 30
    frame = left[["unique_id", "ds"]].assign(y=left["y"], Naive=left["y"])
    restored = remainder.back(frame, data)
    assert restored["Naive"].to_numpy() == pytest.approx(data.history["y"].to_numpy())
    assert restored["y"].tolist() == data.history["y"].tolist()
    plain = specs(resolved({"name": "Naive"}))[-1]
    same = Remainder.of(plain, settings, data, data.history)
    assert same.forward(data) is data
    assert same.back(frame, data) is frame
    assert same.settings is settings


def test_values_of_the_windows_do_not_reach_the_regression() -> None:
    settings = resolved(NAIVE)
    spec, data = specs(settings)[-1], whole(settings, shops(2))
    seen = without_last(data.history, 14)
    found = Remainder.of(spec, settings, data, seen).expected
    later = data.history.groupby("unique_id", observed=True).cumcount(ascending=False) < 14
    data.history["y"] = data.history["y"].where(~later, 1e9)
    pd.testing.assert_series_equal(Remainder.of(spec, settings, data, seen).expected, found)


def test_a_short_series_and_one_without_a_past_are_forecast() -> None:
    settings = resolved(NAIVE)
    spec = specs(settings)[-1]
    data = whole(settings, shops(2))
    kept = data.history.groupby("unique_id", observed=True).cumcount() < 16
    data.history = data.history[kept].reset_index(drop=True)
    seen = data.history[(data.history["unique_id"] == "shop_0") & (data.history.index < 3)]
    found = Remainder.of(spec, settings, data, seen).expected
    assert found is not None
    assert np.isfinite(found).all()
    assert (found.loc["shop_1"] == 0).all()


@pytest.mark.parametrize("transform", ["regression", "log_regression"])
def test_a_model_without_columns_finds_the_promotions(transform: str, tmp_path: Path) -> None:
    settings = resolved({"name": "HistoricAverage", "transform": transform})
    table = shops()
    prepare(table, settings).frame.to_parquet(tmp_path / "data.parquet", index=False)
    (tmp_path / "config.yaml").write_text(dump(settings), encoding="utf-8")
    run = RunPaths(tmp_path)
    cross_validate(Fit(run, "HistoricAverage", 0), lambda *_: None)
    cv = pd.read_parquet(Fit(run, "HistoricAverage", 0).product_path)
    assert (cv["y"] - cv["HistoricAverage"]).abs().mean() < 3  # noise of 1; weekdays and promotions
    train_model(Fit(run, "HistoricAverage"), lambda *_: None)
    folder = {"HistoricAverage": run.model("HistoricAverage")}
    found = []
    for promo in (0.0, 1.0):
        later = table.assign(promo=table["promo"].where(table["sales"].notna(), promo))
        ((_, frame),) = forecasts(settings, whole(settings, later), folder)
        found.append(frame["HistoricAverage"])
    assert len(found[0]) == 4 * 7
    assert (found[1] - found[0]).mean() == pytest.approx(EFFECT, rel=0.1)
    without = whole(settings, table[table["sales"].notna()])
    with pytest.raises(UserError, match="HistoricAverage needs the values of promo"):
        list(forecasts(settings, without, folder))


def test_a_loss_for_counts_is_refused() -> None:
    loss = {"loss": {"name": "DistributionLoss", "distribution": "Poisson"}}
    settings = resolved({"name": "NHITS", "transform": "regression", "params": loss})
    with pytest.raises(UserError, match="the loss Poisson of NHITS needs a target that is not neg"):
        model_needs.check(settings, prepare(shops(1), settings).frame)
