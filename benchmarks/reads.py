"""The tables that processes read in a folder, as the kernel of Linux reports it (inotify)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPENED, _CLOSED_AFTER_READING, _OVERFLOW = 0x20, 0x10, 0x4000
_EVENT = struct.Struct("iIII")
#: Maximum bytes of events to read at once.
_MOST = 1 << 20


@contextmanager
def tables_read(folder: Path) -> Iterator[list[Path]]:
    """Yield a list of the tables below `folder` that are opened for reading inside the block.

    It is filled at the end of the block, with a path for each time. Folders that are made in the
    meantime are not watched. Other reports than inotify's miss either the children of a command or
    files that Arrow opens.
    """
    library = ctypes.CDLL(None, use_errno=True)
    queue = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    # With both events, the kernel does not merge two readings into one.
    events = _OPENED | _CLOSED_AFTER_READING
    try:
        folders = {
            _checked(library.inotify_add_watch(queue, os.fsencode(each), events)): each
            for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        }
        found: list[Path] = []
        yield found
        while happened := _read(queue):
            found += _tables(happened, folders)
    finally:
        os.close(queue)


def _checked(number: int) -> int:
    if number < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    return number


def _read(queue: int) -> bytes:
    try:
        return os.read(queue, _MOST)
    except BlockingIOError:
        return b""


def _tables(events: bytes, folders: dict[int, Path]) -> Iterator[Path]:
    start = 0
    while start < len(events):
        watch, mask, _, length = _EVENT.unpack_from(events, start)
        start += _EVENT.size + length
        if mask & _OVERFLOW:
            raise OSError("too many events: reading was not counted completely")
        name = os.fsdecode(events[start - length : start].rstrip(b"\0"))
        if mask & _CLOSED_AFTER_READING and name.endswith((".csv", ".parquet")):
            yield folders[watch] / name
