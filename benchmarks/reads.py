"""The tables that processes read in a folder, as the kernel of Linux reports it (inotify)."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType

_OPENED, _CLOSED_AFTER_READING, _OVERFLOW = 0x20, 0x10, 0x4000
_EVENT = struct.Struct("iIII")
#: Maximum bytes of events to read at once.
_MOST = 1 << 20


class Reads:
    """Context manager that notes each time when a table below `folder` was opened for reading.

    Folders that are made in the meantime are not watched. Other reports than inotify's miss either
    the children of a command or files that Arrow opens.

    Attributes
    ----------
    files : paths of the tables, one for each time
    """

    def __init__(self, folder: Path):
        self.files: list[Path] = []
        self._library = ctypes.CDLL(None, use_errno=True)
        self._queue = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        # With both events, the kernel does not merge two readings into one.
        self._folders = {
            self._checked(
                self._library.inotify_add_watch(
                    self._queue, os.fsencode(each), _OPENED | _CLOSED_AFTER_READING
                )
            ): each
            for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        }

    def _checked(self, number: int) -> int:
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        return number

    def __enter__(self) -> Reads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while events := self._read():
                self._note(events)
        finally:
            os.close(self._queue)

    def _read(self) -> bytes:
        try:
            return os.read(self._queue, _MOST)
        except BlockingIOError:
            return b""

    def _note(self, events: bytes) -> None:
        start = 0
        while start < len(events):
            watch, mask, _, length = _EVENT.unpack_from(events, start)
            start += _EVENT.size + length
            if mask & _OVERFLOW:
                raise OSError("too many events: reading was not counted completely")
            name = os.fsdecode(events[start - length : start].rstrip(b"\0"))
            if mask & _CLOSED_AFTER_READING and name.endswith((".csv", ".parquet")):
                self.files.append(self._folders[watch] / name)
