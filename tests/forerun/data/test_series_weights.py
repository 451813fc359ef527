"""Weights of series: read, checked and frozen with the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.base.files import read_json, sha256
from forerun.config.settings import resolve
from forerun.data import series_weights
from forerun.forecasting.freeze import freeze
from forerun.runs.state import same_table

FRAME = pd.DataFrame({"unique_id": ["a", "a", "007"], "ds": [1, 2, 1], "y": 1.0})


def added(tmp_path: Path, content: str, **more: Any) -> tuple[pd.DataFrame, list[str]]:
    path = tmp_path / "weights.csv"
    path.write_text(content)
    settings = resolve({"models": ["Naive"], "weights_file": str(path), **more})
    return series_weights.add(FRAME, settings)


def test_weights_become_a_column(tmp_path: Path) -> None:
    frame, notes = added(tmp_path, "weight,unique_id,x\n2,007,1\n0.5,a,1\n9,other,1\n")
    assert frame["series_weight"].tolist() == [0.5, 0.5, 2.0]
    assert notes == [
        "weights_file: series 'other' not in the data, ignored",
        "errors are averaged with the weights of weights_file, from 0.5 to 2",
    ]
    frame, _ = added(tmp_path, "unique_id;weight\na;1,5\n007;0\n")
    assert frame["series_weight"].tolist() == [1.5, 1.5, 0.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("unique_id,weights\na,1\n", "column 'weight' is missing (did you mean 'weights'?)"),
        ("id,weight\na,1\n", "column 'unique_id' is missing"),
        ("unique_id,weight\n", "no rows"),
        ("unique_id,weight\na,1\n", "no weight for series '007'"),
        ("unique_id,weight\nb,1\n", "it has other series than the data (series 'b')"),
        ("unique_id,weight\na,1\n007,1\na,2\n", "several rows for series 'a'"),
        ("unique_id,weight\na,-1\n007,1\n", "the weight of series 'a' is negative"),
        ("unique_id,weight\na,inf\n007,1\n", "the weight of series 'a' is infinite"),
        ("unique_id,weight\na,1e308\n007,1\n", "'a' is outside of 1e-100 to 1e+100"),
        ("unique_id,weight\na,1e-320\n007,0\n", "'a' is outside of 1e-100 to 1e+100"),
        ("unique_id,weight\na,\n007,1\n", "the weight of series 'a' is missing"),
        ("unique_id,weight\na,heavy\n007,1\n", "1 value is not a number, e.g. 'heavy'"),
        ("unique_id,weight\n,1\na,1\n007,1\n", "no 'unique_id' in data row 1"),
        ("unique_id,weight\na,0\n007,0\n", "all weights are 0"),
    ],
)
def test_bad_weights_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        added(tmp_path, content)
    assert message in str(error.value)
    assert str(error.value).startswith(("weights_file: ", "'"))


def test_a_single_series_has_no_weight(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="single series"):
        added(tmp_path, "unique_id,weight\na,1\n", id_col=None)


def test_a_column_cannot_have_the_name_of_the_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reserved name with weights_file"):
        added(tmp_path, "", futr_exog=["series_weight"])


def test_weights_are_frozen_with_their_checksum(tmp_path: Path) -> None:
    rows = [f"{name},2024-01-{day:02d},{day}" for name in "ab" for day in range(1, 21)]
    table, weights = tmp_path / "table.csv", tmp_path / "weights.csv"
    table.write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    weights.write_text("unique_id,weight\na,1\nb,3\n")
    settings = resolve(
        {"models": ["Naive"], "baselines": [], "horizon": 2, "n_windows": 1}
        | {"weights_file": str(weights), "horizon_weight": [2, 1]}
    )
    run = tmp_path / "runs" / "r"
    run.mkdir(parents=True)
    names = {"data": "data.parquet", "provenance": "provenance.json", "config": "config.yaml"}
    freeze(settings, str(table), {key: str(run / name) for key, name in names.items()}, "r")
    frame = pd.read_parquet(run / "data.parquet")
    assert frame.groupby("unique_id")["series_weight"].unique().map(list).to_dict() == {
        "a": [1.0],
        "b": [3.0],
    }
    data = read_json(run / "provenance.json")["data"]
    assert data["tables_sha256"] == {"weights_file": sha256(weights)}
    assert "errors of a window are averaged with the weights horizon_weight" in data["notes"]
    moved = tmp_path / "moved.csv"
    moved.write_bytes(weights.read_bytes())
    assert same_table(run)(str(weights), str(moved))
    moved.write_text("unique_id,weight\na,1\nb,4\n")
    assert not same_table(run)(str(weights), str(moved))
