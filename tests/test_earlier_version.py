"""Runs of version 0.1 are listed, verified, read, used to forecast, and resumed."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from running import contents, forerun, snakemake

from forerun import open_run
from forerun.cli.app import run

ARCHIVE = Path(__file__).parent / "earlier" / "runs_0.1.tar.gz"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two runs of version 0.1, next to their table."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "runs", filter="data")
    (tmp_path / "runs" / "table.csv").rename(tmp_path / "table.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.mark.usefixtures("runs")
def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list-runs"]) == 0
    listed = capsys.readouterr().out
    assert "sealed" in listed
    assert "unfinished" in listed
    assert run(["show", "sealed"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("NHITS", "DLinear", "SeasonalNaive"))


def test_verify_a_sealed_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "sealed"]) == 0
    metrics = runs / "sealed" / "metrics.csv"
    metrics.write_text(metrics.read_text().replace("mae", "mad"))
    assert run(["verify", "sealed"]) == 1
    assert "metrics.csv" in capsys.readouterr().out


def test_read_tables(runs: Path) -> None:
    opened = open_run(runs / "sealed")
    assert {"NHITS", "DLinear", "SeasonalNaive"} <= set(opened.leaderboard["model"])
    assert opened.leaderboard["mae"].notna().all()
    assert len(opened.cv_results) > 0
    assert set(opened.predictions["unique_id"]) == {"series_0", "series_1", "series_2"}


@pytest.mark.slow
def test_forecasts_are_unchanged(runs: Path) -> None:
    before = contents(runs / "sealed")
    then = pd.read_csv(runs / "sealed" / "predictions" / "NHITS.csv")
    done = snakemake(runs.parent, "runs/sealed/predictions", "-R", "predict_run", configfile=None)
    assert done.returncode == 0, done.stderr[-3000:]
    now = pd.read_csv(runs / "sealed" / "predictions" / "NHITS.csv")
    assert sorted(now) == sorted(then)  # the order of columns has changed since
    pd.testing.assert_frame_equal(now[list(then)], then, rtol=1e-5)
    after = contents(runs / "sealed")
    frozen = json.loads(before["SEALED"])["sha256"]
    assert {name: after[name] for name in frozen} == {name: before[name] for name in frozen}


@pytest.mark.slow
def test_resume_an_unfinished_run(runs: Path) -> None:
    before = contents(runs / "unfinished")
    done = forerun(runs.parent, "train", "--run-id", "unfinished")
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Failing" in done.stdout + done.stderr
    after = contents(runs / "unfinished")
    finished = ["parts/NHITS/final.json", "parts/NHITS/fold_0.json", "parts/AutoETS/final.json"]
    finished += ["config.yaml", "data.parquet", "provenance.json"]
    assert {name: after[name] for name in finished} == {name: before[name] for name in finished}
    board = pd.read_csv(runs / "unfinished" / "leaderboard.csv").set_index("model")["status"]
    assert board["Failing"] == "failed"
    assert set(board.drop("Failing")) == {"ok"}
