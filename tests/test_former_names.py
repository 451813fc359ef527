"""Runs in which ``per_series`` is still called ``best``."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from running import PROJECT, contents, snakemake

from forerun import open_run
from forerun.base.files import write_text
from forerun.cli.app import run as call
from forerun.config.names import COMBINED, RESERVED, current, current_columns, spellings
from forerun.report.run_report import write_report
from forerun.runs.listing import read_run
from forerun.runs.seal import frozen_files, verify
from forerun.runs.tables import read_cv_results


def test_columns_and_rows_are_renamed_and_nothing_else() -> None:
    assert current("best") == "per_series"
    assert current("best-lo-80") == "per_series-lo-80"
    assert current("best-hi-99.5") == "per_series-hi-99.5"
    assert [current(n) for n in ("best_2", "bestest", "best-of-all", "NHITS", "ensemble")] == [
        "best_2", "bestest", "best-of-all", "NHITS", "ensemble",
    ]  # fmt: skip
    assert current_columns(["unique_id", "best", "NHITS"]) == {"best": "per_series"}
    assert current_columns(["best", "per_series"]) == {}  # an ordinary model had that name
    assert spellings("per_series") == ["per_series", "best"]
    assert set(COMBINED) | {"best"} <= RESERVED


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The sealed run of version 0.1."""
    with tarfile.open(PROJECT / "tests" / "earlier" / "runs_0.1.tar.gz") as archive:
        archive.extractall(tmp_path / "runs", filter="data")
    return tmp_path / "runs" / "sealed"


def test_every_reader_uses_the_new_name(former: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = open_run(former)
    assert list(run.leaderboard["model"])[:3] == ["SeasonalNaive", "per_series", "ensemble"]
    assert "per_series" in run.metrics
    assert "best" not in run.metrics
    for name in ("per_series", "best"):
        assert "per_series-lo-80" in run.cv_results_of(name)
        assert list(run.predictions_of(name)["per_series"].notna()) == [True] * 12
    assert {"per_series", "per_series-hi-95", "chosen"} <= set(run.predictions)
    row = read_run(former)
    assert (row.best, row.best_model) == ("SeasonalNaive", "SeasonalNaive")
    where = ["--directory", str(former.parents[1])]
    for command in (["show", "sealed"], ["list-runs"], ["verify", "sealed"]):
        assert call([*command, *where]) == 0
    out = capsys.readouterr().out
    assert "per_series" in out
    assert not re.search(r"\bbest\b", out)
    page = write_report(former, former.parent / "page.html").read_text()
    assert '<th scope="row">per_series</th>' in page
    assert '<th scope="row">best</th>' not in page
    assert verify(former) == {"missing": [], "changed": [], "extra": []}


def test_the_best_single_model_is_named_beside_a_leading_combination(
    former: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = former / "leaderboard.csv"
    head, first, second, *rest = board.read_text().splitlines()
    write_text(
        board, "\n".join([head, second.replace("best,2,0.414", "best,1,0.314"), first, *rest])
    )
    row = read_run(former)
    assert (row.best, row.best_model) == ("per_series", "SeasonalNaive")
    assert call(["list-runs", "--directory", str(former.parents[1])]) == 0
    assert re.search(r"SeasonalNaive +per_series +0\.31", capsys.readouterr().out)
    words = write_report(former, former.parent / "page.html").read_text()
    assert "<dt>Best model</dt><dd>SeasonalNaive<small>MAE 0.4144</small></dd>" in words
    assert "<dt>Leader</dt><dd>per_series<small>models combined</small></dd>" in words
    assert "best single model is <strong>SeasonalNaive</strong>: MAE 0.4144" in words


@pytest.mark.slow
def test_a_sealed_run_of_version_0_1_forecasts_and_is_not_changed(former: Path) -> None:
    before = {name: (former / name).read_bytes() for name in [*frozen_files(former), "SEALED"]}
    old = open_run(former).predictions_of("per_series")
    home, target = former.parents[1], "runs/sealed/predictions"
    done = snakemake(home, "-R", "predict_run", "--", target, configfile=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (former / "predictions" / "best.csv").exists()
    again = open_run(former).predictions_of("per_series")
    pd.testing.assert_frame_equal(old[again.columns], again)  # in another order
    tidy = pd.read_csv(former / "predictions" / "all.csv")
    assert set(tidy["model"]) == {*COMBINED, "NHITS", "DLinear", "SeasonalNaive"}
    assert list(tidy.columns[2:]) == ["model", "lo-95", "lo-80", "point", "hi-80", "hi-95"]
    assert {name: (former / name).read_bytes() for name in before} == before


@pytest.mark.slow
def test_an_unfinished_run_of_version_0_1_is_completed_with_the_new_name(former: Path) -> None:
    (former / "SEALED").unlink()
    fits = {k: v for k, v in contents(former).items() if k.startswith(("models/", "parts/"))}
    done = snakemake(former.parents[1], "runs/sealed/predictions", configfile=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (former / "cv_results_best.csv").exists()
    assert "per_series" in read_cv_results(former / "cv_results_per_series.csv")
    assert "per_series" in json.loads((former / "ensemble.json").read_text())
    assert {"per_series", "ensemble"} <= set(pd.read_csv(former / "leaderboard.csv")["model"])
    assert verify(former) == {"missing": [], "changed": [], "extra": []}
    now = contents(former)
    assert {name: now[name] for name in fits} == fits  # nothing was trained again
