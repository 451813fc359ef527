"""Who trains a piece right now: a file that the worker renews, so that nobody trains it as well.

On a cluster, a job outlives the Snakemake that submitted it. When that one is killed on the login
node and started again, it submits the same piece a second time: the second job finds the claim of
the first, waits for its end, and takes what it made. A claim that is no longer renewed is dead.

A dead claim also tells that a job was killed while it worked on this piece, and not on another one
of the same job. The next claim counts such deaths.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged, read_bytes
from forerun.base.errors import is_full
from forerun.base.files import json_text, new_file, publish, write_json

#: Seconds between two renewals, and seconds after which a claim that was not renewed is dead.
#: Compared are only times of the process that waits: clocks of two machines may differ.
RENEWED, DEAD = 5.0, 30.0
#: Ending of the name of a claim that was taken over, and the most bytes of a claim that are read.
_BURIED, _LARGEST = ".dead", 65536


@dataclass
class Claim:
    """A claim that is held.

    `waited`: whether another process held it before, so that the piece may be done. `deaths`: how
    many holders before this one were killed.
    """

    waited: bool = False
    deaths: int = 0


@contextmanager
def held(path: str | Path, count: bool = True) -> Iterator[Claim]:
    """Hold the claim `path`; wait while another process holds it.

    Without `count`, holders that were killed earlier are forgotten.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    claim, renewals = _claim(path, count), [0]
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED):
            renewals[0] += 1
            with suppress(OSError):
                write_json(path, _claimant(claim, renewals[0]))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield claim
    except BaseException as error:  # as good as killed: the next need not wait, and counts it
        _stop(done, thread)
        try:
            if is_full(error):
                raise
            write_json(path, _claimant(claim, renewals[0]) | {"dead": True})
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


def _claim(path: Path, count: bool) -> Claim:
    """Write the claim when there is none that lives."""
    claim, seen, since = Claim(), None, time.monotonic()
    while True:
        try:
            with new_file(path) as temporary:  # it appears with its content, or not at all
                claim.deaths = _deaths(path) if count else 0
                temporary.write_text(json_text(_claimant(claim, 0)), encoding="utf-8")
            return claim
        except FileExistsError:
            content = _content(path)
        if content != seen:
            seen, since = content, time.monotonic()
        holder = _parsed(content)
        patience = DEAD if holder else RENEWED  # an empty one was left by a full disk
        if content is not None and (time.monotonic() - since > patience or _is_dead(holder)):
            _bury(path, content)
            continue
        claim.waited = True
        time.sleep(0.5)


def _bury(path: Path, dead: bytes) -> None:
    """Move a dead claim out of the way; of all that have seen it die, one succeeds.

    The others find the grave, which stays as long as the claim that comes next.
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
    if _content(grave) != dead:  # somebody else was faster, and this is the new claim
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


def _claimant(claim: Claim, renewals: int) -> dict[str, Any]:
    import psutil

    created = psutil.Process().create_time()
    host = socket.gethostname()
    who = {"host": host, "pid": os.getpid(), "create_time": created}
    return who | {"renewals": renewals, "deaths": claim.deaths}


def _is_dead(known: Any) -> bool:
    """Tell whether a claim says that it is dead, or is a dead process' of this machine."""
    if isinstance(known, dict) and known.get("dead"):
        return True
    if not isinstance(known, dict) or known.get("host") != socket.gethostname():
        return False
    import psutil

    try:
        process = psutil.Process(known["pid"])
        same = abs(process.create_time() - known["create_time"]) < 2
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return True
