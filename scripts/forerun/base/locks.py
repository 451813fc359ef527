"""Locks on files and folders, and records of the processes that hold them.

The operating system releases a lock when the last process that has the file open ends, for any
reason. Descriptors are locked (``filelock.lock_descriptor``) rather than paths (``FileLock``),
which cannot lock folders and would release the lock for child processes that inherited it. If a
file system does not support locks, as some network file systems, only the records protect.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from forerun.base.bounded import parse_json, read_bytes
from forerun.base.errors import UserError

#: Maximum size of a record in bytes.
_LARGEST = 4096


class InUse(Exception):
    """A file is locked by another process; `record` identifies it if readable."""

    def __init__(self, record: dict[str, Any]):
        self.record = record


def own_record() -> dict[str, Any]:
    """Return the record of this process: ``host``, ``pid`` and ``create_time``."""
    import psutil

    created = psutil.Process().create_time()
    return {"host": socket.gethostname(), "pid": os.getpid(), "create_time": created}


def is_alive(record: Mapping[str, Any]) -> bool | None:
    """Return whether the process of a record is alive; None if it is on another machine."""
    if record.get("host") != socket.gethostname():
        return None
    import psutil

    try:
        process = psutil.Process(record["pid"])
        # The process id of a dead process may have been reused.
        same = abs(process.create_time() - record["create_time"]) < 2
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return False


def lock(descriptor: int) -> bool | None:
    """Lock an open file or folder; False if another process has it, None if unsupported."""
    from filelock import lock_descriptor  # some 50 ms: only when needed

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError:
        return None


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def hold(path: Path) -> IO[str]:
    """Lock the file `path`, created if missing, and write this process's record to it.

    The lock is held until the file is closed here and in all processes that inherited it.

    Raises
    ------
    InUse
        Another process holds the lock.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = open(path, "a+", encoding="utf-8", opener=_open_here)  # noqa: SIM115
        except FileNotFoundError:  # the folder was removed in between
            continue
        try:
            if lock(file.fileno()) is False:
                raise InUse(read_record(path))
            if is_at(file.fileno(), path):  # its last holder may have removed it meanwhile
                file.truncate(0)
                file.write(json.dumps(own_record()))
                file.flush()
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of the process that holds a file; empty if missing or damaged."""
    try:
        record = parse_json(read_bytes(path, _LARGEST).decode())
    except (UserError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _open_here(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
