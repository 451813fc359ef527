"""Searches through the whole workflow: trials as jobs, kills, failures, the seal, damage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import PROJECT, SNAKEMAKE, forerun, snakemake, write_table

from forerun.config.frozen import read_frozen
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths

#: Six trials of two steps, two of six; a kernel of size 0 fails.
NETWORK = {
    "model": "DLinear",
    "trials": 6,
    "space": {"moving_avg_window": [0, 3, 5], "learning_rate": {"low": 1e-3, "high": 0.1}},
}
STATISTICAL = {"model": "AutoETS", "space": {"model": ["ANN", "ZZZ"]}, "keep": 2}
CONFIG = {
    "data_file": "table.csv", "horizon": 4, "input_size": 8, "max_steps": 6, "n_windows": 2,
    "windows_batch_size": 16, "models": [], "baselines": ["SeasonalNaive"], "plot_series": 1,
    "search": [NETWORK, STATISTICAL],
}  # fmt: skip


def home(folder: Path, **changes: object) -> Path:
    write_table(folder / "table.csv")
    (folder / "search.yaml").write_text(yaml.safe_dump(CONFIG | changes))
    return folder


def study(folder: Path, run_id: str = "exp1") -> dict[str, bytes]:
    """Return the plain files of the network's study that do not contain times."""
    place = folder / "runs" / run_id / "search" / "DLinear_search"
    names = ["round_0.json", "round_1.json", "study.csv", "chosen.json"]
    return {name: (place / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = home(tmp_path_factory.mktemp("search"))
    parts = ["runs/exp1/report.html", "runs/exp1/plots"]
    ended = snakemake(folder, *parts, configfile=folder / "search.yaml")
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return folder


@pytest.mark.slow
@pytest.mark.long
class TestSearch:
    def test_trials_are_jobs_and_the_best_are_models(self, done: Path) -> None:
        folder = done / "runs" / "exp1"
        run = RunPaths(folder)
        table = pd.read_csv(folder / "search" / "DLinear_search" / "study.csv")
        assert list(table["max_steps"]) == [2] * 6 + [6] * 2
        failed = table["params"].str.contains('"moving_avg_window": 0')
        assert set(table[failed]["status"]) <= {"failed"}
        assert set(table[~failed]["status"]) == {"ok"}
        for number in range(6):
            assert (folder / "logs" / "run_trial" / f"DLinear_search_0_{number}.log").is_file()
        board = pd.read_csv(run.leaderboard)
        expected = {"DLinear_search1", "AutoETS_search1", "AutoETS_search2", "SeasonalNaive"}
        assert expected <= set(board["model"])
        found = {item["name"]: item["params"] for item in read_frozen(run.config)["models"]}
        best = table[table["round"] == 1].sort_values("error").iloc[0]
        assert found["DLinear_search1"] == json.loads(best["params"])
        weights = json.loads((folder / "ensemble.json").read_text())
        assert "AutoETS_search1" in json.dumps(weights)

    def test_the_study_is_sealed_and_shown(self, done: Path) -> None:
        run = done / "runs" / "exp1"
        sealed = json.loads((run / "SEALED").read_text())["sha256"]
        assert "search/DLinear_search/study.csv" in sealed
        assert "search/DLinear_search/trial_0_0.json" in sealed
        assert forerun(done, "verify", "exp1").returncode == 0
        assert "DLinear_search: 6 trials" in forerun(done, "show", "exp1").stdout
        path = run / "search" / "DLinear_search" / "study.csv"
        before = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(before + b"0,7,2,ok,0.0,{},\n")
        damaged = forerun(done, "verify", "exp1")
        path.write_bytes(before)
        assert damaged.returncode != 0
        assert "study.csv" in damaged.stdout + damaged.stderr

    def test_trials_are_drawn(self, done: Path) -> None:
        run = done / "runs" / "exp1"
        assert (run / "plots" / "search_DLinear_search.svg").is_file()
        assert "Error of each trial of a search by round" in (run / "report.html").read_text()

    def test_a_rerun_does_nothing(self, done: Path) -> None:
        again = snakemake(done, "runs/exp1/SEALED", "--forceall", configfile=done / "search.yaml")
        assert again.returncode == 0
        assert "run_trial" not in again.stdout + again.stderr

    def test_a_killed_search_resumes_to_the_same_study(self, done: Path, tmp_path: Path) -> None:
        folder = home(tmp_path)
        command = [SNAKEMAKE, "--snakefile", str(PROJECT / "Snakefile"), "--cores", "1"]
        command += ["--workflow-profile", str(PROJECT / "profiles" / "default")]
        command += ["runs/exp1/SEALED", "--configfile", "search.yaml"]
        killed = subprocess.Popen(
            command, cwd=folder, start_new_session=True, env=os.environ | {"FORERUN_PRELOAD": ""},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        place = folder / "runs" / "exp1" / "search" / "DLinear_search"
        # With one core the second trial starts when Snakemake has noted the end of the first.
        while len(found := list(place.glob("trial_0_*.json"))) < 2 and killed.poll() is None:
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        assert not (place / "chosen.json").exists()
        first, before = min((path.stat().st_mtime_ns, path) for path in found)[::-1]
        snakemake(folder, "--unlock", configfile=folder / "search.yaml")
        ended = snakemake(folder, "runs/exp1/SEALED", configfile=folder / "search.yaml")
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        assert first.stat().st_mtime_ns == before
        assert study(folder) == study(done)

    def test_trials_come_from_the_cache(self, done: Path) -> None:
        settings = ["--config", "sort_metric=rmse"]
        ended = snakemake(done, "runs/exp2/SEALED", *settings, configfile=done / "search.yaml")
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        outcomes = (done / "runs/exp2/search/DLinear_search").glob("trial_0_*.json")
        reused = [json.loads(path.read_text()) for path in outcomes]
        assert {each.get("reused_from") for each in reused if each["status"] == "ok"} == {"exp1"}

    def test_a_search_without_success_fails_its_model_only(self, tmp_path: Path) -> None:
        bad = {**NETWORK, "space": {"moving_avg_window": [0]}}
        folder = home(tmp_path, search=[bad, STATISTICAL])
        ended = snakemake(folder, "runs/exp1/SEALED", configfile=folder / "search.yaml")
        assert ended.returncode == 1
        run = RunPaths(folder / "runs" / "exp1")
        status = ModelStatus.read(run.status("DLinear_search1"))
        assert status is not None
        assert status.status == "failed"
        assert status.reason.startswith("DLinear_search: only 0 of 1 trials succeeded, keep is 1")
        other = ModelStatus.read(run.status("AutoETS_search1"))
        assert other is not None
        assert other.is_ok

    def test_a_budget_ends_the_search(self, tmp_path: Path) -> None:
        """The time limit passes during the first trial, which is the only one with a forecast."""
        folder = home(tmp_path, search=[{**STATISTICAL, "keep": 1, "time_limit": 1e-6}])
        ended = snakemake(folder, "runs/exp1/SEALED", configfile=folder / "search.yaml")
        status = ModelStatus.read(RunPaths(folder / "runs/exp1").status("AutoETS_search1"))
        assert status is not None
        assert (ended.returncode, status.status) == (1, "skipped")
        assert "the time_limit of AutoETS_search (1e-06 s) had passed" in status.reason
