"""Runs killed at any time are completed by a rerun, and no completed work is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from killing import (
    KINDS,
    QUICK,
    Storm,
    changes,
    end,
    family,
    finished,
    results,
    start,
    wait_until_alone,
)
from running import TEST_CONFIG, forerun, snakemake, write_table

from forerun.base import files
from forerun.base.errors import UserError
from forerun.base.files import read_json
from forerun.cli import locks
from forerun.config.settings import resolve
from forerun.forecasting import freeze
from forerun.runs import session
from forerun.runs.fit import recorded_fits
from forerun.runs.paths import RunPaths
from forerun.runs.seal import frozen_files, seal, verify
from forerun.runs.state import is_frozen, is_sealed


def until(true: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something is true."""
    end_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end_at, "waited too long"
        time.sleep(0.05)


# -- Killed ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kills", [len(KINDS), pytest.param(20, marks=pytest.mark.long)])
def test_kills_at_random_moments(tmp_path: Path, kills: int) -> None:
    """Kill Snakemake, a job, the process that trains, the server, or all at once."""
    write_table(tmp_path / "table.csv")
    began = time.monotonic()
    assert start(tmp_path, "calm", *QUICK, "--set", "reuse=false").wait() == 0
    duration = time.monotonic() - began
    seed = int(os.environ.get("FORERUN_STORM_SEED", "4"))
    storm = Storm(tmp_path, results(tmp_path / "runs" / "calm"), duration, seed=seed)
    storm.blow(kills, seconds=1800)
    assert storm.wrong == []
    assert storm.kills.total() >= kills
    assert len(storm.kills) == len(KINDS), storm.kills


@pytest.mark.slow
def test_a_network_that_was_trained_is_not_trained_again(tmp_path: Path, trained_run: Path) -> None:
    """Kill everything after the first fit of a network; the results are those without a kill."""
    write_table(tmp_path / "table.csv")
    call = start(tmp_path, "killed", "--set", "reuse=false", shared=True)
    run = tmp_path / "runs" / "killed"
    until(
        lambda: any(fit.fold is None and fit.is_completed() for fit in recorded_fits(RunPaths(run)))
    )
    processes = [process for kind in family(call).values() for process in kind]
    call.kill()
    end(processes)
    call.wait()
    assert wait_until_alone(tmp_path) == []
    before = finished(run)
    assert any(name.startswith("models/") for name in before)
    assert not is_sealed(run)
    assert again(tmp_path, "killed", "--set", "reuse=false").returncode == 0
    assert list(changes(run, before)) == []
    undisturbed, found = results(trained_run), results(run)
    for name in undisturbed.keys() | found:
        if name != "config.yaml":  # the table was in another folder
            assert undisturbed.get(name) == found.get(name), name


@pytest.mark.parametrize("replaced", range(4))
def test_freezing_is_all_or_nothing(tmp_path: Path, table: Path, replaced: int) -> None:
    """Kill before the first, second and third file is renamed into place, and not at all."""
    names = {"data": "data.parquet", "provenance": "provenance.json", "config": "config.yaml"}
    to = {key: str(tmp_path / "runs" / "r" / name) for key, name in names.items()}
    settings = resolve({"models": ["Naive"], "horizon": 4, "input_size": 8, "n_windows": 2})
    ended = _freeze_and_die(settings, table, to, replaced)
    assert ended == (0 if replaced == 3 else -signal.SIGKILL)
    existing = {name for name in names.values() if (tmp_path / "runs" / "r" / name).exists()}
    assert len(existing) == replaced
    assert is_frozen(tmp_path / "runs" / "r") == (existing == set(names.values()))
    freeze.freeze(settings, str(table), to, "r")
    assert is_frozen(tmp_path / "runs" / "r")


