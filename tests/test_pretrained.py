"""Whole runs with pretrained models."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
import tiny_weights
import yaml
from running import PROJECT, forerun

from forerun.config.frozen import read_frozen
from forerun.runs.seal import verify
from forerun.runs.state import is_sealed

NOTE = "zero-shot; may have seen these data"


@pytest.mark.long  # test_weights.py freezes, fits and forecasts without Snakemake
@pytest.mark.slow
def test_a_whole_run(tmp_path: Path) -> None:
    """Fracast, trained by others, beats SeasonalNaive; a random Chronos-2 does not."""
    chronos = tiny_weights.chronos_2(tmp_path / "models" / "chronos-2")
    models = [
        {"name": "Fracast", "params": {"weights": str(tiny_weights.fracast())}},
        {"name": "Random", "model": "Chronos2", "params": {"weights": "models/chronos-2"}},
        {
            "name": "Tuned",
            "model": "Chronos2",
            "params": {"weights": str(chronos), "max_steps": 3, "batch_size": 8},
        },
    ]
    asked = {"models": models, "baselines": ["SeasonalNaive"], "horizon": 12, "n_windows": 2}
    asked |= {"levels": [80, 95], "plot_series": 1, "calendar": ["fourier:1"]}
    asked |= {"data_file": str(PROJECT / "data" / "us_employment_monthly.csv")}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(asked))
    done = forerun(tmp_path, "train", "-r", "r", "-c", "c.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "runs" / "r"
    assert is_sealed(run)
    table = pd.read_csv(run / "leaderboard.csv").set_index("model")
    assert table.loc["Fracast", "mae"] < table.loc["SeasonalNaive", "mae"]
    assert table.loc["Fracast", "reason"] == NOTE
    assert table.loc["Random", "reason"].startswith(NOTE)
    assert table.loc["Tuned", "reason"].startswith("fine-tuned for 3 steps; may have seen")
    assert f"Fracast: {NOTE}" in done.stderr
    assert NOTE in (run / "report.html").read_text()
    assert set(read_frozen(run / "config.yaml")["pretrained"]) == {"Fracast", "Random", "Tuned"}
    saved = {path.name for path in (run / "models" / "Random").iterdir()}
    assert not saved & {"weights", "model.safetensors"}
    forecast = pd.read_csv(run / "predictions" / "Fracast.csv")
    sides = [f"Fracast-{side}-{level}" for level in (80, 95) for side in ("lo", "hi")]
    assert forecast[["Fracast", *sides]].notna().all(axis=None)
    shutil.rmtree(chronos)
    done = forerun(tmp_path, "predict", "--run-id", "r", "--models", "Tuned")
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(run / "predictions")
    done = forerun(tmp_path, "predict", "--run-id", "r")
    assert done.returncode != 0
    assert "weights of Random in" in done.stdout + done.stderr
    assert verify(run) == {"changed": [], "missing": [], "extra": []} or not verify(run)


def test_a_name_of_a_hub_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "models: [{name: Chronos2, params: {weights: amazon/chronos-2}}]\n"
    )
    done = forerun(tmp_path, "train", "-r", "r", "-c", "c.yaml")
    assert done.returncode == 2
    assert "hf download amazon/chronos-2 --local-dir chronos-2" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    (tmp_path / "c.yaml").write_text(
        "models: [{name: Chronos2, params: {weights: /nowhere/chronos-2}}]\n"
    )
    done = forerun(tmp_path, "train", "-r", "r", "-c", "c.yaml")
    assert done.returncode == 2
    assert "weights of Chronos2: '/nowhere/chronos-2' does not exist; fetch it" in done.stderr
    assert not (tmp_path / "runs" / "r").exists()
