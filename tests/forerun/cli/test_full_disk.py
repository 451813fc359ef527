"""A full disk is reported in one line, and the run can be resumed; changed tables are refused."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from running import write_table
from synthetic import make_run

from forerun.base.errors import UserError, check_path, system_error
from forerun.config.settings import resolve
from forerun.forecasting import freeze
from forerun.jobs import child_task, fit_job, lease
from forerun.jobs.fit_job import Job, perform
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths


@pytest.fixture
def job(tmp_path: Path) -> Job:
    run = make_run(tmp_path / "runs", "exp1", models=1, series=1, sealed=False)
    fit = Fit(RunPaths(run), "NHITS")
    shutil.rmtree(fit.product_path)
    fit.outcome_path.unlink()
    return Job(fit, reuse=False)


def refused(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """The job ends with one line and leaves no lease that the next job would wait for."""
    with pytest.raises(SystemExit) as ended:
        perform(job)
    assert ended.value.code == 2
    run = job.fit.run.folder
    line = f"forerun: error: no space left in '{run}'; free some space and rerun the command\n"
    assert capsys.readouterr().err == line
    assert not list(run.rglob("*.claim*"))
    assert not job.fit.product_path.exists()


def test_a_fit_does_not_start_on_a_full_disk(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fit_job, "ROOM", 2**62)
    monkeypatch.setattr(child_task, "run", lambda *_, **__: pytest.fail("it was trained"))
    refused(job, capsys)


def test_a_lease_that_cannot_be_written(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lease, "json_text", full)
    refused(job, capsys)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_model_that_cannot_be_saved(
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    """A library may replace the error by another one that contains only its message."""
    message = f"Error while serializing: I/O error: {os.strerror(number)} (os error {number})"
    outcome = Outcome(status="failed", error=Failure("SafetensorError", message))
    monkeypatch.setattr(child_task, "run", lambda *_, **__: outcome)
    refused(job, capsys)


def test_a_full_disk_is_reported_with_its_folder() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "runs/x/metrics.csv")
    assert system_error(full).startswith("no space left in 'runs/x'; ")
    assert system_error(full, "out").startswith("no space left in 'out'; ")
    assert system_error(OSError(errno.ENOSPC, "")).startswith("no space left on the disk")
    denied = PermissionError(errno.EACCES, "Permission denied", "runs/x")
    assert system_error(denied) == "Permission denied: 'runs/x'; fix this and rerun the command"


@pytest.mark.parametrize("key", ["data_file", "static_file", "futr_file"])
def test_a_table_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    real = freeze.read_data
    tables = {"data_file": write_table(tmp_path / "data.csv")}
    if key != "data_file":
        tables[key] = tmp_path / f"{key}.csv"
        tables[key].write_text("unique_id\n")

    def read(settings: dict[str, Any], runs: Path) -> Any:
        prepared = real({**settings, "static_file": None, "futr_file": None}, runs)
        with tables[key].open("a") as file:
            file.write("\n")
        return prepared

    monkeypatch.setattr(freeze, "read_data", read)
    asked = {"models": ["Naive"], "baselines": [], "horizon": 4, "n_windows": 2}
    settings = resolve(asked) | {name: str(path) for name, path in tables.items()}
    to = {name: str(tmp_path / "run" / name) for name in ("data", "provenance", "config")}
    with pytest.raises(UserError, match=f"{key}: .* was changed while it was read"):
        freeze.freeze(settings, str(tables["data_file"]), to, "x")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", ["o{run_id}", "a}b", "b{", "<runs>/x", "d<name>.csv"])
def test_paths_with_wildcards_of_snakemake(path: str) -> None:
    with pytest.raises(UserError, match="placeholders") as caught:
        check_path("data_file", path)
    assert "\n" not in str(caught.value)


def test_other_paths_are_accepted() -> None:
    for path in ("a b", "a<b", "$(x)`y`;'\"|&", "ä", "<>", "a > b"):
        check_path("data_file", path)
