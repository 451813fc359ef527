"""Hold a run while a command uses it, and clear the locks of a Snakemake that died."""

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
    """Hold a run for one call of the command line: a second call for it is refused.

    Gives the descriptor of the lock. A process that inherits it holds the run too; the machine lets
    go when the last of them ends, however it ends.
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
    """Hold a run that is deleted, renamed (to `moved`) or exported; refuse if it is in use.

    It is in use from the first second of a call of the command line, and from the first second of
    a plain ``snakemake`` whose command names it.
    """
    refuse_if_busy(folder)
    if folder.is_symlink():  # only the link is removed or renamed
        yield
        return
    for pid, words in _others():
        if folder.name in re.split(r"[/=\s]", " ".join(words)) and _is_unknown(pid, folder.parent):
            raise UserError(
                f"run '{folder.name}' is in use by another Snakemake (process {pid}: "
                f"{' '.join(words)[:80]}); wait for it, or end it"
            )
    try:
        file = _locked(folder)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        yield  # a folder that nobody can write to is not in the making
        return
    try:
        yield
    finally:
        _release(file, *filter(None, [folder, moved]))


def _release(file: IO[str], *folders: Path) -> None:
    """Remove the locked file, wherever its run lies now, and let it go; leave no empty folder."""
    for path in (folder / LOCK for folder in folders):
        with suppress(OSError):
            if is_at(file.fileno(), path):
                path.unlink()  # before it is let go: whoever waits makes a new one
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
            "Snakemake that it started; wait for it, or end it"
        ) from None


def clear_stale(folder: Path) -> list[str]:
    """Remove Snakemake's locks on a run that nobody works on; return the removed files' names.

    Snakemake's locks do not say whose they are. They are removed when they name files of this run
    and no other Snakemake works in this folder that could have made them.
    """
    if not _LOCKS.is_dir():
        return []
    stale = [path for path in sorted(_LOCKS.glob("*.lock")) if _names(path, folder)]
    if not stale:
        return []
    for pid, words in _others():
        if _is_unknown(pid, folder.parent):
            raise UserError(
                f"run '{folder.name}' is locked, and another Snakemake works in this folder "
                f"(process {pid}: {' '.join(words)[:80]}); wait for it, or end it"
            )
    for path in stale:
        path.unlink(missing_ok=True)
    return [path.name for path in stale]


def _names(lock: Path, folder: Path) -> bool:
    """Tell whether a lock names a file of the run."""
    run = re.escape(folder.as_posix())
    try:
        return bool(re.search(rf"^{run}(/|$)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    except (OSError, ValueError):
        return False


def _known_sessions(runs: Path) -> set[int]:
    """Return the processes that say themselves on which runs they work: not on this one."""
    found = set()
    for entry in run_folders(runs):
        if os.path.exists(os.path.join(entry.path, "logs", "session.json")):
            holder = session.holder(entry.path) or {}
            found.add(int(holder.get("pid", 0)))
    return found


def _is_unknown(pid: int, runs: Path) -> bool:
    """Tell whether a Snakemake has not said on which run it works, nor the one it belongs to."""
    import psutil

    try:
        family = {pid, *(parent.pid for parent in psutil.Process(pid).parents())}
    except psutil.Error:
        return False  # it has ended
    return not family & _known_sessions(runs)


def _others() -> Iterator[tuple[int, list[str]]]:
    """Yield process id and command of every other Snakemake that works in this folder."""
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
