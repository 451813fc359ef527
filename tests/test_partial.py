"""Runs with failed models: the others continue, and the failures are reported everywhere."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from killing import changes, end, family, finished
from running import PROJECT, write_table
from synthetic import make_run

from forerun.base.files import read_json
from forerun.cli.app import run as forerun
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths
from forerun.runs.seal import verify
from forerun.runs.state import is_sealed

#: A model that cannot be fitted to so short series.
TOO_LONG = {
    "name": "TooLong", "engine": "statsforecast", "model": "AutoRegressive",
    "params": {"lags": [900]},
}  # fmt: skip
WINDOWS = {"horizon": 4, "input_size": 8, "n_windows": 2, "plot_series": 1, "reuse": False}


def write(path: Path, **settings: object) -> Path:
    path.write_text(yaml.safe_dump(WINDOWS | settings))
    return path


def train(home: Path, *arguments: str) -> object:
    """Start `train` for the run `r`; what it prints goes to ``out``."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "forerun.cli", "train", "-r", "r", "-d", "table.csv"]
    with (home / "out").open("w") as output:
        return subprocess.Popen(
            [*command, "-c", "c.yaml", *arguments], cwd=home, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, env=os.environ | {"PYTHONPATH": str(PROJECT / "scripts")},
        )  # fmt: skip


def board(run: Path) -> dict[str, dict[str, str]]:
    with (run / "leaderboard.csv").open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_killed_jobs_and_models_that_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job is killed as a whole, as for its memory; another model raises. Then they are mended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORERUN_PRELOAD", "off")  # each fit takes the seconds of its imports
    write_table(tmp_path / "table.csv")
    write(tmp_path / "c.yaml", models=["Naive", TOO_LONG], baselines=["SeasonalNaive"])
    run = tmp_path / "runs" / "r"

    call = train(tmp_path)
    killed: set[int] = set()
    while call.poll() is None:  # type: ignore[attr-defined]
        claim = read_json(run / "logs" / "train_model" / "Naive.claim")
        if claim and claim["pid"] not in killed and len(killed) < 2:
            os.kill(claim["pid"], signal.SIGKILL)
            killed.add(claim["pid"])
        time.sleep(0.02)
    told = (tmp_path / "out").read_text()
    assert len(killed) == 2
    assert call.returncode == 1, told  # type: ignore[attr-defined]
    assert "forerun: run 'r': Naive failed: the job was killed 2 times" in told
    assert "forerun: run 'r': TooLong failed: " in told
    assert "Traceback" not in told
    status = read_json(run / "status" / "Naive.json")
    assert (status["status"], status["stage"]) == ("failed", "train_model")
    assert "too little memory" in status["error"]["message"]
    assert "Traceback" in Path(read_json(run / "status" / "TooLong.json")["log"]).read_text()
    rows = board(run)
    assert [rows[m]["status"] for m in ("SeasonalNaive", "Naive", "TooLong")] == [
        "ok", "failed", "failed",
    ]  # fmt: skip
    assert "killed" in rows["Naive"]["reason"]
    assert {p.stem for p in (run / "predictions").glob("*.csv")} == {
        "SeasonalNaive", "per_series", "ensemble", "all",
    }  # fmt: skip
    assert list((run / "plots").glob("*.png"))
    assert (run / "report.html").exists()
    assert not is_sealed(run)
    assert forerun(["list-runs"]) == 0
    assert "partial (2 failed)" in capsys.readouterr().out

    # The same command again: only what failed is done, even if Snakemake remembers nothing, and
    # if an earlier retry was killed when it had just removed what it was to make.
    before = finished(run)
    (run / "parts" / "Naive" / "final.json").unlink()
    shutil.rmtree(run / "models" / "Naive")
    assert call_again(tmp_path, forget=True) == 1
    assert "Naive failed" not in (tmp_path / "out").read_text()
    assert "TooLong failed" in (tmp_path / "out").read_text()
    assert list(changes(run, before)) == []
    assert board(run)["Naive"]["status"] == "ok"
    assert (run / "predictions" / "Naive.csv").exists()
    assert Fit(RunPaths(run), "TooLong").failures() == 2
    assert not is_sealed(run)

    # Accepted as they are.
    before = finished(run)
    assert call_again(tmp_path, "--accept-failures") == 0
    assert list(changes(run, before)) == []
    assert read_json(run / "SEALED")["accepted_failures"] == ["TooLong"]
    assert not any(verify(run).values())
    assert call_again(tmp_path) == 0
    assert not any(verify(run).values())


