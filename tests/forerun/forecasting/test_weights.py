"""The weights of a run are recorded and found by checksum, and refused if they differ."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_weights
from running import write_table

from forerun.base.errors import UserError
from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.config.settings import dump, resolve
from forerun.config.weight_folders import checksums
from forerun.forecasting import weights
from forerun.forecasting.forecasts import forecasts
from forerun.forecasting.freeze import freeze
from forerun.forecasting.training import read_run_data, train
from forerun.jobs import fingerprint
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def bolt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights.chronos_bolt(tmp_path_factory.mktemp("models") / "bolt")


def create(home: Path, folder: Path, run_id: str = "r") -> RunPaths:
    """Freeze a run with one pretrained model."""
    item = {"name": "Bolt", "model": "ChronosBolt", "params": {"weights": str(folder)}}
    data = str(write_table(home / "table.csv"))
    settings = resolve({"models": [item], "baselines": [], "horizon": 4, "n_windows": 1,
                        "input_size": 8, "data_file": data})  # fmt: skip
    run = RunPaths(home / "runs" / run_id)
    run.folder.mkdir(parents=True)
    to = {"data": run.data, "provenance": run.provenance, "config": run.config}
    freeze(settings, data, {key: str(path) for key, path in to.items()}, run_id)
    return run


def predicted(run: RunPaths) -> Any:
    settings = read_frozen(run.config)
    data = read_run_data(run.data, settings)
    ((_, frame),) = forecasts(settings, data, {"Bolt": run.model("Bolt")})
    return frame["Bolt"].to_numpy()


def fitted(home: Path, folder: Path) -> RunPaths:
    run = create(home, folder)
    train(str(run.folder), "Bolt", None, lambda *_: None)
    return run


def test_a_run_records_its_weights_and_refuses_others(bolt: Path, tmp_path: Path) -> None:
    own = shutil.copytree(bolt, tmp_path / "own")
    run = fitted(tmp_path, own)
    assert read_frozen(run.config)["pretrained"] == {"Bolt": checksums(bolt)}
    before = predicted(run)
    tiny_weights.chronos_bolt(own, seed=2)
    with pytest.raises(UserError, match=r"weights of Bolt in '.*/own' were changed: restore model"):
        predicted(run)
    with pytest.raises(UserError, match="were changed"):
        train(str(run.folder), "Bolt", 0, lambda *_: None)
    shutil.rmtree(own)
    with pytest.raises(UserError, match=r"weights of Bolt in '.*/own' are missing"):
        predicted(run)
    shutil.copytree(bolt, own)
    np.testing.assert_array_equal(predicted(run), before)


def test_the_path_in_an_imported_run_is_not_used(
    bolt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it contains the right weights. The user sets the folder, or its parent."""
    run = fitted(tmp_path, bolt)
    before, other = predicted(run), tmp_path / "elsewhere" / "runs"
    other.mkdir(parents=True)
    received = RunPaths(Path(shutil.copytree(run.folder, other / "r")))
    assert str(bolt) in received.config.read_text()
    with pytest.raises(UserError, match="weights of Bolt are not recorded on this machine"):
        predicted(received)
    for folder in (bolt, bolt.parent):
        monkeypatch.setenv("FORERUN_WEIGHTS", os.pathsep.join(["/nowhere", str(folder)]))
        np.testing.assert_array_equal(predicted(received), before)
    monkeypatch.delenv("FORERUN_WEIGHTS")
    weights.take(run.folder.parent, other)  # as `forerun reproduce` does
    np.testing.assert_array_equal(predicted(received), before)


def test_an_imported_adapter_or_link_to_weights_is_not_followed(bolt: Path, tmp_path: Path) -> None:
    """`weights/` in a model's folder contains complete fine-tuned weights, not an adapter."""
    run = fitted(tmp_path, bolt)
    shutil.copytree(bolt, run.model("Bolt") / "weights")
    predicted(run)
    adapter = {"base_model_name_or_path": "/etc", "peft_type": "LORA"}
    (run.model("Bolt") / "weights" / "adapter_config.json").write_text(json.dumps(adapter))
    with pytest.raises(UserError, match="are an adapter"):
        predicted(run)


def test_other_weights_are_another_fit_but_another_folder_is_not(
    bolt: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(bolt, tmp_path / "moved")
    changed = tiny_weights.chronos_bolt(tmp_path / "changed", seed=2)
    keys = []
    for number, folder in enumerate((bolt, moved, changed)):
        run = create(tmp_path, folder, f"r{number}")
        what = fingerprint.ingredients(Fit(run, "Bolt"), read_frozen(run.config), 1)
        keys.append(fingerprint.key(what))
    assert keys[0] == keys[1] != keys[2]


def test_recorded_checksums_that_contradict_the_folder_are_refused(bolt: Path) -> None:
    item = {"name": "Bolt", "model": "ChronosBolt", "params": {"weights": str(bolt)}}
    settings = resolve({"models": [item], "baselines": [], "horizon": 4})
    assert weights.recorded(settings) == {"Bolt": checksums(bolt)}
    assert weights.recorded(resolve({"horizon": 4})) is None
    copied = resolve({**settings, "pretrained": {"Bolt": ["0  config.json"]}})
    assert resolve(dict(copied)) == copied
    assert "0  config.json" in dump(copied)
    with pytest.raises(UserError, match="has other checksums than the setting pretrained"):
        weights.recorded(copied)
    assert specs(settings)[0].is_network
