"""Pretrained networks: checks of folders, forecasts, covariates, fine-tuning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny_weights
from lazily import lazily

from forerun.base.errors import UserError
from forerun.config import pretrained as arguments
from forerun.config.models import ModelSpec, specs
from forerun.config.settings import resolve
from forerun.config.weight_folders import checksums, note, refuse_unusable
from forerun.data import prepare, split
from forerun.forecasting.engines.base import Data, ForecastError

pretrained = lazily("forerun.forecasting.engines.pretrained")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

HORIZON, LENGTH = 4, 40
NAMES = (*tiny_weights.MAKERS, "Fracast")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return tiny_weights.folders(tmp_path_factory.mktemp("weights"))


def table(series: int = 3, length: int = LENGTH) -> pd.DataFrame:
    random, frames = np.random.default_rng(3), []
    for number in range(series):
        steps = np.arange(length + HORIZON)
        y = 20 + 5 * number + 3 * np.sin(np.pi * steps / 2) + random.normal(0, 0.3, len(steps))
        hist = np.where(steps < length, random.normal(size=len(steps)), np.nan)
        columns = {"y": np.where(steps < length, y, np.nan), "hist": hist}
        columns |= {"futr": random.normal(size=len(steps))}
        frames.append(pd.DataFrame({"unique_id": f"s{number}", "ds": steps} | columns))
    return pd.concat(frames, ignore_index=True)


def resolved(
    name: str, weights: Path | str, more: dict[str, Any] | None = None, **keys: Any
) -> Any:
    item = {"name": name, "params": {"weights": str(weights)} | (more or {})}
    keys = {"models": [item], "baselines": [], "freq": 1, "season_length": 4, "levels": [80]} | keys
    return resolve({"horizon": HORIZON, "n_windows": 2, "input_size": 8, **keys})


def run_data(settings: dict[str, Any], frame: pd.DataFrame | None = None) -> Data:
    frame = table() if frame is None else frame
    if not settings["futr_exog"]:
        frame = frame[frame["y"].notna()]
    return Data(*split(prepare(frame, settings).frame, settings))


def fitted(settings: dict[str, Any], data: Data | None = None) -> pretrained.Fitted:
    return pretrained.fit(specs(settings)[0], settings, data or run_data(settings), lambda *_: None)


@pytest.mark.parametrize("name", NAMES)
def test_every_model(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """A loaded model has the same forecasts; no weights are copied."""
    settings = resolved(name, folders[name], levels=[50, 80, 95])
    spec, data = specs(settings)[0], run_data(settings)
    assert spec.engine == "pretrained"
    model = fitted(settings, data)
    frame = pretrained.predict(model, settings, data)
    pretrained.save(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
    assert str(folders[name]) not in (tmp_path / "model.json").read_text()
    loaded = pretrained.load(spec, settings, tmp_path)
    again = pretrained.predict(loaded, settings, data)
    pd.testing.assert_frame_equal(frame, again, check_exact=True)
    assert frame["ds"].tolist() == [40, 41, 42, 43] * 3
    # Quantiles of 0.1 to 0.9: the interval of 95 % comes from the cross-validation instead.
    sides = [f"{name}-{side}-{level}" for level in (50, 80) for side in ("lo", "hi")]
    assert list(frame.columns) == ["unique_id", "ds", name, *sides]
    alone = run_data(settings, table().query("unique_id == 's1'"))
    one = pretrained.predict(model, settings, alone)[name]
    np.testing.assert_allclose(one, frame.loc[4:7, name], rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_each_cutoff_is_forecast_from_the_data_before_it(
    name: str, folders: dict[str, Path]
) -> None:
    """A spike after the first cutoff changes the second window only, which predict confirms."""
    settings = resolved(name, folders[name])
    honest, planted = run_data(settings), run_data(settings)
    planted.history.loc[planted.history["ds"] > 31, "y"] += 1e4
    spec = specs(settings)[0]
    frames = [
        pretrained.cross_validate(spec, settings, data, 2, lambda *_: None).sort_values(
            ["unique_id", "cutoff", "ds"], ignore_index=True
        )
        for data in (honest, planted)
    ]
    first, second = (frame[frame["cutoff"] == 31] for frame in frames)
    np.testing.assert_array_equal(first[name], second[name])
    later = [frame.loc[frame["cutoff"] == 35, name] for frame in frames]
    assert not np.allclose(*later)
    assert frames[0]["y"].tolist() == honest.history.query("ds > 31")["y"].tolist()
    before = Data(honest.history.query("ds <= 35"))
    own = pretrained.predict(fitted(settings, before), settings, before)
    np.testing.assert_allclose(later[0], own[name], rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_short_constant_and_large_series(name: str, folders: dict[str, Path]) -> None:
    """A single value is enough; Fracast needs eight and gives shorter series their last value."""
    y = {"long": 5 + np.sin(np.arange(30)), "one": [7.0], "flat": [3.0] * 20, "big": [1e12] * 9}
    frame = pd.concat(
        pd.DataFrame({"unique_id": key, "ds": range(len(values)), "y": values})
        for key, values in y.items()
    )
    settings = resolved(name, folders[name])
    data = Data(frame.sort_values(["unique_id", "ds"], ignore_index=True))
    found = pretrained.predict(fitted(settings, data), settings, data).set_index("unique_id")
    assert np.isfinite(found[[name, f"{name}-lo-80", f"{name}-hi-80"]]).all(axis=None)
    if name == "Fracast":
        assert found.loc["one", name].tolist() == [7.0] * HORIZON
        assert data.kept["fallback"]["unique_id"].tolist() == ["one"]


def test_both_kinds_of_covariates_change_the_forecast(folders: dict[str, Path]) -> None:
    settings = resolved("Chronos2", folders["Chronos2"], hist_exog=["hist"], futr_exog=["futr"])
    model, data = fitted(settings), run_data(settings)
    usual = pretrained.predict(model, settings, data)["Chronos2"]
    for column in ("hist", "futr"):
        other = run_data(settings)
        other.history[column] = other.history[column][::-1].to_numpy()
        assert not np.allclose(usual, pretrained.predict(model, settings, other)["Chronos2"])
    data.future = data.future.assign(futr=data.future["futr"] + 3)  # type: ignore[union-attr]
    assert not np.allclose(usual, pretrained.predict(model, settings, data)["Chronos2"])
    data.future = None
    with pytest.raises(UserError, match="Chronos2 needs the values of futr"):
        pretrained.predict(model, settings, data)
    item = {"name": "ChronosBolt", "params": {"weights": "/x"}, "exogenous": True}
    with pytest.raises(UserError, match="ChronosBolt uses no such columns"):
        resolve({"models": [item], "futr_exog": ["futr"], "horizon": 4})


def test_context_length(folders: dict[str, Path]) -> None:
    """Values before the last 8 steps are not used."""
    settings = resolved("ChronosBolt", folders["ChronosBolt"], {"context_length": 8})
    model, data, other = fitted(settings), run_data(settings), run_data(settings)
    other.history.loc[other.history["ds"] < LENGTH - 8, "y"] = 0
    frames = [pretrained.predict(model, settings, each) for each in (data, other)]
    pd.testing.assert_frame_equal(*frames)
    settings = resolved("ChronosBolt", folders["ChronosBolt"], {"context_length": 49})
    with pytest.raises(UserError, match="at most 48 past steps; context_length is 49"):
        refuse_unusable(settings)
    settings = resolved("TimesFM", folders["TimesFM"], gap=5)
    with pytest.raises(UserError, match="forecasts at most 8 steps; horizon and gap are 9"):
        refuse_unusable(settings)


TUNE = {"max_steps": 3, "learning_rate": 0.01, "batch_size": 8}


@pytest.mark.parametrize("lora", [False, pytest.param(True, marks=pytest.mark.long)])
def test_fine_tuned_weights_are_the_model(
    lora: bool, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Forecasts differ from zero-shot, are reproducible, and need no pretrained weights."""
    own = shutil.copytree(folders["Chronos2"], tmp_path / "own")
    settings = resolved("Chronos2", own, TUNE | {"lora": lora}, futr_exog=["futr"])
    data, spec, seen = run_data(settings), specs(settings)[0], []
    model = pretrained.fit(spec, settings, data, lambda step, most, loss: seen.append(step))
    assert seen == [0, 1, 2, 3]
    frame = pretrained.predict(model, settings, data)
    plain = resolved("Chronos2", own, futr_exog=["futr"])
    assert not np.allclose(
        frame["Chronos2"], pretrained.predict(fitted(plain), plain, data)["Chronos2"]
    )
    second = pretrained.predict(fitted(settings, data), settings, data)
    pd.testing.assert_frame_equal(frame, second, check_exact=True)
    (tmp_path / "model").mkdir()
    pretrained.save(model, tmp_path / "model")
    shutil.rmtree(own)
    again = pretrained.predict(pretrained.load(spec, settings, tmp_path / "model"), settings, data)
    pd.testing.assert_frame_equal(frame, again)
    saved = [str(path.relative_to(tmp_path / "model")) for path in tmp_path.rglob("*.*")]
    assert sorted(saved) == ["model.json", "weights/config.json", "weights/model.safetensors"]
    assert note(spec) == "fine-tuned for 3 steps; may have seen these data"


