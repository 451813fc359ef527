"""Garbage collection: not while libraries are imported, nor when a process ends.

Python looks at all objects again and again while libraries are imported, a fifth of the time for
those of networks, and several times when a process ends: half a second for Snakemake.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


def end_fast() -> None:
    """Let this process end without a search for garbage."""
    atexit.register(gc.freeze)


@contextmanager
def paused() -> Iterator[None]:
    """Search for no garbage inside the block."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
