"""Cache of fits for reuse by other runs: ``<runs>/.store/``, plain folders without an index.

``<runs>/.store/<key>/`` is the product of a fit, named by its fingerprint
(:mod:`forerun.jobs.fingerprint`). ``entry.json`` has its description, origin and the sha256 of each
file in ``files/``. The files are read-only hard links to those of the run that trained the fit
(copies if the file system does not support links). Entries are published atomically; if two runs
store the same fit at the same time, the first entry is kept.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.files import (
    new_folder,
    read_mapping,
    replacing,
    sha256,
    states_below,
    write_json,
)
from forerun.base.publishing import discard, sweep
from forerun.jobs import fingerprint
from forerun.runs.fit import Fit
from forerun.runs.paths import MODEL, is_run_id

#: Folder of the cache, among the runs; not a valid run id.
FOLDER = ".store"


@dataclass
class Entry:
    """An entry of the cache."""

    folder: Path
    info: dict[str, Any]

    @property
    def key(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Bytes on the disk that are not shared with runs by hard links."""
        files = [state for _, state in states_below(self.folder) if stat.S_ISREG(state.st_mode)]
        return sum(state.st_size for state in files if state.st_nlink == 1)

    @property
    def files(self) -> dict[str, str]:
        """Files of the entry, relative to its folder, each with its sha256."""
        return self.info.get("files", {})

    def damaged(self) -> bool:
        """Return whether a file is missing, changed or a link, or the key does not match."""
        if not self.info or fingerprint.key(self.info["determined_by"]) != self.key:
            return True
        try:
            return any(
                not _is_plain(self.folder, name) or sha256(self.folder / name) != recorded
                for name, recorded in self.files.items()
            )
        except (OSError, UserError):
            return True


def _is_plain(folder: Path, name: str) -> bool:
    """Return whether a file of an entry is regular and its path has no links."""
    path = folder / name
    parents = path.relative_to(folder).parents
    linked = any((folder / parent).is_symlink() for parent in parents)
    return not linked and stat.S_ISREG(path.lstat().st_mode)


def of_run(folder: str | Path) -> Path:
    """Return the cache of the run in `folder`, shared with its siblings."""
    return Path(folder).absolute().parent / FOLDER


def entries(store: Path) -> Iterator[Entry]:
    """Yield all entries, sorted by key; `info` of a damaged entry may be empty."""
    names = [folder.name for folder in store.glob("*")]
    for name in sorted(name for name in names if re.fullmatch(r"[0-9a-f]{64}", name)):
        if stored := entry(store, name):
            yield stored


def entry(store: Path, key: str) -> Entry | None:
    """Return the entry with a key, damaged or not; None if there is none."""
    folder = store / key
    if not folder.is_dir():
        return None
    linked = folder.is_symlink()
    return Entry(folder, {} if linked else _checked(read_mapping(folder / "entry.json", _ENTRY)))


#: Content of ``entry.json``.
_ENTRY = {
    "run_id": str, "model": str, "stage": str, "seconds": float, "stored_at": str,
    "files": {"*": str}, "determined_by": dict,
}  # fmt: skip
#: Valid paths of files in an entry.
_FILE = re.compile(r"files/(?!.*(?:^|/)\.\.?(?:/|$))[^/\\][^\\]*|kept/[A-Za-z0-9_-][A-Za-z0-9_.-]*")


def _checked(info: dict[str, Any]) -> dict[str, Any]:
    """Return `info` if it is complete and has valid names, otherwise an empty dictionary."""
    complete = info.keys() == _ENTRY.keys() and bool(info["files"])
    if not complete or not all(map(_FILE.fullmatch, info["files"])):
        return {}
    valid = is_run_id(info["run_id"]) and re.fullmatch(MODEL, info["model"])
    return info if valid and re.fullmatch(r"[a-z_]{1,40}", info["stage"]) else {}


def find(store: Path, key: str) -> Entry | None:
    """Return the intact entry with a key, or None; a damaged entry is removed."""
    stored = entry(store, key)
    if stored and stored.damaged():
        remove(stored)
        return None
    return stored


def take(entry: Entry, fit: Fit) -> None:
    """Link the product and the kept tables of an entry into the run of a fit."""
    names = list(entry.files)
    for name in names:
        if name.startswith("kept/"):
            with replacing(fit.kept_path(Path(name).stem)) as temporary:
                _link(entry.folder / name, temporary)
    inside = [name.removeprefix("files/") for name in names if name.startswith("files/")]
    source = entry.folder / "files"
    if fit.fold is not None:
        with replacing(fit.product_path) as temporary:
            _link(source / inside[0], temporary)
        return
    with new_folder(fit.product_path) as folder:
        for name in inside:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _link(source / name, folder / name)


def put(fit: Fit, what: dict[str, Any], seconds: float) -> None:
    """Store the product of a fit with the ingredients `what`, unless there is an equal entry."""
    folder = of_run(fit.run.folder) / fingerprint.key(what)
    if folder.exists():
        return
    files = _files(fit)
    with suppress(FileExistsError), new_folder(folder) as temporary:  # or another run was faster
        for name, path in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _link(path, temporary / name)
        info: dict[str, Any] = {"run_id": fit.run.run_id, "model": fit.model, "stage": fit.stage}
        info |= {"seconds": seconds, "stored_at": now()}
        info |= {"files": {name: sha256(temporary / name) for name in sorted(files)}}
        write_json(temporary / "entry.json", info | {"determined_by": what})


def _files(fit: Fit) -> dict[str, Path]:
    """Return the files of a completed fit by their names in the cache."""
    product = fit.product_path
    files = {f"files/{product.name}": product}
    if fit.fold is None:
        inside = [path for path in product.rglob("*") if path.is_file()]
        inside = [path for path in inside if path.name != ".snakemake_timestamp"]
        files = {f"files/{path.relative_to(product)}": path for path in inside}
    return files | {f"kept/{name}.csv": path for name, path in fit.kept_tables().items()}


def remove(entry: Entry) -> None:
    """Remove an entry; runs keep the files they share with it."""
    with suppress(FileNotFoundError):
        if entry.folder.is_symlink():
            entry.folder.unlink()
        else:
            discard(entry.folder)


def prune(store: Path, older_than: float = 0, unused: bool = False) -> list[Entry]:
    """Remove entries stored more than `older_than` seconds ago, and temporary files.

    With `unused`, remove only entries whose files no run shares any more.
    """
    before, removed = time.time() - older_than, []
    for entry in list(entries(store)):
        try:
            stored = entry.folder.lstat().st_mtime
        except FileNotFoundError:  # another process has removed it
            continue
        if stored <= before and (not unused or not _used(entry) or entry.damaged()):
            remove(entry)
            removed.append(entry)
    sweep(store)
    return removed


def _used(entry: Entry) -> bool:
    states = [state for _, state in states_below(entry.folder / "files")]
    return any(stat.S_ISREG(state.st_mode) and state.st_nlink > 1 for state in states)


def _link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it, and make it read-only."""
    if not stat.S_ISREG(os.lstat(source).st_mode):
        raise OSError(f"{source} is not a regular file")
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
    mode = os.stat(target).st_mode
    if mode & 0o222:
        os.chmod(target, mode & 0o7777 & ~0o222)
