"""Cross-validation and time limits in whole workflows on tiny data."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import TEST_CONFIG, snakemake
from synthetic import make_run

from forerun.jobs import fit_job
from forerun.jobs.child_task import Limit
from forerun.runs.fit import Fit
from forerun.runs.outcome import Outcome
from forerun.runs.paths import RunPaths


def configured(folder: Path, **more: object) -> Path:
    path = folder / "asked.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(TEST_CONFIG.read_text()) | more))
    return path


def test_each_window_is_a_separate_fit(table: Path, tmp_path: Path) -> None:
    """Three windows of 4 steps, 3 apart, each beginning 2 steps after its cutoff."""
    asked = configured(
        tmp_path, models=["DLinear"], refit=True, gap=1, step_size=3, n_windows=3, levels=[80]
    )
    options = ["--config", "run_id=r", f"data_file={table}"]
    done = snakemake(tmp_path, "runs/r/predictions", *options, configfile=asked)
    assert done.returncode == 0, done.stderr[-3000:]
    run = tmp_path / "runs" / "r"
    data = pd.read_csv(table, parse_dates=["ds"])
    end = data["ds"].max()
    for model in ("DLinear", "SeasonalNaive", "per_series", "ensemble"):
        results = pd.read_csv(run / f"cv_results_{model}.csv", parse_dates=["ds", "cutoff"])
        one = results[results["unique_id"] == "series_0"]
        ahead = (one["ds"] - one["cutoff"]).dt.days
        assert sorted(set(ahead)) == [2, 3, 4, 5]
        assert [(end - cutoff).days for cutoff in one["cutoff"].unique()] == [11, 8, 5]
        assert one["ds"].max() == end
        assert (results[f"{model}-lo-80"] <= results[model]).all()
        future = pd.read_csv(run / "predictions" / f"{model}.csv", parse_dates=["ds"])
        steps = (future.loc[future["unique_id"] == "series_0", "ds"] - end).dt.days
        assert steps.tolist() == [2, 3, 4, 5]
        assert (future[f"{model}-hi-80"] >= future[model]).all()
    folds = sorted(path.name for path in (run / "parts" / "DLinear").glob("fold_*.json"))
    assert folds == ["fold_0.json", "fold_1.json", "fold_2.json"]
    board = pd.read_csv(run / "leaderboard.csv").set_index("model")
    assert {"per_series", "ensemble"} <= set(board.index)
    assert board["coverage_level80"].between(0, 1).all()
    weights = json.loads((run / "ensemble.json").read_text())["weights"]
    assert abs(sum(weights.values()) - 1) < 1e-5
    assert "ensemble.json" in json.loads((run / "SEALED").read_text())["sha256"]
    scores = json.loads((run / "status" / "DLinear.json").read_text())["scores"]
    assert abs(scores["mae"] - board.loc["DLinear", "mae"]) < 1e-9


def test_time_limit_skips_and_the_next_call_resumes(table: Path, tmp_path: Path) -> None:
    asked = configured(tmp_path, models=[], baselines=["SeasonalNaive"])
    options = ["--config", "run_id=r", f"data_file={table}"]
    first = snakemake(
        tmp_path, "runs/r/leaderboard.csv", *options, "time_limit=0.01", configfile=asked
    )
    assert first.returncode == 1, first.stderr[-3000:]
    assert "SeasonalNaive" in first.stderr
    status = json.loads((tmp_path / "runs/r/status/SeasonalNaive.json").read_text())
    assert status["status"] == "skipped"
    assert "time_limit of 0.01 s" in status["error"]["message"]
    second = snakemake(tmp_path, "runs/r/SEALED", *options, "time_limit=10000", configfile=asked)
    assert second.returncode == 0, second.stderr[-3000:]
    status = json.loads((tmp_path / "runs/r/status/SeasonalNaive.json").read_text())
    assert status["status"] == "ok"


@pytest.mark.parametrize(
    ("max_time", "time_limit", "status", "message"),
    [
        (None, None, None, ""),
        (7, None, "failed", "max_time: 7 s"),
        (7, 100, "failed", "max_time: 7 s"),
        (70, 100, "skipped", "stopped after 40 s: the time_limit of 100 s"),
        (None, 60, "skipped", "not started: the time_limit of 60 s"),
    ],
)
def test_the_earlier_limit_of_a_fit(
    max_time: float | None,
    time_limit: float | None,
    status: str | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After one minute of the call 40 of 100 s are left."""
    monkeypatch.setattr(fit_job.session, "seconds_since_start", lambda folder: 60.0)
    limits: list[Limit | None] = []

    def instead(*_: object, limit: Limit | None, **__: object) -> Outcome:
        limits.append(limit)
        return Outcome(status="ok", stage="train_model")

    monkeypatch.setattr(fit_job.session, "seconds_since_start", lambda folder: 60.0)
    monkeypatch.setattr(fit_job.child_task, "run", instead)
    fit = Fit(RunPaths(make_run(tmp_path, models=1, series=1, sealed=False)), "NHITS")
    job = fit_job.Job(fit, reuse=False, max_time=max_time, time_limit=time_limit)
    outcome = fit_job.perform(job)
    if limits == []:  # there was no time left to start
        assert outcome.status == status
        assert message in outcome.reason
    else:
        (limit,) = limits
        assert (limit and limit.status) == status
        assert message in (limit.reason if limit else "")
