"""Runs with failed models: the others continue, and the failures are reported everywhere."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from forking import LINGER
from killing import changes, end, finished, kind_of
from running import forerun, write_table
from synthetic import make_run

from forerun.base.files import read_json
from forerun.cli.app import run as call
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths
from forerun.runs.seal import verify
from forerun.runs.state import is_sealed

#: A model that cannot be fitted to such short series.
TOO_LONG = {
    "name": "TooLong", "engine": "statsforecast", "model": "AutoRegressive",
    "params": {"lags": [900]},
}  # fmt: skip
#: A model that is killed at work.
SLOW = {"name": "Slow", "engine": "statsforecast", "model": "Naive"}
WINDOWS = {"horizon": 4, "input_size": 8, "n_windows": 2, "plot_series": 1, "reuse": False}


def write(path: Path, **settings: object) -> Path:
    path.write_text(yaml.safe_dump(WINDOWS | settings))
    return path


def train(home: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Call `train` for the run `r`; return its exit code and what it prints."""
    given = ["-r", "r", "-d", "table.csv", "-c", "c.yaml", *arguments]
    done = forerun(home, "train", *given, env=env)
    return done.returncode, done.stdout + done.stderr


def train_while(home: Path, *arguments: str, watch: Callable[[], object]) -> tuple[int, str]:
    """Call `train` as above, and `watch` repeatedly until it ends; fits last a while."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(train, home, *arguments, env={LINGER: "1"})
        while not call.done():
            watch()
            time.sleep(0.02)
        return call.result()


def board(run: Path) -> dict[str, dict[str, str]]:
    with (run / "leaderboard.csv").open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_killed_jobs_and_models_that_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One job is killed, as for lack of memory, another model raises; both are then fixed."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "table.csv")
    write(tmp_path / "c.yaml", models=[SLOW, TOO_LONG], baselines=["SeasonalNaive"])
    run = tmp_path / "runs" / "r"
    killed: set[int] = set()

    def kill() -> None:
        record = read_json(run / "logs" / "train_model" / "Slow.claim")
        if record and record["pid"] not in killed and len(killed) < 2:
            os.kill(record["pid"], signal.SIGKILL)
            killed.add(record["pid"])

    code, output = train_while(tmp_path, watch=kill)
    assert len(killed) == 2
    assert code == 1, output
    assert "forerun: run 'r': Slow failed: the job was killed 2 times" in output
    assert "forerun: run 'r': TooLong failed: " in output
    assert "Traceback" not in output
    status = read_json(run / "status" / "Slow.json")
    assert (status["status"], status["stage"]) == ("failed", "train_model")
    assert "too little memory" in status["error"]["message"]
    assert "Traceback" in Path(read_json(run / "status" / "TooLong.json")["log"]).read_text()
    rows = board(run)
    assert [rows[m]["status"] for m in ("SeasonalNaive", "Slow", "TooLong")] == [
        "ok", "failed", "failed",
    ]  # fmt: skip
    assert "killed" in rows["Slow"]["reason"]
    assert {p.stem for p in (run / "predictions").glob("*.csv")} == {
        "SeasonalNaive", "per_series", "ensemble", "all",
    }  # fmt: skip
    assert list((run / "plots").glob("*.png"))
    assert (run / "report.html").exists()
    assert not is_sealed(run)
    assert call(["list-runs"]) == 0
    assert "partial (2 failed)" in capsys.readouterr().out

    # A rerun repeats only failed fits, even without Snakemake's metadata, and
    # if an earlier retry was killed after it had removed its outputs.
    before = finished(run)
    (run / "parts" / "Slow" / "final.json").unlink()
    shutil.rmtree(run / "models" / "Slow")
    shutil.rmtree(tmp_path / ".snakemake")
    code, output = train(tmp_path)
    assert code == 1
    assert "Slow failed" not in output
    assert "TooLong failed" in output
    assert list(changes(run, before)) == []
    assert board(run)["Slow"]["status"] == "ok"
    assert (run / "predictions" / "Slow.csv").exists()
    assert Fit(RunPaths(run), "TooLong").failures() == 2
    assert not is_sealed(run)

    # The failures are accepted.
    before = finished(run)
    assert train(tmp_path, "--accept-failures")[0] == 0
    assert list(changes(run, before)) == []
    assert read_json(run / "SEALED")["accepted_failures"] == ["TooLong"]
    assert not any(verify(run).values())
    assert train(tmp_path)[0] == 0
    assert not any(verify(run).values())


def test_a_run_with_failures_is_not_sealed_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even if SEALED is the target. A run in which all models failed is never sealed."""
    from seal_run import main

    for failed, accepted, message in [
        (["NHITS"], False, "NHITS could not be trained"),
        (["NHITS", "SeasonalNaive", "AutoETS"], True, "all models failed"),
        (["NHITS"], True, None),
    ]:
        run = make_run(tmp_path / f"{len(failed)}{accepted}", models=1, failed=failed, sealed=False)
        arguments = {"folder": str(run), "leaderboard": str(run / "leaderboard.csv")}
        arguments |= {"sealed": str(run / "SEALED"), "log": str(run / "logs" / "seal_run.log")}
        models = ["NHITS", "SeasonalNaive", "AutoETS"]
        if message:
            with pytest.raises(SystemExit, match="2"):
                main(models=models, accept_failures=accepted, **arguments)
            assert message in capsys.readouterr().err
        else:
            main(models=models, accept_failures=accepted, **arguments)
        assert is_sealed(run) == (message is None)


