"""Two processes never train the same fit; leases of dead processes are ignored."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from forerun.jobs import lease

HOLD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
sys.path.insert(0, sys.argv[1])
from forerun.jobs import lease
with lease.held(sys.argv[2]):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""
SCRIPTS = str(Path(lease.__file__).parents[2])


def other(path: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds the lease for some seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, SCRIPTS, str(path), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL", 0.02)


def test_a_free_lease_is_acquired_at_once_and_released(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.claim"
    with lease.held(path) as held:
        assert not held.waited
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_the_second_waits_until_the_first_is_released(tmp_path: Path) -> None:
    path = tmp_path / "a.claim"
    process = other(path, 1)
    with lease.held(path) as held:
        assert held.waited
        assert process.wait(20) == 0  # it ends by itself


def test_the_lease_of_a_killed_process_is_acquired(tmp_path: Path) -> None:
    path = tmp_path / "a.claim"
    process = other(path, 60)
    process.kill()
    process.wait()
    assert path.exists()
    with lease.held(path) as held:
        assert held.deaths == 1


def test_deaths_are_counted_until_a_holder_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "a.claim"
    deaths = []
    for number in range(3):
        process = other(path, 60)
        # SIGTERM, which clusters send first, has the same effect.
        process.send_signal(signal.SIGINT if number == 1 else signal.SIGKILL)
        process.wait()
        deaths.append(json.loads(path.read_text())["deaths"])
    assert deaths == [0, 1, 2]
    with lease.held(path) as held:
        assert held.deaths == 3
    with lease.held(path) as held:
        assert held.deaths == 0
    process = other(path, 60)
    process.kill()
    process.wait()
    with lease.held(path, count=False) as held:
        assert held.deaths == 0


def test_a_lease_of_another_machine_is_dead_when_it_is_no_longer_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "DEAD", 0.5)
    path = tmp_path / "a.claim"
    holder = {"host": "elsewhere", "pid": 1, "create_time": 0.0, "renewals": 0}
    path.write_text(json.dumps(holder))
    began = time.monotonic()
    with lease.held(path):
        assert time.monotonic() - began > 0.5


def test_a_renewed_lease_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "DEAD", 0.5)
    monkeypatch.setattr(lease, "RENEWED", 0.05)
    monkeypatch.setattr(lease, "is_dead", lambda record: False)
    path, held, release = tmp_path / "a.claim", threading.Event(), threading.Event()

    def hold() -> None:
        with lease.held(path):
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    threading.Timer(1, release.set).start()
    with lease.held(path) as held:
        assert held.waited
        assert release.is_set()
    thread.join()


def test_a_reused_process_id_is_not_alive(tmp_path: Path) -> None:
    record = {"host": socket.gethostname(), "pid": os.getpid(), "create_time": 1.0}
    assert lease.is_dead(record)
    record["create_time"] = psutil.Process().create_time()
    assert not lease.is_dead(record)


def test_one_of_many_waiting_processes_acquires_a_dead_lease(tmp_path: Path) -> None:
    """In each round all wait for the same lease of a dead process; never do two hold it."""
    path, at_once, most = tmp_path / "a.claim", [0], [0]
    lock = threading.Lock()

    def work() -> None:
        start.wait()
        with lease.held(path) as held:
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
                deaths.append(held.deaths)
            time.sleep(0.05)
            with lock:
                at_once[0] -= 1

    for number in range(3):
        deaths: list[int] = []
        dead = {"host": socket.gethostname(), "pid": number, "create_time": 1.0, "deaths": 1}
        path.write_text(json.dumps(dead))
        start = threading.Barrier(6)
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most[0] == 1
        assert sorted(deaths) == [0, 0, 0, 0, 0, 2]
        assert list(tmp_path.iterdir()) == []


def test_a_lease_that_cannot_be_written_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk there is an error at once, and no lease that the next attempt waits for."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.claim"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"), lease.held(path):
            pass
    assert list(tmp_path.iterdir()) == []
    path.touch()  # as left by earlier versions
    monkeypatch.setattr(lease, "RENEWED", 0.1)
    with lease.held(path) as held:
        assert held.deaths == 1
