"""Locks name their holder, records identify living processes, a child ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forerun.base import locks

SCRIPTS = str(Path(locks.__file__).parents[2])
CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from forerun.base.parent import end_with_parent
end_with_parent()
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_second_holder_gets_the_record_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.lock"
    with locks.hold(path):
        with pytest.raises(locks.InUse) as refused:
            locks.hold(path)
        assert refused.value.record == locks.own_record() == locks.read_record(path)
    with locks.hold(path):
        pass


def test_a_file_removed_by_its_holder_is_not_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with locks.hold(path):
        path.unlink()
        with locks.hold(path) as second:
            assert locks.is_at(second.fileno(), path)


def test_a_link_to_elsewhere_is_not_written_to(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / "a.lock").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"):
        locks.hold(tmp_path / "a.lock")
    assert elsewhere.read_text() == "kept"


def test_records_identify_living_processes() -> None:
    own = locks.own_record()
    assert locks.is_alive(own) is True
    assert (
        locks.is_alive(own | {"create_time": own["create_time"] - 60}) is False
    )  # a reused number
    assert locks.is_alive(own | {"pid": 2**40}) is False
    assert locks.is_alive(own | {"host": "elsewhere"}) is None
    assert locks.is_alive({}) is None


@pytest.mark.parametrize("content", [b"", b"1234", b"[" * 5000, b"\xff"])
def test_a_damaged_record_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.lock").write_bytes(content)
    assert locks.read_record(tmp_path / "a.lock") == {}


def test_a_process_ends_with_its_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, SCRIPTS, CHILD], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")
