"""Sessions: ``logs/session.json`` records the process that uses a run.

A killed call leaves its file behind, so the process of the record is checked to be alive.
"""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forerun.base import locks
from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.runs.json_files import read_session
from forerun.runs.paths import RunPaths


def user() -> str:
    """Return the user's name, or the user id if there is no name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


#: File in a run's folder that is locked while a command uses the run.
LOCK = "logs/command.lock"


def begin(folder: str | Path) -> None:
    """Record that this process uses the run."""
    record = locks.own_record() | {"user": user(), "started_at": now()}
    write_json(RunPaths(Path(folder)).session, record)


def end(folder: str | Path) -> None:
    """Remove the record of this process."""
    path = RunPaths(Path(folder)).session
    if read_session(path).get("pid") == os.getpid():
        path.unlink(missing_ok=True)


def seconds_since_start(folder: str | Path) -> float | None:
    """Return the seconds since the call that uses the run started; None if unknown."""
    record = read_session(RunPaths(Path(folder)).session)
    try:
        started = datetime.fromisoformat(record["started_at"])
        return (datetime.now(UTC) - started).total_seconds()
    except (TypeError, KeyError, ValueError, OverflowError):
        return None


def holder(folder: str | Path) -> dict[str, Any] | None:
    """Return the record of the process that uses the run; None if it is not in use.

    Keys are ``pid``, ``host``, ``user`` and ``started_at``. A process on another machine counts as
    alive.
    """
    session = read_session(RunPaths(Path(folder)).session)
    return session if session and locks.is_alive(session) is not False else None


def is_held(folder: str | Path) -> bool:
    """Return whether a command on this machine has locked the run.

    Only the record is read: trying the lock could disturb a command that starts at this moment.
    """
    return locks.is_alive(locks.read_record(Path(folder) / LOCK)) is True


def is_running(folder: str | Path) -> bool:
    """Return whether the run is in use."""
    return holder(folder) is not None or is_held(folder)


def refuse_if_busy(folder: str | Path) -> None:
    """Refuse a run that is in use by another process, and name the process."""
    busy = holder(folder)
    host = busy.get("host", "an unknown machine") if busy else ""
    here = host == socket.gethostname()
    if busy is None or (here and busy["pid"] == os.getpid()):
        return
    advice = "wait for it or stop it"
    if not here:
        advice += f"; if it no longer runs there, remove {RunPaths(Path(folder)).session}"
    raise UserError(
        f"run '{Path(folder).name}' is in use by {busy.get('user', 'another user')} "
        f"(process {busy['pid']} on {host}, since {busy.get('started_at', 'an unknown time')}); "
        f"{advice}"
    )


def is_orphaned(folder: str | Path) -> bool:
    """Return whether the call that started a job on this machine has ended."""
    session = read_session(RunPaths(Path(folder)).session)
    return locks.is_alive(session) is False and not _below_snakemake()


def _below_snakemake() -> bool:
    """Return whether this process is a descendant of a running Snakemake, even without hooks."""
    import psutil

    for parent in psutil.Process().parents():
        with suppress(psutil.Error):
            if "snakemake" in (os.path.basename(word) for word in parent.cmdline()[:4]):
                return True
    return False
