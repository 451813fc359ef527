"""Huge pages for a process that forks often: a fork copies its page tables, 2 MB at a time then.

A process with torch imported has 120,000 pages, and forking it takes a tenth of a second.
"""

from __future__ import annotations

import ctypes
import gc
import os

#: As in ``asm-generic/mman-common.h``: collapse into huge pages now.
MADV_COLLAPSE = 25
MAPS = "/proc/self/maps"
SIZE = 1 << 21


def collapse() -> None:
    """Collapse the private memory of this process, where the kernel can."""
    if not os.path.exists(MAPS):  # not Linux
        return
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    with open(MAPS) as maps:
        lines = [line.split() for line in maps]
    for place, rights, _, _, inode, *_ in lines:
        if (rights, inode) == ("rw-p", "0"):
            start, end = (int(number, 16) for number in place.split("-"))
            start, end = -(-start // SIZE) * SIZE, end // SIZE * SIZE
            if end > start:
                libc.madvise(start, end - start, MADV_COLLAPSE)


def before_freezing() -> None:
    """Have memory collapsed when all is imported: when `gc.freeze` is called.

    After that, little garbage is not searched for.
    """
    freeze = gc.freeze

    def collapse_and_freeze() -> None:
        collapse()
        freeze()
        gc.set_threshold(100_000, 20, 20)

    gc.freeze = collapse_and_freeze
