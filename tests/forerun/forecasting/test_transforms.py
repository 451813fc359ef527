"""transform: log, forward and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.base.yaml_files import load_yaml
from forerun.config.models import ModelSpec, brief, specs
from forerun.config.settings import dump, resolve
from forerun.forecasting import transforms
from forerun.forecasting.engines.base import Data
from forerun.forecasting.forecasts import forecasts
from forerun.forecasting.training import cross_validate, train_model
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

LOG = ModelSpec("Naive", "statsforecast", "Naive", transform="log")


def table(**series: list[float]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": np.arange(len(y)), "y": y})
            for name, y in series.items()
        ],
        ignore_index=True,
    )


def test_models_get_logarithms_and_forecasts_are_transformed_back() -> None:
    data = Data(table(a=[1.0, 10.0, 100.0], b=[5.0, 5.0, 5.0]))
    seen = transforms.forward(data, LOG)
    assert seen.history["y"].tolist() == pytest.approx(np.log([1, 10, 100, 5, 5, 5]).tolist())
    assert data.history["y"].tolist()[:3] == [1, 10, 100]
    frame = table(a=[0.0], b=[0.0])[["unique_id", "ds"]]
    frame = frame.assign(**{"Naive": np.log([50.0, 5.0]), "Naive-lo-80": np.log([20.0, 5.0])})
    found = transforms.back(frame, data, LOG)
    assert found["Naive"].tolist() == pytest.approx([50, 5])
    assert found["Naive-lo-80"].tolist() == pytest.approx([20, 5])
    plain = ModelSpec("Naive", "statsforecast", "Naive")
    assert transforms.forward(data, plain) is data
    assert transforms.back(frame, data, plain) is frame


def test_forecasts_do_not_explode() -> None:
    data = Data(table(wide=[1.0, 100.0], still=[5.0, 5.0]))
    frame = table(wide=[0.0], still=[0.0])[["unique_id", "ds"]].assign(Naive=[700.0, -700.0])
    found = transforms.back(frame, data, LOG)["Naive"].tolist()
    assert found == pytest.approx([100 * transforms.MOST, 5 / transforms.LEAST])


def test_limits_of_back_tests_use_no_later_values() -> None:
    history = table(a=[1.0, 2.0, 3.0, 4.0, 1e9])
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": [3, 4], "cutoff": [2, 3], "y": np.log([4.0, 1e9])}
    )
    found = transforms.back(frame.assign(Naive=99.0), Data(history), LOG)
    assert found["y"].tolist() == [4.0, 1e9]  # exactly, not through exp(log(y))
    assert found["Naive"].max() <= 3.0 * transforms.MOST + 1e-9


def test_zero_is_refused_with_series_and_time() -> None:
    with pytest.raises(UserError, match=r"log of Naive needs .* 'b' is 0 at 1 \(1 such"):
        transforms.forward(Data(table(a=[1.0], b=[2.0, 0.0])), LOG)
    transforms.check(table(b=[0.0]), [ModelSpec("Naive", "statsforecast", "Naive")])


def test_log1p_accepts_zeros_and_forecasts_nothing_negative() -> None:
    spec = ModelSpec("Naive", "statsforecast", "Naive", transform="log1p")
    data = Data(table(a=[0.0, np.e - 1, 0.0], b=[7.0, 7.0, 7.0]))
    assert transforms.forward(data, spec).history["y"].tolist() == pytest.approx(
        [0, 1, 0, *[np.log(8)] * 3]
    )
    frame = table(a=[0.0, 0.0], b=[0.0, 0.0])[["unique_id", "ds"]]
    found = transforms.back(frame.assign(Naive=[-3.0, 1.0, np.log(8), 9.0]), data, spec)
    assert found["Naive"].tolist() == pytest.approx([0, np.e - 1, 7, 8 * transforms.LEAST - 1])
    with pytest.raises(UserError, match=r"log1p of Naive needs a target of at least 0, .* -1 at 0"):
        transforms.forward(Data(table(a=[-1.0, 0.0])), spec)
    with pytest.raises(UserError, match=r"in all\); use log1p or leave"):
        transforms.forward(data, LOG)
    assert (
        resolve({"models": [{"name": "NHITS", "transform": "log1p"}]})["models"][0]["transform"]
        == "log1p"
    )


def test_configuration_takes_its_transformations_only() -> None:
    run = resolve({"models": [{"name": "NHITS", "transform": "log"}], "baselines": []})
    assert run["models"][0]["transform"] == "log"
    assert resolve(run) == run
    assert brief(run["models"]) == [{"name": "NHITS", "transform": "log"}]
    assert "transform" not in resolve({})["models"][0]
    with pytest.raises(UserError, match="transform is 'sqrt'; it must be one of log, "):
        resolve({"models": [{"name": "NHITS", "transform": "sqrt"}]})


def test_a_run_trains_back_tests_and_forecasts_with_it(tmp_path: Path) -> None:
    y = np.exp(np.linspace(1, 2, 24))
    history = table(a=list(y), b=list(3 * y))
    history.to_parquet(tmp_path / "data.parquet", index=False)
    models = [{"name": "Drift", "model": "RandomWalkWithDrift", "transform": "log"}]
    asked = {"models": models, "baselines": [], "horizon": 3, "n_windows": 2, "freq": 1}
    settings = resolve({**asked, "season_length": 1, "input_size": 4})
    (tmp_path / "config.yaml").write_text(dump(settings), encoding="utf-8")
    run = RunPaths(tmp_path)
    back_test = Fit(run, "Drift", 0)
    cross_validate(back_test, lambda *_: None)
    cv = pd.read_parquet(back_test.product_path)
    # Drift of the logarithm follows exponential growth, drift of the values does not.
    assert cv["Drift"].to_numpy() == pytest.approx(cv["y"].to_numpy(), rel=1e-6)
    folder = run.model("Drift")
    train_model(Fit(run, "Drift"), lambda *_: None)
    assert (folder / "transform.json").is_file()
    loaded = load_yaml(tmp_path / "config.yaml")
    assert [spec.transform for spec in specs(loaded)] == ["log"]
    ((_, frame),) = forecasts(loaded, Data(history), {"Drift": folder})
    growth = np.exp(1 / 23)
    expected = [y[-1] * growth**step for step in (1, 2, 3)]
    assert frame.loc[frame["unique_id"] == "a", "Drift"].tolist() == pytest.approx(expected)
