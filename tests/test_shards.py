"""Large runs are predicted in shards: the same forecasts as in one job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
from running import contents, snakemake

from forerun import predict, shards
from forerun.yaml_files import load_yaml, to_yaml


def check_same(found: Path, expected: Path) -> None:
    """Compare forecasts: the last of 32 bits of a network depends on the size of its batches."""
    names = sorted(path.name for path in expected.iterdir())
    assert sorted(path.name for path in found.iterdir()) == names
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
    }
    again = snakemake(tmp_path, *asked, configfile=None)
    assert "Nothing to be done" in again.stderr + again.stdout


def test_intervals_of_shards_rest_on_all_series(run_copy: Path, tmp_path: Path) -> None:
    (run_copy / "SEALED").unlink()
    settings = load_yaml(run_copy / "config.yaml") | {"levels": [80, 95]}
    (run_copy / "config.yaml").write_text(to_yaml(settings))
    run = {
        "config": str(run_copy / "config.yaml"),
        "data": str(run_copy / "data.parquet"),
        "models": [str(path) for path in (run_copy / "models").iterdir()],
        "leaderboard": str(run_copy / "leaderboard.csv"),
    }
    items = shards.names(run_copy, settings, 1)
    folders = [str(tmp_path / item) for item in items]
    for item, folder in zip(items, folders, strict=True):
        predict.write_shard(**run, folder=folder, shard=item, size=1)
    predict.write(**run, folder=str(tmp_path / "together"), shards=folders)
    predict.write(**run, folder=str(tmp_path / "whole"))
    check_same(tmp_path / "together", tmp_path / "whole")
    header = (tmp_path / "whole" / "NHITS.csv").read_text().splitlines()[0]
    assert header == "unique_id,ds,NHITS,NHITS-lo-80,NHITS-hi-80,NHITS-lo-95,NHITS-hi-95"
