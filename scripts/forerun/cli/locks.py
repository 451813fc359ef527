"""Locks on runs while commands use them, and removal of stale Snakemake locks."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from forerun.base.errors import UserError
from forerun.base.locks import InUse, hold, is_at
from forerun.runs import session
from forerun.runs.paths import run_folders
from forerun.runs.session import LOCK, refuse_if_busy

_LOCKS = Path(".snakemake/locks")


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """Hold a run during a call of the command line; refuse it if it is in use.

    Yields the descriptor of the lock. The lock is released when the last process that inherited the
    descriptor ends for any reason.
    """
    refuse_if_busy(folder)
    file = _locked(folder)
    try:
        clear_stale(folder)
        yield file.fileno()
    finally:
        _release(file, folder)


@contextmanager
def alone(folder: Path, moved: Path | None = None) -> Iterator[None]:
    """Hold a run that is deleted, renamed (to `moved`) or exported; refuse it if it is in use.

    A run is in use as soon as a call of the command line starts, or a ``snakemake`` with the run in
    its command.
    """
    refuse_if_busy(folder)
    if folder.is_symlink():  # only the link is removed or renamed
        yield
        return
    for pid, words in _others():
        if folder.name in re.split(r"[/=\s]", " ".join(words)) and _is_unknown(pid, folder.parent):
            raise UserError(
                f"run '{folder.name}' is in use by another Snakemake (process {pid}: "
                f"{' '.join(words)[:80]}); wait for it or stop it"
            )
    try:
        file = _locked(folder)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        yield  # a read-only folder is not in use
        return
    try:
        yield
    finally:
        _release(file, *filter(None, [folder, moved]))


def _release(file: IO[str], *folders: Path) -> None:
    """Remove the locked file from the current folder of the run, and release the lock."""
    for path in (folder / LOCK for folder in folders):
        with suppress(OSError):
            if is_at(file.fileno(), path):
                path.unlink()  # before the release: waiting processes create a new file
                path.parent.rmdir()
                path.parent.parent.rmdir()
    file.close()


def _locked(folder: Path) -> IO[str]:
    """Hold the lock of a run; refuse the run if another process holds it."""
    try:
        return hold(folder / LOCK)
    except InUse as error:
        raise UserError(
            f"run '{folder.name}' is in use by process {error.record.get('pid', '?')}, or by the "
            "Snakemake that it started; wait for it or stop it"
        ) from None


def clear_stale(folder: Path) -> list[str]:
    """Remove stale Snakemake locks on a run; return the names of the removed files.

    Snakemake's locks do not identify their process. They are removed if they name files of this run
    and no other Snakemake that could own them runs in this folder.
    """
    if not _LOCKS.is_dir():
        return []
    stale = [path for path in sorted(_LOCKS.glob("*.lock")) if _names(path, folder)]
    if not stale:
        return []
    for pid, words in _others():
        if _is_unknown(pid, folder.parent):
            raise UserError(
                f"run '{folder.name}' is locked, and another Snakemake runs in this folder "
                f"(process {pid}: {' '.join(words)[:80]}); wait for it or stop it"
            )
    for path in stale:
        path.unlink(missing_ok=True)
    return [path.name for path in stale]


def _names(lock: Path, folder: Path) -> bool:
    """Return whether a lock names a file of the run."""
    run = re.escape(folder.as_posix())
    try:
        return bool(re.search(rf"^{run}(/|$)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    except (OSError, ValueError):
        return False


def _session_processes(runs: Path) -> set[int]:
    """Return the processes with a session on any run."""
    pids = set()
    for entry in run_folders(runs):
        if os.path.exists(os.path.join(entry.path, "logs", "session.json")):
            holder = session.holder(entry.path) or {}
            pids.add(int(holder.get("pid", 0)))
    return pids


def _is_unknown(pid: int, runs: Path) -> bool:
    """Return whether neither a Snakemake nor any of its parents has a session on a run."""
    import psutil

    try:
        family = {pid, *(parent.pid for parent in psutil.Process(pid).parents())}
    except psutil.Error:
        return False  # it has ended
    return not family & _session_processes(runs)


def _others() -> Iterator[tuple[int, list[str]]]:
    """Yield process id and command of other Snakemake processes in this folder."""
    import psutil

    here = os.getcwd()
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "cmdline"]):
        words: list[Any] = process.info["cmdline"] or []
        names = [os.path.basename(str(word)) for word in words[:4]]
        if process.info["pid"] in mine or "snakemake" not in names:
            continue
        try:
            if process.cwd() == here and process.status() != psutil.STATUS_ZOMBIE:
                yield process.info["pid"], [str(word) for word in words]
        except psutil.Error:
            continue