@pytest.mark.slow
def test_a_run_without_any_model_fails(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    write(tmp_path / "c.yaml", models=[TOO_LONG], baselines=[])
    code, output = train(tmp_path, "--accept-failures")
    assert code != 0
    assert "all models failed" in output
    assert "forerun: run 'r': TooLong failed: " in output
    assert "Traceback" not in output
    assert not is_sealed(tmp_path / "runs" / "r")
    assert not (tmp_path / "runs" / "r" / "predictions").exists()


@pytest.mark.slow
def test_networks_that_raise_diverge_run_too_long_or_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.read_csv(write_table(tmp_path / "table.csv"))
    frame["y"] *= 1e20  # the square overflows 32 bits
    frame.to_csv(tmp_path / "table.csv", index=False)
    small = {"max_steps": 5}
    models = [
        {"name": "Good", "model": "DLinear", "params": small},
        {"name": "Raises", "model": "NHITS", "params": {"activation": "Sinus"} | small},
        {
            "name": "Diverges",
            "model": "DLinear",
            "params": {"loss": "MSE", "scaler_type": "identity"},
        },
        {"name": "Endless", "model": "DLinear", "params": {"max_steps": 10_000_000}},
    ]
    write(tmp_path / "c.yaml", models=models, baselines=["SeasonalNaive"], max_steps=50)
    run = tmp_path / "runs" / "r"

    shot: list[psutil.Process] = []

    def shoot() -> None:
        """Kill the process that trains (the writer of that file), not its job."""
        state = read_json(run / "logs" / "train_model" / "Endless.progress.json") or {}
        if not shot and state.get("step"):
            log = run / "logs" / "train_model" / "Endless.log"
            shot.extend(w for w in psutil.process_iter() if is_worker(w) and writes(w, log))
            end(shot)

    code, output = train_while(tmp_path, "--max-time", "6", watch=shoot)
    assert len(shot) == 1
    assert code == 1, output
    states = {m["name"]: read_json(run / "status" / f"{m['name']}.json") for m in models}
    assert states["Good"]["status"] == "ok"
    messages = {name: state["error"]["message"] for name, state in states.items() if state["error"]}
    assert set(messages) == {"Raises", "Diverges", "Endless"}
    for name, reason in messages.items():
        assert f"forerun: run 'r': {name} failed: {reason}" in output
        assert board(run)[name]["status"] == "failed"
        assert Path(states[name]["log"]).read_text().strip()
    assert "smaller learning_rate" in messages["Diverges"]
    assert "killed by SIGKILL" in messages["Endless"]
    assert "smaller windows_batch_size" in messages["Endless"]
    fold = Fit(RunPaths(run), "Endless", 0).outcome()
    assert fold
    assert fold.error
    assert fold.error.kind == "TimeLimit"
    assert "max_time: 6 s" in fold.reason
    assert {p.stem for p in (run / "predictions").glob("*.csv")} == {
        "Good", "SeasonalNaive", "per_series", "ensemble", "all",
    }  # fmt: skip
    assert list((run / "plots").glob("*.png"))
    assert "Traceback" not in output
    assert call(["list-runs"]) == 0
    assert "partial (3 failed)" in capsys.readouterr().out


def is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error, IndexError):
        return kind_of(process) == "worker"
    return False


def writes(worker: psutil.Process, log: Path) -> bool:
    """Return whether a worker writes to a log: both have the same pipe."""

    with suppress(OSError, psutil.Error):
        pipe = os.readlink(f"/proc/{worker.pid}/fd/1")
        for job in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                links = {os.readlink(f.path) for f in os.scandir(f"/proc/{job.pid}/fd")}
                if pipe in links and str(log) in links:
                    return True
    return False
