"""Exogenous columns and large targets are scaled for networks, and forecasts scaled back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.config.models import ModelSpec, specs
from forerun.config.settings import dump, resolve
from forerun.forecasting import scaling
from forerun.forecasting.engines.base import Data
from forerun.forecasting.scaling import Scaling
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = {"mlp_units": [[16, 16]] * 3}


def example(level: float = 0.0, change: float = 1.0) -> Data:
    """Two series of four values; promo 0/1, size 125 and 225."""
    y = level + change * np.array([1.0, 3.0, 2.0, 4.0, 10.0, 30.0, 20.0, 40.0])
    history = pd.DataFrame(
        {"unique_id": list("aaaabbbb"), "ds": [1, 2, 3, 4] * 2, "y": y, "promo": [0.0, 1.0] * 4}
    )
    future = pd.DataFrame({"unique_id": ["a", "b"], "ds": [5, 5], "promo": [1.0, 0.0]})
    static = pd.DataFrame({"unique_id": ["a", "b"], "size": [125.0, 225.0]})
    return Data(history, future, static)


SETTINGS = {"hist_exog": [], "futr_exog": ["promo"], "stat_exog": ["size"]}


def spec(name: str = "NHITS", engine: str = "neuralforecast", **params: Any) -> ModelSpec:
    return ModelSpec(name, engine, name, params, exogenous=True)


@pytest.mark.parametrize(("name", "engine"), [("NHITS", "neuralforecast"), ("Ridge", "mlforecast")])
def test_columns_get_mean_0_and_deviation_1(name: str, engine: str, tmp_path: Path) -> None:
    data = example()
    found = Scaling.of(spec(name, engine), SETTINGS, data, data.history)
    assert dict(found.columns) == {"promo": (0.5, 0.5), "size": (175.0, 50.0)}
    assert not found.centered
    found.write(tmp_path)
    seen = Scaling.read(tmp_path).forward(data, data.history)
    assert seen.history["promo"].tolist() == [-1, 1] * 4
    assert seen.future is not None
    assert seen.future["promo"].tolist() == [1, -1]
    assert seen.static is not None
    assert seen.static["size"].tolist() == [-1, 1]
    assert seen.history["y"].tolist() == data.history["y"].tolist()
    assert data.static is not None
    assert data.static["size"].tolist() == [125, 225]  # not changed


def test_only_used_columns_are_scaled_without_later_values() -> None:
    data = example()
    assert Scaling.of(spec("AutoARIMA", "statsforecast"), SETTINGS, data, data.history) == Scaling()
    without = ModelSpec("NHITS", "neuralforecast", "NHITS")
    assert not Scaling.of(without, SETTINGS, data, data.history).columns
    categories = spec(cat_exog_list=["size"])
    assert list(Scaling.of(categories, SETTINGS, data, data.history).columns) == ["promo"]
    first = data.history[data.history["ds"] == 1]
    assert Scaling.of(spec(), SETTINGS, data, first).columns["promo"] == (0.0, 1.0)


def test_a_large_target_is_centered_and_restored() -> None:
    data = example(level=1e10, change=1000.0)
    found = Scaling.of(spec(), SETTINGS, data, data.history)
    assert found.centered
    seen = found.forward(data, data.history)
    assert seen.history["y"].tolist() == [-3000, -1000, -2000, 0, -30000, -10000, -20000, 0]
    forecasts = pd.DataFrame({"unique_id": ["a", "b"], "ds": [5, 5], "NHITS": [500.0, -500.0]})
    back = found.back(forecasts, data, data.history)
    assert back["NHITS"].tolist() == [1e10 + 4500, 1e10 + 39500]
    before = data.history[data.history["ds"] <= 2]  # the level of the first cutoff
    tested = forecasts.assign(ds=3, cutoff=2, y=0.0)
    back = found.back(tested, data, before)
    assert back["NHITS"].tolist() == [1e10 + 3500, 1e10 + 29500]
    assert back["y"].tolist() == [1e10 + 2000, 1e10 + 20000]


@pytest.mark.parametrize(
    ("level", "change", "lost"),
    [(0, 1, False), (1e6, 10, False), (1e6, 0.1, True), (1e10, 1e6, False), (1e10, 1e3, True)],
)
def test_large_levels_are_detected(level: float, change: float, lost: bool) -> None:
    assert scaling.loses_digits(example(level, change).history) is lost


@pytest.mark.parametrize("rows", [1, 5, 9])
def test_series_are_looked_at_in_parts(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only series b, of the second part, is coarse: 3,000,000 changes by 0.1."""
    monkeypatch.setattr(scaling, "ROWS", rows)
    history = example().history
    assert not scaling.loses_digits(history)
    y = history["y"].mask(history["unique_id"] == "b", 3e6 + 0.1 * np.arange(8))
    assert scaling.loses_digits(history.assign(y=y))
    assert not scaling.loses_digits(history.assign(y=y).iloc[:4])
    assert not scaling.loses_digits(history.iloc[:0])


