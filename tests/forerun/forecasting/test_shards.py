"""Shards of a large run and their series."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from synthetic import make_run

from forerun.base.files import write_json
from forerun.base.yaml_files import load_yaml
from forerun.forecasting import shards
from forerun.forecasting.training import read_run_data


def test_each_series_is_complete_in_exactly_one_shard(tmp_path: Path) -> None:
    names = ["a", "B", "é", "a,b", "zz", "10", "9", "a b", "Ω", "𝛼", "b"]
    run = make_run(tmp_path, models=1, names=names)
    settings = load_yaml(run / "config.yaml")
    # Small row groups, so that series cross their boundaries.
    pd.read_parquet(run / "data.parquet").to_parquet(run / "data.parquet", row_group_size=100)
    items = shards.names(run, settings, 4)
    assert items == ["1-of-3", "2-of-3", "3-of-3"]
    parts = [shards.read_shard(run / "data.parquet", settings, item, 4).history for item in items]
    assert [part["unique_id"].nunique() for part in parts] == [4, 4, 3]
    whole = read_run_data(run / "data.parquet", settings).history
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_small_and_multivariate_runs_have_no_shards(tmp_path: Path) -> None:
    run = make_run(tmp_path, models=1, series=6)
    settings = load_yaml(run / "config.yaml")
    assert shards.names(run, settings, 6) == []
    assert len(shards.names(run, settings, 5)) == 2
    together = {"name": "TSMixer", "engine": "neuralforecast", "model": "TSMixer"}
    assert shards.names(run, settings | {"models": [together], "baselines": []}, 1) == []
    assert len(shards.names(run, settings | {"models": [together]}, 1)) == 6
    for claimed in ({}, {"series": 1}, {"series": 10**15}, {"series": "many"}):
        write_json(run / "provenance.json", {"data": claimed})  # depends on the data
        assert len(shards.names(run, settings, 1)) == 6
