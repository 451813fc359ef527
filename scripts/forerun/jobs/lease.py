"""Lease on a fit: a heartbeat file, so that no fit is trained twice at the same time.

On a cluster, a job outlives the Snakemake that submitted it. If Snakemake is killed on the login
node and started again, it submits the same fit a second time: the second job finds the lease of
the first, waits for it to end, and uses its result. A lease that is no longer renewed is dead.

A dead lease also shows that a job was killed while it worked on this fit, and not on another fit
of the same job. The next lease counts such deaths.

No lock of the operating system, and not ``filelock.SoftFileLease``: locks do not reach across
machines on every file system, and that class neither counts deaths nor shows its holder.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base import locks
from forerun.base.bounded import Damaged, read_bytes
from forerun.base.errors import is_full
from forerun.base.files import json_text, new_file, publish, write_json

#: Seconds between two renewals, and seconds after which a lease that was not renewed is dead.
#: Compared are only times of the process that waits: clocks of two machines may differ.
RENEWED, DEAD = 5.0, 30.0
#: Suffix of a lease that was taken over, and the most bytes of a lease that are read.
_BURIED, _LARGEST = ".dead", 65536


@dataclass
class Lease:
    """A lease that is held.

    `waited`: whether another process held it before, so that the fit may be completed. `deaths`:
    how many holders before this one were killed.
    """

    waited: bool = False
    deaths: int = 0


@contextmanager
def held(path: str | Path, count: bool = True) -> Iterator[Lease]:
    """Hold the lease `path`; wait while another process holds it.

    Without `count`, holders that were killed earlier are forgotten.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lease, renewals = _acquire(path, count), [0]
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED):
            renewals[0] += 1
            with suppress(OSError):
                write_json(path, _record(lease, renewals[0]))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield lease
    except BaseException as error:  # as good as killed: the next need not wait, and counts it
        _stop(done, thread)
        try:
            if is_full(error):
                raise
            write_json(path, _record(lease, renewals[0]) | {"dead": True})
        except OSError:  # a full disk is no death of the holder
            _remove(path)
        raise
    _stop(done, thread)
    _remove(path)


def _remove(path: Path) -> None:
    for file in [*_graves(path), path]:
        file.unlink(missing_ok=True)


def _stop(done: threading.Event, thread: threading.Thread) -> None:
    done.set()
    thread.join()


def _acquire(path: Path, count: bool) -> Lease:
    """Write the lease once no living process holds it."""
    lease, seen, since = Lease(), None, time.monotonic()
    while True:
        try:
            with new_file(path) as temporary:  # it appears with its content, or not at all
                lease.deaths = _deaths(path) if count else 0
                temporary.write_text(json_text(_record(lease, 0)), encoding="utf-8")
            return lease
        except FileExistsError:
            content = _content(path)
        if content != seen:
            seen, since = content, time.monotonic()
        holder = _parsed(content)
        patience = DEAD if holder else RENEWED  # an empty one was left by a full disk
        if content is not None and (time.monotonic() - since > patience or is_dead(holder)):
            _bury(path, content)
            continue
        lease.waited = True
        time.sleep(0.5)


def _bury(path: Path, dead: bytes) -> None:
    """Move a dead lease out of the way; of all processes that saw it die, one succeeds.

    The others find the grave, which stays as long as the next lease.
    """
    grave = path.with_name(f"{path.name}.{hashlib.sha256(dead).hexdigest()[:16]}{_BURIED}")
    try:
        publish(path, grave)
    except FileNotFoundError:
        return
    except FileExistsError:
        if _content(path) == dead:  # the same died before: an empty one of an earlier version
            grave.unlink(missing_ok=True)
        return
    if _content(grave) != dead:  # another process was faster, and this is the new lease
        with suppress(FileExistsError, FileNotFoundError):
            publish(grave, path)
        return
    for older in _graves(path):
        if older != grave:
            older.unlink(missing_ok=True)


def _graves(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{glob.escape(path.name)}.*{_BURIED}"))


def _deaths(path: Path) -> int:
    """Return how many holders in a row were killed: the last of them knew of the others."""
    holders = [_parsed(_content(grave)) for grave in _graves(path)]
    before = [holder.get("deaths") if isinstance(holder, dict) else 0 for holder in holders]
    return max((1 + (number if isinstance(number, int) else 0) for number in before), default=0)


def _content(path: Path) -> bytes | None:
    try:
        return read_bytes(path, _LARGEST)
    except Damaged:  # what is no file is as good as an empty one
        return b"" if os.path.lexists(path) else None


def _parsed(content: bytes | None) -> Any:
    try:
        return json.loads(content or b"")
    except (ValueError, RecursionError):
        return None


def _record(lease: Lease, renewals: int) -> dict[str, Any]:
    return locks.own_record() | {"renewals": renewals, "deaths": lease.deaths}


def is_dead(record: Any) -> bool:
    """Tell whether a lease says that it is dead, or is that of a dead process on this machine."""
    if not isinstance(record, dict):
        return False
    return bool(record.get("dead")) or locks.is_alive(record) is False
