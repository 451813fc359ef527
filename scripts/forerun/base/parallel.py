"""Work on several cores, in forked processes that share the memory of their parent."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from forerun.base.parent import end_with_parent

R = TypeVar("R")

#: In a worker: what it calls.
_FUNCTION: list[Callable[[int], Any]] = []


def each(function: Callable[[int], R], count: int, processes: int) -> Iterator[R]:
    """Yield ``function(0)``, ``function(1)``..., in order, from at most so many processes.

    With one process, and where forking is not safe (outside of Linux), this process calls it. Only
    results travel between processes; whatever the function needs is in memory when they fork.

    Raises
    ------
    MemoryError
        If a process was killed.
    """
    if min(processes, count) < 2 or sys.platform != "linux":
        yield from map(function, range(count))
        return
    pool = ProcessPoolExecutor(
        min(processes, count), get_context("fork"), _begin, (function, os.getpid())
    )
    try:
        with warnings.catch_warnings():
            # Threads of numerical libraries are idle, and none of them holds a lock.
            warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
            found = pool.map(_call, range(count))
        yield from found
    except BrokenProcessPool as error:
        raise MemoryError(
            "a process was killed; most often the machine ran out of memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(function: Callable[[int], Any], parent: int) -> None:
    end_with_parent(signal.SIGKILL, parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    _FUNCTION[:] = [function]


def _call(number: int) -> Any:
    return _FUNCTION[0](number)
