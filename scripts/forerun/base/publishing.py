"""Publishing finished files and folders under their final names without replacing anything.

Temporary names start with ``.tmp-``. A temporary folder is locked by the process that fills or
removes it, and the lock is released when that process ends for any reason: a temporary folder that
can be locked was left by a killed process and may be swept.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from forerun.base.locks import is_at, lock

TEMPORARY = ".tmp-"
#: Seconds after which a leftover is swept if locks are not supported.
STALE = 24 * 3600

#: Temporary names of this and earlier versions. The staging folder of a migration
#: (``.tmp-legacy_...``) is excluded: it has the user's only copy.
_LEFT = re.compile(r"\.tmp-(?:[0-9a-f]{12}-|deleted-\d+-|\d+-\d+$)")
#: System errors if renaming without replacing is not supported.
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
#: System errors if hard links are not supported.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


def temporary_name(path: Path) -> Path:
    """Return an unused name next to `path`."""
    return path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{path.name[-80:]}")


def flush(path: Path) -> None:
    """Force the content of a file or the entries of a folder onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- Renaming -----------------------------------------------------------------------------------


def publish(source: str | Path, target: str | Path) -> None:
    """Rename a file or folder to `target`, which must not exist.

    Raises
    ------
    FileExistsError
        The target exists, even if it was created at the same moment; it is not changed.
    """
    if os.path.lexists(target):
        raise _exists(target)
    if not _rename_exclusively(source, target):
        _publish_portably(Path(source), Path(target))


def _exists(target: str | Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


@cache
def _exclusive_rename() -> Any:
    """Return the system's function ``(source, target) -> status``, or None."""
    library = ctypes.CDLL(None, use_errno=True)
    path = ctypes.c_char_p
    with suppress(AttributeError):
        if sys.platform == "darwin":
            mac = library.renamex_np
            mac.argtypes = [path, path, ctypes.c_uint]
            return lambda source, target: mac(source, target, 4)  # RENAME_EXCL
        linux = library.renameat2
        linux.argtypes = [ctypes.c_int, path, ctypes.c_int, path, ctypes.c_uint]
        here, no_replace = -100, 1  # AT_FDCWD, RENAME_NOREPLACE
        return lambda source, target: linux(here, source, here, target, no_replace)
    return None


def _rename_exclusively(source: str | Path, target: str | Path) -> bool:
    """Rename without replacing by a system call; return False if it is not supported."""
    rename = _exclusive_rename()
    if rename is None:
        return False
    if rename(os.fsencode(source), os.fsencode(target)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    if number in (errno.EEXIST, errno.ENOTEMPTY):
        raise _exists(target)
    raise OSError(number, os.strerror(number), str(source), None, str(target))


def _publish_portably(source: Path, target: Path) -> None:
    """Create the target first, which only one process can, then rename onto it."""
    if stat.S_ISDIR(os.lstat(source).st_mode):
        os.mkdir(target)  # raises FileExistsError
        try:
            os.rename(source, target)  # replaces an empty folder only
        except OSError as error:
            with suppress(OSError):
                os.rmdir(target)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _exists(target) from error
            raise
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(source, target)
    else:
        os.unlink(source)


# -- Writing ------------------------------------------------------------------------------------


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success it becomes the folder `path`.

    Raises
    ------
    FileExistsError
        `path` exists, at the start or by the end.
    """
    with _new(Path(path), _make_folder) as temporary:
        yield temporary


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file to write; on success it becomes the file `path`.

    Raises
    ------
    FileExistsError
        `path` exists, at the start or by the end.
    """
    path = Path(path)
    sweep(path.parent, only=path.name)
    with _new(path, _make_file) as temporary:
        yield temporary


@contextmanager
def scratch_folder(place: str | Path) -> Iterator[Path]:
    """Yield a temporary folder inside `place` for the duration of the block."""
    with _temporary(Path(place) / "new", _make_folder) as temporary:
        yield temporary


@contextmanager
def _new(path: Path, make: Callable[[Path], int]) -> Iterator[Path]:
    """Yield a temporary file or folder that becomes `path` if the block succeeds."""
    if os.path.lexists(path):
        raise _exists(path)
    with _temporary(path, make) as temporary:
        yield temporary
        for file in [*sorted(temporary.rglob("*")), temporary]:
            flush(file)
        publish(temporary, path)


@contextmanager
def _temporary(path: Path, make: Callable[[Path], int]) -> Iterator[Path]:
    """Yield a locked temporary file or folder next to `path`; it is removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, held = _locked(path, make)
    try:
        yield temporary
    finally:
        _remove(temporary)
        os.close(held)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _locked(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Create and lock a temporary file or folder; retry if a sweep removed it in between."""
    while True:
        temporary = temporary_name(path)
        with suppress(FileNotFoundError):
            held = make(temporary)
            if lock(held) is not False and is_at(held, temporary):
                return temporary, held
            os.close(held)


def _make_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY)


def _make_file(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)


# -- Removing -----------------------------------------------------------------------------------


def discard(folder: str | Path) -> None:
    """Remove a folder atomically: it is renamed first; leftovers of a kill are swept later."""
    folder = Path(folder)
    gone = temporary_name(folder)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        lock(held)
        os.rename(folder, gone)
        shutil.rmtree(gone)
    finally:
        os.close(held)


def sweep(place: str | Path, only: str = "") -> None:
    """Remove temporary files and folders that killed processes left in a folder.

    Files that a living process is writing are kept. With `only`, remove just leftovers with that
    final name.
    """
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names:
        if _LEFT.match(name) and name.endswith(only[-80:]):
            with suppress(OSError):
                _sweep_one(Path(place) / name, at_once=bool(only))


def _sweep_one(path: Path, at_once: bool) -> None:
    state = os.lstat(path)
    if not (stat.S_ISDIR(state.st_mode) or stat.S_ISREG(state.st_mode)):
        return
    held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        locked = lock(held)
        # Files that are replaced (files.replacing) are written without a lock, but quickly.
        certain = locked and (at_once or stat.S_ISDIR(state.st_mode))
        old = time.time() - state.st_mtime > (60 if locked else STALE)
        if locked is False or not (certain or old):
            return
        _remove(path)
    finally:
        os.close(held)
