"""Temporary folders outside the runs, locked while a process uses them.

Folders left by killed processes are removed by the next call that creates one.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from forerun.base.locks import is_at, lock

#: Environment variable with the machine's folder for temporary files, for processes whose TMPDIR is
#: a folder of this call.
VARIABLE = "FORERUN_TMPDIR"
_NAME = re.compile(r"forerun-(?:call|again)-[A-Za-z0-9_]{8}")


def machine_folder() -> str:
    """Return the machine's folder for temporary files, the same for all calls."""
    return os.environ.get(VARIABLE) or tempfile.gettempdir()


@dataclass(frozen=True)
class Scratch:
    """A folder and the descriptor of its lock; the folder is in use while a process has it open."""

    path: Path
    lock: int

    def remove(self) -> None:
        """Remove the folder and release its lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def make(kind: str = "call") -> Scratch:
    """Create a private folder; remove those of killed processes."""
    sweep()
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"forerun-{kind}-"))
        with suppress(FileNotFoundError):  # swept before it was locked
            descriptor = os.open(path, os.O_RDONLY)
            if lock(descriptor) is not False and is_at(descriptor, path):
                return Scratch(path, descriptor)
            os.close(descriptor)


@contextmanager
def folder(kind: str = "call") -> Iterator[Scratch]:
    """Yield a private folder for the duration of the block."""
    new = make(kind)
    try:
        yield new
    finally:
        new.remove()


def sweep() -> None:
    """Remove this user's folders that no process uses any more."""
    place = Path(tempfile.gettempdir())
    with suppress(OSError):
        for name in os.listdir(place):
            if _NAME.fullmatch(name):
                with suppress(OSError):
                    _sweep_one(place / name)


def _sweep_one(path: Path) -> None:
    state = os.lstat(path)
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if lock(descriptor):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