def _freeze_and_die(settings: dict, table: Path, to: dict[str, str], replaced: int) -> int:
    """Freeze in a child that kills itself after renaming a number of files into place."""
    pid = os.fork()
    if pid == 0:
        done, replace = [0], os.replace

        def count(source: object, target: object) -> None:
            if done[0] == replaced:
                os.kill(os.getpid(), signal.SIGKILL)
            done[0] += 1
            replace(source, target)  # type: ignore[arg-type]

        files.os.replace = count  # type: ignore[assignment]
        try:
            freeze.freeze(settings, str(table), to, "r")
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_temporary_files_are_not_sealed(run_copy: Path) -> None:
    (run_copy / "SEALED").unlink()
    left = run_copy / "models" / ".tmp-0123456789ab-NHITS"
    left.mkdir()
    (left / "half.safetensors").write_bytes(b"x")
    (run_copy / ".tmp-0123456789ab-metrics.csv").write_text("half")
    figures = run_copy / "benchmarks" / "train_model" / ".tmp-0123456789ab-NHITS.tsv"
    figures.write_text("half")
    assert not any(".tmp-" in name for name in frozen_files(run_copy))
    seal(run_copy, run_copy / "SEALED", failed=[])
    assert not left.exists()
    assert not list(run_copy.rglob(".tmp-*"))
    assert not any(verify(run_copy).values())


# -- Two at once ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_terminals(tmp_path: Path) -> None:
    """Two runs work in parallel; the same run twice is refused, even if only Snakemake is left."""
    write_table(tmp_path / "table.csv")
    first, other = (start(tmp_path, name, *QUICK, shared=True) for name in ("one", "two"))
    run = tmp_path / "runs" / "one"
    until(lambda: session.holder(run))
    holder = session.holder(run) or {}
    assert _refused(tmp_path, f"process {holder['pid']} on {holder['host']}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = snakemake(
        elsewhere, f"{run}/metrics.csv", "--force", "--config", f"output_dir={tmp_path}",
        "reuse=false", configfile=None,
    )  # fmt: skip
    if session.holder(run):  # it is still running
        assert done.returncode == 2, done.stderr
        assert "is in use by" in done.stderr
    first.kill()  # only the command; its Snakemake continues
    first.wait()
    if psutil.pid_exists(holder["pid"]):
        assert _refused(tmp_path, "is in use by")
    assert other.wait() == 0
    until(lambda: session.holder(run) is None)
    assert wait_until_alone(tmp_path) == []
    assert again(tmp_path, "one", *QUICK).returncode == 0
    for name in ("one", "two"):
        assert not any(verify(tmp_path / "runs" / name).values())
    assert results(run) == results(tmp_path / "runs" / "two")


def again(home: Path, run_id: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Rerun the command of :func:`killing.start` until it completes."""
    options = ["-r", run_id, "-d", "table.csv", "-c", str(TEST_CONFIG)]
    return forerun(home, "train", *options, *arguments)


def _refused(home: Path, message: str) -> bool:
    done = again(home, "one", *QUICK)
    own = [line for line in done.stderr.splitlines() if line.startswith("forerun: error:")]
    return done.returncode == 2 and len(own) == 1 and message in own[0]


def test_a_refused_call_does_not_change_the_folder_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "new"
    with locks.held(folder):
        with pytest.raises(UserError, match=str(os.getpid())), locks.held(folder):
            pass
        assert (folder / "logs" / "command.lock").exists()
    assert not folder.exists()  # nothing was started


def test_the_lock_is_held_until_all_inheriting_processes_end(tmp_path: Path) -> None:
    """The command is killed but its Snakemake continues: no other call may start."""
    import sys

    folder = tmp_path / "runs" / "new"
    with locks.held(folder) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]
        )
        inherited = folder / "logs" / "command.lock"
        kept = inherited.with_name("kept")
        os.link(inherited, kept)  # a command that is killed does not remove its file
    os.rename(kept, inherited)
    with pytest.raises(UserError, match="is in use by"), locks.held(folder):
        pass
    child.communicate(b"\n")
    with locks.held(folder):
        pass


def test_a_session_of_another_machine_counts_as_alive(tmp_path: Path) -> None:
    session.begin(tmp_path)
    path = tmp_path / "logs" / "session.json"
    files.write_json(path, read_json(path) | {"host": "elsewhere"})
    with pytest.raises(UserError, match=r"on elsewhere.*remove .*session\.json"):
        session.refuse_if_busy(tmp_path)
    files.write_json(path, read_json(path) | {"host": os.uname().nodename, "pid": 2**22 - 7})
    session.refuse_if_busy(tmp_path)  # that process is dead
    assert session.is_orphaned(tmp_path)
