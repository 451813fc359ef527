"""The tidy table of all forecasts with the user's column names; the order of intervals."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forerun.base.files import write_csv
from forerun.config.models import expand
from forerun.config.names import RESERVED
from forerun.evaluation.intervals import in_order, uncross
from forerun.forecasting.tidy import write_tidy

SETTINGS = {"id_col": "shop", "time_col": "day", "target_col": "sales"}
ORDER = ["lo-95", "lo-80", "point", "hi-80", "hi-95"]


def forecasts(model: str, value: float, levels: tuple[int, ...] = ()) -> pd.DataFrame:
    frame = pd.DataFrame({"unique_id": ["007", "NA"], "ds": pd.to_datetime(["2024-01-01"] * 2)})
    frame[model] = value
    for level in levels:
        frame[f"{model}-lo-{level}"] = value - level
        frame[f"{model}-hi-{level}"] = value + level
    return frame


def written(folder: Path, *frames: pd.DataFrame, settings: dict[str, str]) -> pd.DataFrame:
    models = [frame.columns[2] for frame in frames]
    for model, frame in zip(models, frames, strict=True):
        write_csv(folder / f"{model}.csv", frame)
    write_tidy(folder, models, settings)
    return pd.read_parquet(folder / "all.parquet")


def test_all_models_are_in_one_table_with_the_users_names(tmp_path: Path) -> None:
    found = written(
        tmp_path, forecasts("ensemble", 1000.5, (80, 95)), forecasts("Naive", 2.0, (80,)),
        settings=SETTINGS,
    )  # fmt: skip
    assert list(found.columns) == ["shop", "day", "model", *ORDER]
    assert found["model"].tolist() == ["ensemble", "ensemble", "Naive", "Naive"]
    assert found["shop"].tolist() == ["007", "NA"] * 2
    assert found.loc[0, ORDER].tolist() == [905.5, 920.5, 1000.5, 1080.5, 1095.5]
    assert found.loc[2, ["lo-80", "point", "hi-80"]].tolist() == [-78.0, 2.0, 82.0]
    assert found.loc[2, ["lo-95", "hi-95"]].isna().all()
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert lines[0] == "shop,day,model,lo-95,lo-80,point,hi-80,hi-95"
    assert lines[1] == "007,2024-01-01,ensemble,905.5,920.5,1000.5,1080.5,1095.5"
    assert lines[4] == "NA,2024-01-01,Naive,,-78.0,2.0,82.0,"
    assert len(lines) == 5


def test_names_of_the_user_and_of_the_table_do_not_collide(tmp_path: Path) -> None:
    found = written(
        tmp_path, forecasts("Naive", 2.0), settings={"id_col": "model", "time_col": "point"}
    )
    assert list(found.columns) == ["model", "point", "forecast_model", "forecast_point"]
    assert found["model"].tolist() == ["007", "NA"]
    assert found["forecast_point"].tolist() == [2.0, 2.0]


def test_without_models_there_is_no_table_and_no_model_may_be_called_all(tmp_path: Path) -> None:
    write_tidy(tmp_path, [], SETTINGS)
    assert not list(tmp_path.iterdir())
    assert "all" in RESERVED
    settings = {"hist_exog": [], "futr_exog": [], "stat_exog": [], "exogenous": True}
    _, wrong = expand([{"name": "All", "model": "Naive"}], "models", settings)
    assert "name 'All' is reserved" in wrong[0]


@pytest.mark.parametrize("extra", [[], ["chosen"]])
def test_intervals_have_one_order_in_every_table(extra: list[str]) -> None:
    frame = forecasts("m", 5.0, (80, 95)).assign(**dict.fromkeys(extra, "x"))
    wanted = ["m-lo-95", "m-lo-80", "m", "m-hi-80", "m-hi-95"]
    assert list(in_order(frame, "m").columns) == ["unique_id", "ds", *wanted, *extra]
    assert list(uncross(frame, "m").columns) == ["unique_id", "ds", *wanted, *extra]
    plain = forecasts("m", 5.0)
    assert list(in_order(plain, "m").columns) == ["unique_id", "ds", "m"]