def call_again(home: Path, *arguments: str, forget: bool = False) -> int:
    if forget:
        shutil.rmtree(home / ".snakemake")
    return train(home, *arguments).wait()  # type: ignore[attr-defined, no-any-return]


def test_a_run_with_failures_is_not_sealed_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even when SEALED is the target; a run whose models all failed is never sealed."""
    from seal_run import main

    for failed, accepted, said in [
        (["NHITS"], False, "NHITS could not be trained"),
        (["NHITS", "SeasonalNaive", "AutoETS"], True, "all models failed"),
        (["NHITS"], True, None),
    ]:
        run = make_run(tmp_path / f"{len(failed)}{accepted}", models=1, failed=failed, sealed=False)
        arguments = {"folder": str(run), "leaderboard": str(run / "leaderboard.csv")}
        arguments |= {"sealed": str(run / "SEALED"), "log": str(run / "logs" / "seal_run.log")}
        models = ["NHITS", "SeasonalNaive", "AutoETS"]
        if said:
            with pytest.raises(SystemExit, match="2"):
                main(models=models, accept_failures=accepted, **arguments)
            assert said in capsys.readouterr().err
        else:
            main(models=models, accept_failures=accepted, **arguments)
        assert is_sealed(run) == (said is None)


@pytest.mark.slow
def test_a_run_without_any_model_fails(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    write(tmp_path / "c.yaml", models=[TOO_LONG], baselines=[])
    assert call_again(tmp_path, "--accept-failures") != 0
    told = (tmp_path / "out").read_text()
    assert "all models failed" in told
    assert "forerun: run 'r': TooLong failed: " in told
    assert "Traceback" not in told
    assert not is_sealed(tmp_path / "runs" / "r")
    assert not (tmp_path / "runs" / "r" / "predictions").exists()


@pytest.mark.slow
def test_networks_that_raise_diverge_run_too_long_or_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORERUN_PRELOAD", "")  # its processes are to be children of the call
    frame = pd.read_csv(write_table(tmp_path / "table.csv"))
    frame["y"] *= 1e20  # the square is beyond what 32 bits can hold
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

    call = train(tmp_path, "--max-time", "15")
    shot = None
    while call.poll() is None:  # type: ignore[attr-defined]
        state = read_json(run / "logs" / "train_model" / "Endless.progress.json") or {}
        if shot is None and state.get("step"):
            # The process that trains it, not its job: whichever writes that file.
            workers = family(call).get("worker", [])  # type: ignore[arg-type]
            ours = [w for w in workers if writes(w, run / "logs" / "train_model" / "Endless.log")]
            shot = next(iter(ours), None)
            end(ours)
        time.sleep(0.02)
    told = (tmp_path / "out").read_text()
    assert shot is not None
    assert call.returncode == 1, told  # type: ignore[attr-defined]
    states = {m["name"]: read_json(run / "status" / f"{m['name']}.json") for m in models}
    assert states["Good"]["status"] == "ok"
    said = {name: state["error"]["message"] for name, state in states.items() if state["error"]}
    assert set(said) == {"Raises", "Diverges", "Endless"}
    for name, reason in said.items():
        assert f"forerun: run 'r': {name} failed: {reason}" in told
        assert board(run)[name]["status"] == "failed"
        assert Path(states[name]["log"]).read_text().strip()
    assert "smaller learning_rate" in said["Diverges"]
    assert "killed by SIGKILL" in said["Endless"]
    assert "smaller windows_batch_size" in said["Endless"]
    fold = Fit(RunPaths(run), "Endless", 0).outcome()
    assert fold
    assert fold.error
    assert fold.error.kind == "TimeLimit"
    assert "max_time: 15 s" in fold.reason
    assert {p.stem for p in (run / "predictions").glob("*.csv")} == {
        "Good", "SeasonalNaive", "per_series", "ensemble", "all",
    }  # fmt: skip
    assert list((run / "plots").glob("*.png"))
    assert "Traceback" not in told
    assert forerun(["list-runs"]) == 0
    assert "partial (3 failed)" in capsys.readouterr().out


def writes(worker: psutil.Process, log: Path) -> bool:
    """Tell whether a worker's job is the one that writes a log: their pipe is the same."""

    with suppress(OSError, psutil.Error):
        pipe = os.readlink(f"/proc/{worker.pid}/fd/1")
        for job in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                links = {os.readlink(f.path) for f in os.scandir(f"/proc/{job.pid}/fd")}
                if pipe in links and str(log) in links:
                    return True
    return False
