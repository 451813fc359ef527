"""Reproduction of a run from its configuration and data, and comparison."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from running import contents

from forerun.base.errors import UserError
from forerun.base.files import read_json, write_json
from forerun.cli.app import run as forerun
from forerun.forecasting.reproduce import compare, largest_difference, prepare


@pytest.mark.long  # test_docs.py reproduces a run, test_workflow.py compares networks to the byte
@pytest.mark.slow
def test_the_same_machine_gives_the_same_run(
    run_copy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run_copy.parents[1])
    before = contents(run_copy)
    code = forerun(["reproduce", "trained"])
    output = capfd.readouterr().out
    assert code == 0, output
    for line in ("configuration: identical", "data: identical", "versions: identical"):
        assert line in output
    assert "models: identical" in output
    assert "run trained is reproduced: identical to the last digit" in output
    assert contents(run_copy) == before


def test_differences_are_reported_with_their_size(run_copy: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run_copy, again)
    metrics = pd.read_csv(again / "metrics.csv")
    metrics.loc[0, "NHITS"] += 0.25
    metrics.to_csv(again / "metrics.csv", index=False)
    (again / "predictions" / "DLinear.csv").unlink()
    model = next((again / "models" / "NHITS").glob("*.safetensors"))
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    noted = read_json(run_copy / "provenance.json")
    noted["versions"]["numpy"] = "1.0.0"
    write_json(run_copy / "provenance.json", noted)
    found = compare(run_copy, again)
    assert found.differences.pop("predictions/DLinear.csv") == float("inf")
    assert found.differences == {"metrics.csv": pytest.approx(0.25)}
    assert found.models == ["NHITS"]
    found.versions.pop("commit", None)  # the project may be edited during the test
    assert found.versions == {"numpy": ("1.0.0", pytest.importorskip("numpy").__version__)}
    assert not found.identical
    then, now = found.scores["NHITS"][metrics.loc[0, "metric"]]
    assert now - then == pytest.approx(0.25 / 3)  # the mean over three series


def test_equal_tables_have_no_difference(run_copy: Path) -> None:
    found = compare(run_copy, run_copy)
    assert found.identical
    assert (found.configuration, found.models, found.largest) == ([], [], 0.0)
    assert found.table == "same"


def test_numbers_that_are_missing_in_one_table_only_differ(tmp_path: Path) -> None:
    then, now = tmp_path / "a.csv", tmp_path / "b.csv"
    then.write_text("unique_id,x,y\na,1.0,\nb,2.0,3\n")
    now.write_text("unique_id,x,y\na,1.5,\nb,2.0,3\n")
    assert largest_difference(then, now) == 0.5
    now.write_text("unique_id,x,y\na,,\nb,2.0,3\n")
    assert largest_difference(then, now) == float("inf")
    now.write_text("unique_id,x,y\nc,1.0,\nb,2.0,3\n")
    assert largest_difference(then, now) == float("inf")


def test_a_damaged_or_unfinished_run_is_refused(run_copy: Path, tmp_path: Path) -> None:
    data = (run_copy / "data.parquet").read_bytes()
    (run_copy / "data.parquet").write_bytes(data + b"x")
    with pytest.raises(UserError, match=r"damaged .*data\.parquet"):
        prepare(run_copy, tmp_path / "1")
    (run_copy / "SEALED").unlink()
    (run_copy / "metrics.csv").unlink()
    with pytest.raises(UserError, match="no metrics to compare with"):
        prepare(run_copy, tmp_path / "2")
    (run_copy / "data.parquet").unlink()
    with pytest.raises(UserError, match=r"data\.parquet missing"):
        prepare(run_copy, tmp_path / "3")