@pytest.mark.parametrize("loss", ["MAPE", {"name": "DistributionLoss", "distribution": "Poisson"}])
def test_losses_that_need_the_level_are_named(loss: Any) -> None:
    data = example(level=1e10, change=1000.0)
    asked = [spec(loss=loss), ModelSpec("NBEATS", "neuralforecast", "NBEATS")]
    assert not Scaling.of(asked[0], SETTINGS, data, data.history).centered
    first, second = scaling.notes(data.history, asked)
    assert first.endswith("NBEATS train on each series without its level")
    assert "the loss of NHITS needs the level" in second
    assert not scaling.notes(example().history, asked)
    assert not scaling.notes(data.history, [spec("AutoARIMA", "statsforecast")])


def test_a_model_without_a_scaling_is_used_as_it_is(tmp_path: Path) -> None:
    assert Scaling.read(tmp_path) == Scaling()
    Scaling().write(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "record", [[], {}, {"columns": {"x": [0, 0]}}, {"columns": {"x": ["a", 1]}, "centered": True}]
)
def test_a_damaged_scaling_is_refused(record: Any, tmp_path: Path) -> None:
    write_json(tmp_path / scaling.FILE, record)
    with pytest.raises(UserError, match="is damaged"):
        Scaling.read(tmp_path)


def errors(
    folder: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, **asked: Any
) -> tuple[float, float]:
    """MAE of the back-tests of NHITS with the scaling and without it; forecasts have the level."""
    from forerun.base.files import write_parquet, write_text
    from forerun.data import prepare
    from forerun.forecasting.forecasts import forecasts
    from forerun.forecasting.training import cross_validate, read_run_data, train_model

    given = {"models": [{"name": "NHITS", "params": SMALL}], "baselines": [], "horizon": 6}
    given |= {"input_size": 14, "n_windows": 2, "max_steps": 60, "learning_rate": 0.01}
    given |= {"freq": "D", "season_length": 7, "windows_batch_size": 32}
    settings = resolve(given | asked)
    write_text(folder / "config.yaml", dump(settings))
    write_parquet(folder / "data.parquet", prepare(frame, settings).frame)
    paths = (str(folder / "config.yaml"), str(folder / "data.parquet"))
    found = []
    for name, standard in (("with", Scaling.of), ("without", lambda *_: Scaling())):
        monkeypatch.setattr(Scaling, "of", standard)
        run = RunPaths(folder / name)
        run.folder.mkdir()
        for path in paths:
            shutil.copy(path, run.folder)
        cross_validate(Fit(run, "NHITS", 0), lambda *_: None)
        results = pd.read_parquet(Fit(run, "NHITS", 0).product_path)
        found.append(float((results["NHITS"] - results["y"]).abs().mean()))
        if name == "without":
            continue
        target = run.model("NHITS")
        train_model(Fit(run, "NHITS"), lambda *_: None)
        assert (target / scaling.FILE).is_file()
        made = dict(forecasts(settings, read_run_data(paths[1], settings), {"NHITS": target}))
        last = frame.groupby("unique_id")["y"].last()
        rows = made["NHITS"]
        assert len(rows) == 6 * frame["unique_id"].nunique()
        level = rows["unique_id"].map(last)
        assert ((rows["NHITS"] - level).abs() < 20 * frame["y"].diff().abs().median()).all()
    assert [s.name for s in specs(settings)] == ["NHITS"]
    return found[0], found[1]


def panel(level: float, size: float) -> pd.DataFrame:
    random = np.random.default_rng(5)
    days = pd.date_range("2024-01-01", periods=70)
    frames = []
    for number in range(6):
        season = 100 * np.sin(2 * np.pi * np.arange(70) / 7 + number)
        y = level + season + random.normal(0, 5, 70)
        area = size * (1 + number)
        frames.append(pd.DataFrame({"unique_id": f"s{number}", "ds": days, "y": y, "area": area}))
    return pd.concat(frames, ignore_index=True)


def test_static_columns_do_not_increase_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled, unscaled = errors(tmp_path, panel(500, 2000), monkeypatch, stat_exog=["area"])
    assert scaled < 30
    assert unscaled > 2 * scaled


def test_values_near_1e10_keep_their_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled, unscaled = errors(tmp_path, panel(1e10, 1.0), monkeypatch)
    assert scaled < 30
    assert unscaled > 2 * scaled
