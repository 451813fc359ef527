"""Making sure that nobody else works on a run, and clearing what a dead Snakemake left behind."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forerun import runs as run_folders
from forerun import session
from forerun.errors import UserError

_LOCKS = Path(".snakemake/locks")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run for one call of the command line: a second call for it is refused.

    The machine lets go of the file's lock when this process ends, however it ends.
    """
    refuse_if_busy(folder)
    path = folder / "logs" / "command.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"run '{folder.name}' is being worked on by process {file.read().strip() or '?'}; "
                "wait for it, or end it"
            ) from None
        except OSError:  # a file system without locks: the session file has to do
            pass
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            clear_stale(folder)
            yield
        finally:
            path.unlink(missing_ok=True)


def refuse_if_busy(folder: Path) -> None:
    """Refuse to touch a run that somebody works on; say who."""
    holder = session.holder(folder)
    if holder:
        raise UserError(
            f"run '{folder.name}' is being worked on by {holder.get('user', 'somebody')} "
            f"(process {holder['pid']} on {holder.get('host', 'an unknown machine')}, since "
            f"{holder.get('started_at', 'an unknown time')}); wait for it, or end it"
        )


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
    for pid, told in _others():
        if pid not in _known_sessions(folder.parent):
            raise UserError(
                f"run '{folder.name}' is locked, and another Snakemake works in this folder "
                f"(process {pid}: {told}); wait for it, or end it"
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
    for entry in run_folders.run_folders(runs):
        if os.path.exists(os.path.join(entry.path, "logs", "session.json")):
            holder = session.holder(entry.path) or {}
            found.add(int(holder.get("pid", 0)))
    return found


def _others() -> Iterator[tuple[int, str]]:
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
                yield process.info["pid"], " ".join(map(str, words))[:80]
        except psutil.Error:
            continue
