"""Who trains a piece right now: a file that the worker renews, so that nobody trains it as well.

On a cluster, a job outlives the Snakemake that submitted it. When that one is killed on the login
node and started again, it submits the same piece a second time: the second job finds the claim of
the first, waits for its end, and takes what it made. A claim that is no longer renewed is dead.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from forerun.files import read_json, write_json

#: Seconds between two renewals, and seconds after which a claim that was not renewed is dead.
#: Compared are only times of the process that waits: clocks of two machines may differ.
RENEWED, DEAD = 5.0, 30.0


@contextmanager
def held(path: str | Path) -> Iterator[bool]:
    """Hold the claim `path`; wait while another process holds it.

    Gives whether it had to wait: then the piece may be done.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    waited, renewals = _claim(path), [0]
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED):
            renewals[0] += 1
            with suppress(OSError):
                write_json(path, _claimant(renewals[0]))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield waited
    finally:
        done.set()
        thread.join()
        path.unlink(missing_ok=True)


def _claim(path: Path) -> bool:
    """Write the claim when there is none that lives; tell whether another one was waited for."""
    waited, seen, since = False, None, time.monotonic()
    while True:
        try:
            with open(path, "x", encoding="utf-8"):
                pass
            write_json(path, _claimant(0))
            return waited
        except FileExistsError:
            known = read_json(path)
        if known != seen:
            seen, since = known, time.monotonic()
        if time.monotonic() - since > DEAD or _is_dead(known):
            path.unlink(missing_ok=True)
            continue
        waited = True
        time.sleep(0.5)


def _claimant(renewals: int) -> dict[str, Any]:
    import psutil

    created = psutil.Process().create_time()
    host = socket.gethostname()
    return {"host": host, "pid": os.getpid(), "create_time": created, "renewals": renewals}


def _is_dead(known: Any) -> bool:
    """Tell whether a claim of this machine belongs to a process that has ended."""
    if not isinstance(known, dict) or known.get("host") != socket.gethostname():
        return False
    import psutil

    try:
        process = psutil.Process(known["pid"])
        same = abs(process.create_time() - known["create_time"]) < 2
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError):
        return True
