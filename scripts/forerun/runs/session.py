"""Who is working on a run right now: ``logs/session.json``, written at the start of each call.

A call that was killed leaves its file behind; whether it still works is asked of the machine.
"""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.runs.json_files import read_session
from forerun.runs.paths import RunPaths


def user() -> str:
    """Return the user's name, or the number where there is no name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


#: The file in a run's folder that is locked while a command works on the run.
LOCK = "logs/command.lock"


def begin(folder: str | Path) -> None:
    """Say that this process works on the run."""
    import psutil

    write_json(
        RunPaths(Path(folder)).session,
        {
            "pid": os.getpid(),
            "create_time": psutil.Process().create_time(),
            "host": socket.gethostname(),
            "user": user(),
            "started_at": now(),
        },
    )


def end(folder: str | Path) -> None:
    """Say that this process no longer works on the run."""
    path = RunPaths(Path(folder)).session
    if read_session(path).get("pid") == os.getpid():
        path.unlink(missing_ok=True)


def seconds_since_start(folder: str | Path) -> float | None:
    """Return how long the call that works on the run has lasted; None if nobody has said so."""
    known = read_session(RunPaths(Path(folder)).session)
    try:
        started = datetime.fromisoformat(known["started_at"])
        return (datetime.now(UTC) - started).total_seconds()
    except (TypeError, KeyError, ValueError, OverflowError):
        return None


def holder(folder: str | Path) -> dict[str, Any] | None:
    """Return who works on the run (``pid``, ``host``, ``user``, ``started_at``); None if nobody.

    A process of another machine is believed to be alive: it cannot be asked.
    """
    session = read_session(RunPaths(Path(folder)).session)
    if not session:
        return None
    return session if session.get("host") != socket.gethostname() or _alive(session) else None


def is_held(folder: str | Path) -> bool:
    """Tell whether a command of this machine holds the run, from its first second on.

    The lock itself is left alone: trying it could get in the way of a command that starts now.
    """
    import psutil

    path = Path(folder) / LOCK
    try:
        pid, written = int(path.read_text(encoding="utf-8")[:20]), path.stat().st_mtime
        # The number of a dead process may have been given to another one since.
        return bool(psutil.Process(pid).create_time() < written + 2)
    except (OSError, ValueError, OverflowError, psutil.Error):
        return False


def is_running(folder: str | Path) -> bool:
    """Tell whether somebody works on the run."""
    return holder(folder) is not None or is_held(folder)


def refuse_if_busy(folder: str | Path) -> None:
    """Refuse to touch a run that somebody else works on; say who."""
    busy = holder(folder)
    host = busy.get("host", "an unknown machine") if busy else ""
    here = host == socket.gethostname()
    if busy is None or (here and busy["pid"] == os.getpid()):
        return
    advice = "wait for it, or end it"
    if not here:
        advice += f"; if it has died there, remove {RunPaths(Path(folder)).session}"
    raise UserError(
        f"run '{Path(folder).name}' is in use by {busy.get('user', 'somebody')} "
        f"(process {busy['pid']} on {host}, since {busy.get('started_at', 'an unknown time')}); "
        f"{advice}"
    )


def is_orphaned(folder: str | Path) -> bool:
    """Tell whether the call that a job of this machine belongs to has died."""
    session = read_session(RunPaths(Path(folder)).session)
    if session.get("host") != socket.gethostname():
        return False
    return not _alive(session) and not _below_snakemake()


def _below_snakemake() -> bool:
    """Tell whether a living Snakemake started this process; one without hooks says nothing."""
    import psutil

    for parent in psutil.Process().parents():
        with suppress(psutil.Error):
            if "snakemake" in (os.path.basename(word) for word in parent.cmdline()[:4]):
                return True
    return False


def _alive(session: dict[str, Any]) -> bool:
    import psutil

    try:
        process = psutil.Process(session["pid"])
        # A dead process's number may have been given to another one.
        same = abs(process.create_time() - session["create_time"]) < 2
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return False