@pytest.mark.long  # the quick test of leaks is that of models without fine-tuning
def test_fine_tuning_sees_no_window(folders: dict[str, Path]) -> None:
    settings = resolved("Chronos2", folders["Chronos2"], TUNE)
    spec, frames = specs(settings)[0], []
    for plant in (0, 1e4):
        data = run_data(settings)
        data.history.loc[data.history["ds"] > 31, "y"] += plant
        found = pretrained.cross_validate(spec, settings, data, 2, lambda *_: None)
        frames.append(found[found["cutoff"] == 31]["Chronos2"].to_numpy())
    np.testing.assert_array_equal(*frames)
    settings["on_short"] = "pad"
    short = run_data(settings, table(length=12))  # four steps before the windows
    with pytest.raises(ForecastError, match="no series has the 8 steps"):
        pretrained.cross_validate(spec, settings, short, 2, lambda *_: None)


def test_changed_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    own = shutil.copytree(folders["ChronosBolt"], tmp_path / "own")
    settings = resolved("ChronosBolt", own)
    (tmp_path / "model").mkdir()
    pretrained.save(fitted(settings), tmp_path / "model")
    spec = specs(settings)[0]
    pretrained.load(spec, settings, tmp_path / "model")
    before = checksums(own)
    tiny_weights.chronos_bolt(own, seed=2)
    assert [line[66:] for line in before] == ["config.json", "model.safetensors"]
    assert [a == b for a, b in zip(before, checksums(own), strict=True)] == [True, False]
    with pytest.raises(UserError, match="are missing or changed since the fit"):
        pretrained.load(spec, settings, tmp_path / "model")
    shutil.rmtree(own)
    with pytest.raises(UserError, match="are missing or changed since the fit"):
        pretrained.load(spec, settings, tmp_path / "model")


