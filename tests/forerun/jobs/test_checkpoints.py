"""A fit whose job is killed resumes from its checkpoint."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from running import write_table
from synthetic import make_run

from forerun.base.files import write_json
from forerun.config.frozen import read_frozen
from forerun.config.settings import resolve
from forerun.forecasting import freeze
from forerun.forecasting.checkpoint import Checkpoint
from forerun.jobs import child_task, fingerprint
from forerun.jobs.fit_job import Job, perform
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths

STEPS = 60


def frozen(name: str) -> RunPaths:
    """Create a run with a small network."""
    models = [{"name": "NHITS", "params": {"mlp_units": [[8, 8]] * 3}}]
    settings = {"data_file": "table.csv", "horizon": 4, "input_size": 8, "max_steps": STEPS}
    settings |= {"models": models, "baselines": [], "n_windows": 2, "batch_size": 2}
    paths = RunPaths(Path(name))
    to = {name: str(getattr(paths, name)) for name in ("data", "provenance", "config")}
    freeze.freeze(resolve(settings), "table.csv", to, name)
    return paths


def job(run: RunPaths, fold: int | None, tries: int = 1, minutes: float | None = 1e-9) -> Job:
    fit = Fit(run, "NHITS", fold)
    return Job(fit, reuse=False, tries=tries, checkpoint_minutes=minutes)


def step_of(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return int(json.loads(file.readline())["step"])
    except (OSError, ValueError):
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("fold", [None, pytest.param(0, marks=pytest.mark.long)])
def test_killed_and_resumed_with_the_same_result(
    fold: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "table.csv")
    whole, killed = frozen("whole"), frozen("killed")
    assert perform(job(whole, fold, minutes=None)).is_ok

    fit = Fit(killed, "NHITS", fold)
    process = multiprocessing.get_context("fork").Process(target=perform, args=[job(killed, fold)])
    process.start()
    assert process.pid
    until = time.monotonic() + 300
    while step_of(fit.checkpoint_path) < 5 and process.is_alive() and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    reached = step_of(fit.checkpoint_path)
    assert 5 <= reached < STEPS
    assert fit.outcome() is None

    assert perform(job(killed, fold, tries=2)).is_ok
    words = fit.log_path.read_text()
    resumed = [step for step in range(5, STEPS) if f"resumed at step {step} of {STEPS}" in words]
    assert len(resumed) == 1  # the child may have saved another one before it ended
    assert resumed[0] >= reached
    assert f"NHITS {fit.stage}: resumed at step {resumed[0]} of {STEPS}" in capsys.readouterr().err
    assert not fit.checkpoint_path.exists()
    expected = Fit(whole, "NHITS", fold).product_path
    files = [expected] if expected.is_file() else sorted(expected.glob("*.safetensors"))
    for file in files:
        same = killed.folder / file.relative_to(whole.folder)
        assert same.read_bytes() == file.read_bytes(), file.name


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fit:
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path, models=1, series=1, sealed=False)
    for product in run.glob("parts/NHITS/*"):
        product.unlink()
    return Fit(RunPaths(run), "NHITS")


def saved(fit: Fit, deaths: int = 0, key: str | None = None) -> Checkpoint:
    found = fingerprint.key(fingerprint.ingredients(fit, read_frozen(fit.run.config), 1))
    fit.checkpoint_path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(str(fit.checkpoint_path), key or found, 600, deaths)
    checkpoint.write(400, 1000, b"state")
    return checkpoint


def perform_with(
    fit: Fit, outcome: Outcome, monkeypatch: pytest.MonkeyPatch, deaths: int = 0
) -> tuple[Outcome, list[Any]]:
    """Run a job whose child has a given outcome; return the outcome and the checkpoint."""
    given: list[Any] = []

    def instead(task: child_task.Task, *_: object, **__: object) -> Outcome:
        given.append(task.arguments["checkpoint"])
        return outcome

    monkeypatch.setattr(child_task, "run", instead)
    if deaths:
        write_json(fit.lease_path, {"dead": True, "deaths": deaths - 1})
    return perform(Job(fit, reuse=False, tries=2, checkpoint_minutes=10)), given


@pytest.mark.parametrize(("before", "trains"), [(2, True), (1, True), (0, False)])
def test_attempts_count_since_the_last_checkpoint(
    network: Fit, monkeypatch: pytest.MonkeyPatch, before: int, trains: bool
) -> None:
    saved(network, deaths=before)
    ok = Outcome(status="ok", stage="train_model")
    outcome, given = perform_with(network, ok, monkeypatch, deaths=2)
    assert bool(given) is trains
    if trains:
        assert given[0]["deaths"] == 2
        assert given[0]["seconds"] == 600
        assert outcome.is_ok
        assert not network.checkpoint_path.exists()
    else:
        assert "killed 2 times" in outcome.reason
        assert "a rerun of the command resumes at step 400 of 1000" in outcome.reason
        assert network.checkpoint_path.exists()


@pytest.mark.parametrize(
    ("kind", "kept"), [("TimeLimit", True), ("ProcessKilled", True), ("ForecastError", False)]
)
def test_a_failed_fit_resumes_only_if_it_was_interrupted(
    network: Fit, monkeypatch: pytest.MonkeyPatch, kind: str, kept: bool
) -> None:
    saved(network)
    failed = Outcome(status="failed", stage="train_model", error=Failure(kind, "why"))
    perform_with(network, failed, monkeypatch)
    assert network.checkpoint_path.exists() is kept


def test_a_checkpoint_of_another_fit_is_reported_and_not_used(
    network: Fit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(network, deaths=2, key="another")
    ok = Outcome(status="ok", stage="train_model")
    outcome, given = perform_with(network, ok, monkeypatch, deaths=2)
    assert not given
    assert "resumes" not in outcome.reason
    errors = capsys.readouterr().err
    assert (
        f"{network.checkpoint_path}: belongs to a fit with other data, settings or versions"
        in errors
    )
    assert "the checkpoint is ignored" in errors
