"""Large runs are predicted in shards, with the same forecasts as in one job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from running import contents, snakemake

from forerun.base.yaml_files import load_yaml, to_yaml
from forerun.forecasting import predict, shards, training
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths


def check_same(found: Path, expected: Path) -> None:
    """Compare forecasts; a network's last bits depend on the size of its batches."""
    names = sorted(path.name for path in expected.glob("*.csv"))
    assert sorted(path.name for path in found.glob("*.csv")) == names
    for name in names:
        pd.testing.assert_frame_equal(
            pd.read_csv(found / name), pd.read_csv(expected / name), rtol=1e-6, obj=name
        )
    exact = "SeasonalNaive.csv"
    assert (found / exact).read_bytes() == (expected / exact).read_bytes()


def test_a_sealed_run_is_predicted_in_shards(run_copy: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.move(run_copy / "predictions", whole)
    before = contents(run_copy)
    asked = ("runs/trained/predictions", "--config", "shard_size=2")
    done = snakemake(tmp_path, *asked, configfile=None)
    assert done.returncode == 0, done.stderr[-5000:]
    check_same(run_copy / "predictions", whole)
    logs = sorted(path.name for path in (run_copy / "logs" / "predict_shard").iterdir())
    assert logs == ["1-of-2.log", "2-of-2.log"]
    assert not list(run_copy.glob("shard_*"))
    after = contents(run_copy)
    assert {name for name in before if after.get(name) != before[name]} <= {
        "logs/predict_run.log",
        "benchmarks/predict_run.tsv",
        "checksums/predictions.json",
    }
    again = snakemake(tmp_path, *asked, configfile=None)
    assert "Nothing to be done" in again.stderr + again.stdout


def check_shards_of_one_series(run: Path, settings: dict[str, Any], home: Path) -> list[Path]:
    """Predict an unsealed run in shards of one series, and as a whole; return the shards."""
    (run / "config.yaml").write_text(to_yaml(settings))
    given = {
        "config": str(run / "config.yaml"),
        "data": str(run / "data.parquet"),
        "models": [str(path) for path in (run / "models").iterdir()],
        "leaderboard": str(run / "leaderboard.csv"),
    }
    items = shards.names(run, settings, 1)
    folders = [home / item for item in items]
    for item, folder in zip(items, folders, strict=True):
        predict.write_shard(**given, folder=str(folder), shard=item, size=1)
    predict.write(**given, folder=str(home / "together"), shards=list(map(str, folders)))
    predict.write(**given, folder=str(home / "whole"))
    check_same(home / "together", home / "whole")
    return folders


def test_intervals_of_shards_use_all_series(run_copy: Path, tmp_path: Path) -> None:
    (run_copy / "SEALED").unlink()
    settings = load_yaml(run_copy / "config.yaml") | {"levels": [80, 95]}
    check_shards_of_one_series(run_copy, settings, tmp_path)
    header = (tmp_path / "together" / "NHITS.csv").read_text().splitlines()[0]
    assert header == "unique_id,ds,NHITS-lo-95,NHITS-lo-80,NHITS,NHITS-hi-80,NHITS-hi-95"


def test_models_that_forecast_all_series_together_are_not_split(
    run_copy: Path, tmp_path: Path
) -> None:
    for name in ("SEALED", "ensemble.json"):  # scores do not include the model that is added here
        (run_copy / name).unlink()
    settings = load_yaml(run_copy / "config.yaml")
    together = {"name": "TSMixer", "engine": "neuralforecast", "model": "TSMixer"}
    settings["models"] = [*settings["models"], together | {"params": {}, "exogenous": False}]
    (run_copy / "config.yaml").write_text(to_yaml(settings))
    training.train_model(Fit(RunPaths(run_copy), "TSMixer"), progress=lambda *_: None)
    parts = check_shards_of_one_series(run_copy, settings, tmp_path)
    assert (tmp_path / "together" / "TSMixer.csv").is_file()
    for part in parts:
        names = sorted(path.name for path in part.iterdir())
        assert names == [
            "DLinear.parquet",
            "NHITS.parquet",
            "SeasonalNaive.parquet",
            "refused.json",
        ]
