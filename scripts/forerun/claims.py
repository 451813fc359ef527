"""Who trains a piece right now: a file that the worker renews, so that nobody trains it as well.

On a cluster, a job outlives the Snakemake that submitted it. When that one is killed on the login
node and started again, it submits the same piece a second time: the second job finds the claim of
the first, waits for its end, and takes what it made. A claim that is no longer renewed is dead.

A dead claim also tells that a job was killed while it worked on this piece, and not on another one
of the same job. The next claim counts such deaths.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.files import read_json, write_json

#: Seconds between two renewals, and seconds after which a claim that was not renewed is dead.
#: Compared are only times of the process that waits: clocks of two machines may differ.
RENEWED, DEAD = 5.0, 30.0


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
    except BaseException:  # as good as killed: the next holder need not wait, and counts it
        _stop(done, thread)
        with suppress(OSError):
            write_json(path, _claimant(claim, renewals[0]) | {"dead": True})
        raise
    _stop(done, thread)
    path.unlink(missing_ok=True)


def _stop(done: threading.Event, thread: threading.Thread) -> None:
    done.set()
    thread.join()


def _claim(path: Path, count: bool) -> Claim:
    """Write the claim when there is none that lives."""
    claim, seen, since = Claim(), None, time.monotonic()
    while True:
        try:
            with open(path, "x", encoding="utf-8"):
                pass
            write_json(path, _claimant(claim, 0))
            return claim
        except FileExistsError:
            known = read_json(path)
        if known != seen:
            seen, since = known, time.monotonic()
        if time.monotonic() - since > DEAD or _is_dead(known):
            claim.deaths = (known or {}).get("deaths", 0) + 1 if count else 0
            path.unlink(missing_ok=True)
            continue
        claim.waited = True
        time.sleep(0.5)


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
    except (psutil.Error, KeyError, TypeError):
        return True
