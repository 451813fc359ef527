"""Runs whose models lack future values: refused, or back-tested and reported."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import running
from running import contents, files

from forerun.cli.app import run as forerun

CONFIG = """
data_file: table.csv
horizon: 3
input_size: 6
n_windows: 2
futr_exog: [promo]
levels: [80]
plot_series: 1
models: [{name: AR, model: AutoRegressive, params: {lags: 2}}]
baselines: [SeasonalNaive]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table whose target follows `promo` to the digit, so that AR wins."""
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=40)
    promo = [float(day * day % 11) for day in range(40)]
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": promo, "promo": promo})
    frame.assign(y=frame["y"] * 3 + 20).to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_train_refuses_before_anything_is_written(
    home: Path, capfd: pytest.CaptureFixture[str], more: list[str]
) -> None:
    before = contents(home)
    assert forerun(["train", "-r", "x", "-c", "c.yaml", *more]) == 2
    errors = capfd.readouterr().err.splitlines()
    assert len(errors) == 1
    assert "AR needs the values of promo for the 3 steps" in errors[0]
    assert "on_missing_future: skip" in errors[0]
    assert contents(home) == before


def test_skip_scores_the_ensemble_that_forecasts(home: Path) -> None:
    asked = ["train", "-r", "x", "-c", "c.yaml", "--set", "on_missing_future=skip"]
    done = running.forerun(home, *asked)
    assert done.returncode == 0, done.stderr
    message = "AR has no forecasts: it needs the values of promo for the 3 steps"
    assert message in done.stderr
    run = home / "runs" / "x"
    board = pd.read_csv(run / "leaderboard.csv").set_index("model")
    assert board.index[0] == "AR"
    assert board.loc["AR", "status"] == "no forecast"
    assert board.loc["ensemble", "mae"] == pytest.approx(board.loc["SeasonalNaive", "mae"])
    record = json.loads((run / "ensemble.json").read_text())
    assert record["weights"] == {"SeasonalNaive": 1.0}
    assert not (run / "predictions" / "AR.csv").exists()
    assert message in (run / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    assert "models/AR/model.json" in files(run)  # it forecasts new data whose future is given
