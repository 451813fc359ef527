"""Models without forecasts, and networks worse than the naive forecast, are reported everywhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from synthetic import make_run

from forerun.api import open_run
from forerun.base.files import write_csv
from forerun.cli.app import run as forerun
from forerun.evaluation import cautions
from forerun.report import write_report
from forerun.runs.state import NO_FORECAST


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of NHITS without forecasts and NBEATS, which is worse than SeasonalNaive."""
    folder = make_run(tmp_path / "runs", models=3)
    board = pd.read_csv(folder / "leaderboard.csv").set_index("model")
    board["reason"] = board["reason"].astype(object)
    board.loc["NHITS", ["status", "reason"]] = [NO_FORECAST, "it needs the values of promo"]
    board.loc[:, "mae"] = 2.0
    board.loc["NBEATS", "mae"] = 1881.0
    write_csv(folder / "leaderboard.csv", board.reset_index())
    return folder


def test_cautions_name_the_models(run: Path) -> None:
    first, second = cautions.of_run(run)
    assert first == "NHITS has no forecasts: it needs the values of promo"
    assert second.startswith("NBEATS is worse than SeasonalNaive: MAE 1,881 against 2.000;")


def test_cautions_name_series_with_the_naive_forecast(run: Path) -> None:
    board = pd.read_csv(run / "leaderboard.csv").set_index("model")
    board.loc["SeasonalNaive", "reason"] = "naive forecast for series 'a', too short"
    write_csv(run / "leaderboard.csv", board.reset_index())
    assert "SeasonalNaive: naive forecast for series 'a', too short" in cautions.of_run(run)


def test_models_without_forecasts_in_a_run_of_an_earlier_version(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs", models=2)
    assert not [line for line in cautions.of_run(folder) if "no forecasts" in line]
    (folder / "predictions" / "NHITS.csv").unlink()
    lines = [line for line in cautions.of_run(folder) if "no forecasts" in line]
    assert len(lines) == 1
    assert lines[0].startswith("NHITS has no forecasts in predictions/")


@pytest.mark.parametrize("damage", ["", "model\n", "model,status\nNHITS\n", "\0"])
def test_a_damaged_leaderboard_is_ignored(run: Path, damage: str) -> None:
    (run / "leaderboard.csv").write_text(damage)
    cautions.of_run(run)


def test_show_report_and_card_include_them(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent.parent)
    assert forerun(["show", run.name]) == 0
    pages = [
        capsys.readouterr().out,
        write_report(run).read_text(encoding="utf-8"),
        open_run(run)._repr_html_(),
    ]
    for page in pages:
        assert "NHITS has no forecasts: it needs the values of promo" in page
        assert "NBEATS is worse than SeasonalNaive" in page
