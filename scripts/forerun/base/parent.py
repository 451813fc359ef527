"""Ending a process together with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time


def end_with_parent(number: int = signal.SIGTERM, parent: int | None = None) -> None:
    """Send this process a signal when its parent ends for any reason.

    On Linux the kernel sends it, elsewhere a watching thread.

    Parameters
    ----------
    parent : process id of the parent, if known: it may have ended before this is called
    """
    parent = os.getppid() if parent is None else parent
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(number))  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os.kill(os.getpid(), number)
    else:
        threading.Thread(target=_watch, args=(number, parent), daemon=True).start()


def _watch(number: int, parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os.kill(os.getpid(), number)
