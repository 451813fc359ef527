"""Lease on a fit: a heartbeat file that prevents training a fit twice at the same time.

On a cluster, a job outlives the Snakemake that submitted it. If Snakemake is killed on the login
node and started again, it submits the same fit a second time: the second job finds the lease of
the first, waits for it to end, and uses its result. A lease that is no longer renewed is dead.

A dead lease also identifies the fit during which a job was killed, as a job may run several. The
next lease counts such deaths.

Locks of the operating system do not work across machines on all file systems, and
``filelock.SoftFileLease`` neither counts deaths nor identifies its holder.
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

#: Seconds between two renewals, and seconds without renewal after which a lease is dead. Only times
#: of the waiting process are compared: clocks of two machines may differ.
RENEWED, DEAD = 5.0, 30.0
#: Seconds between two looks at the lease of another process.
POLL = 0.5
#: Suffix of a dead lease, and maximum size of a lease in bytes.
_BURIED, _LARGEST = ".dead", 65536


@dataclass
class Lease:
    """A held lease.

    Attributes
    ----------
    waited : whether another process held it before, so that the fit may be completed
    deaths : number of earlier holders that were killed
    """

    waited: bool = False
    deaths: int = 0


@contextmanager
def held(path: str | Path, count: bool = True) -> Iterator[Lease]:
    """Hold the lease `path`; wait while another process holds it.

    Without `count`, deaths of earlier holders are not counted.
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
    except BaseException as error:  # counts as a death, without a wait for the next holder
        _stop(done, thread)
        try:
            if is_full(error):
                raise
            write_json(path, _record(lease, renewals[0]) | {"dead": True})
        except OSError:  # a full disk does not count as a death
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
    """Write the lease as soon as no living process holds it."""
    lease, seen, since = Lease(), None, time.monotonic()
    while True:
        try:
            with new_file(path) as temporary:
                lease.deaths = _deaths(path) if count else 0
                temporary.write_text(json_text(_record(lease, 0)), encoding="utf-8")
            return lease
        except FileExistsError:
            content = _content(path)
        if content != seen:
            seen, since = content, time.monotonic()
        holder = _parsed(content)
        patience = DEAD if holder else RENEWED  # an empty lease was left by a full disk
        if content is not None and (time.monotonic() - since > patience or is_dead(holder)):
            _bury(path, content)
            continue
        lease.waited = True
        time.sleep(POLL)


def _bury(path: Path, dead: bytes) -> None:
    """Rename a dead lease; of all processes that saw it die, one succeeds.

    The others find the renamed file, which is kept until the next lease is released.
    """
    grave = path.with_name(f"{path.name}.{hashlib.sha256(dead).hexdigest()[:16]}{_BURIED}")
    try:
        publish(path, grave)
    except FileNotFoundError:
        return
    except FileExistsError:
        if _content(path) == dead:  # an equal lease died before: an empty one of an earlier version
            grave.unlink(missing_ok=True)
        return
    if _content(grave) != dead:  # another process was faster: this is its new lease
        with suppress(FileExistsError, FileNotFoundError):
            publish(grave, path)
        return
    for older in _graves(path):
        if older != grave:
            older.unlink(missing_ok=True)


def _graves(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{glob.escape(path.name)}.*{_BURIED}"))


def _deaths(path: Path) -> int:
    """Return the number of consecutive killed holders; each lease has the number before it."""
    holders = [_parsed(_content(grave)) for grave in _graves(path)]
    before = [holder.get("deaths") if isinstance(holder, dict) else 0 for holder in holders]
    return max((1 + (number if isinstance(number, int) else 0) for number in before), default=0)


def _content(path: Path) -> bytes | None:
    try:
        return read_bytes(path, _LARGEST)
    except Damaged:  # anything but a regular file is treated as an empty lease
        return b"" if os.path.lexists(path) else None


def _parsed(content: bytes | None) -> Any:
    try:
        return json.loads(content or b"")
    except (ValueError, RecursionError):
        return None


def _record(lease: Lease, renewals: int) -> dict[str, Any]:
    return locks.own_record() | {"renewals": renewals, "deaths": lease.deaths}


def is_dead(record: Any) -> bool:
    """Return whether a lease is marked as dead or its process on this machine has ended."""
    if not isinstance(record, dict):
        return False
    return bool(record.get("dead")) or locks.is_alive(record) is False