def test_nothing_but_a_folder_with_safetensors_is_used(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    def refusal(name: str = "ChronosBolt") -> str:
        with pytest.raises(UserError) as error:
            refuse_unusable(resolved(name, own))
        return str(error.value)

    own = tmp_path / "own"
    assert "does not exist; fetch it with: hf download amazon/chronos-bolt-base" in refusal()
    own.mkdir()
    assert "has no config.json" in refusal()
    shutil.copy(folders["ChronosBolt"] / "config.json", own)
    assert "has no *.safetensors" in refusal()
    (own / "pytorch_model.bin").write_bytes(b"pickle")
    assert "has only pytorch_model.bin, which can execute code" in refusal()
    shutil.copy(folders["ChronosBolt"] / "model.safetensors", own)
    refuse_unusable(resolved("ChronosBolt", own))
    assert "does not hold a Chronos2: chronos_pipeline_class is" in refusal("Chronos2")
    (own / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/"}))
    assert "is an adapter" in refusal()


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({}, "weights must be the folder of Chronos2's weights; fetch it with: hf download"),
        ({"weights": "amazon/chronos-2-small"},
         "nothing is downloaded here: give a folder; fetch it with: "
         "hf download amazon/chronos-2-small --local-dir chronos-2-small"),
        ({"weights": "s3://bucket/chronos-2"}, "a name of a hub or an address"),
        ({"weights": "/x", "context_length": 0}, "it must be an integer of 1 or more"),
        ({"weights": "/x", "lora": True}, "lora is for fine-tuning, which needs max_steps"),
        ({"weights": "/x", "learning_rate": 0.1}, "which needs max_steps"),
        ({"weights": "/x", "lora": 3}, "it must be true or false"),
        ({"weights": "/x", "input_size": 3}, "Chronos2 has no argument 'input_size'"),
    ],
)  # fmt: skip
def test_arguments_are_checked_before_anything_starts(params: dict[str, Any], wrong: str) -> None:
    item = {"name": "Mine", "model": "Chronos2", "params": params}
    with pytest.raises(UserError, match=wrong):
        resolve({"models": [item], "horizon": 4})


def test_only_chronos_2_is_fine_tuned() -> None:
    for name in ("ChronosBolt", "TimesFM", "Fracast"):
        assert arguments.problems(name, {"weights": "/x", "max_steps": 3}) == [
            f"{name} cannot be fine-tuned (max_steps), only Chronos2 can; leave it out"
        ]


def test_the_network_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regardless of the job's environment."""
    from huggingface_hub import constants

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    spec = ModelSpec("ChronosBolt", "pretrained", "ChronosBolt", {"weights": "/nowhere"})
    with pytest.raises(OSError, match="nowhere"):
        pretrained.fit(spec, {"accelerator": "cpu"}, run_data(resolved("ChronosBolt", "/x")), print)
    assert constants.HF_HUB_OFFLINE is True
