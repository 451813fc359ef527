"""Who uses what: locks on open files and folders, and records of the processes that hold them.

The operating system releases a lock when the last process that has the file open ends, however it
ends. Descriptors are locked (``filelock.lock_descriptor``) rather than paths (``FileLock``): that
one cannot lock a folder, and its release would also release the lock for the processes that
inherited it. Where nothing can be locked, as on some network file systems, nobody is refused, and
records have to do.
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

#: The most bytes of a record that are read.
_LARGEST = 4096


class InUse(Exception):
    """Another process holds a file; `record` says which, as far as it can be read."""

    def __init__(self, record: dict[str, Any]):
        self.record = record


def own_record() -> dict[str, Any]:
    """Return what identifies this process: ``host``, ``pid`` and ``create_time``."""
    import psutil

    created = psutil.Process().create_time()
    return {"host": socket.gethostname(), "pid": os.getpid(), "create_time": created}


def is_alive(record: Mapping[str, Any]) -> bool | None:
    """Return whether the process of a record lives; None on another machine: it cannot be asked."""
    if record.get("host") != socket.gethostname():
        return None
    import psutil

    try:
        process = psutil.Process(record["pid"])
        # A dead process's number may have been given to another one.
        same = abs(process.create_time() - record["create_time"]) < 2
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return False


def lock(descriptor: int) -> bool | None:
    """Lock an open file or folder; False if another process has it, None if that is impossible."""
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
    """Lock the file `path`, made if missing, with this process's record; return it open.

    It is held until it is closed here and in the processes that have inherited it.

    Raises
    ------
    InUse
        Another process holds it.
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
    """Read who holds a file; empty if that is missing or damaged."""
    try:
        record = parse_json(read_bytes(path, _LARGEST).decode())
    except (UserError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _open_here(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
