"""Fits that other runs may reuse: ``<runs>/.store/``, plain folders, no index.

``<runs>/.store/<key>/`` is one product of training, named by what determines it
(:mod:`forerun.jobs.fingerprint`): ``entry.json`` says what it is, where it comes from and the
sha256 of each file; ``files/`` holds them. They are hard links to the files of the run that
trained them (copies where the file system has no links), and read-only. An entry appears whole, by
a rename; two runs that make the same one at once both keep what they have, and the first stays.
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
from forerun.base.files import new_folder, read_mapping, replacing, sha256, write_json
from forerun.base.publishing import discard, sweep
from forerun.jobs import fingerprint
from forerun.runs.paths import MODEL, RUN_ID

#: The folder beside the runs; no run can have this name.
FOLDER = ".store"


@dataclass
class Entry:
    """One product in the store."""

    folder: Path
    info: dict[str, Any]

    @property
    def key(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Bytes on the disk that no run shares: those of files that have no other name."""
        found = [path.lstat() for path in self.folder.rglob("*")]
        files = [state for state in found if stat.S_ISREG(state.st_mode)]
        return sum(state.st_size for state in files if state.st_nlink == 1)

    @property
    def files(self) -> dict[str, str]:
        """The files of the product, below the entry, each with its sha256."""
        return self.info.get("files", {})

    def damaged(self) -> bool:
        """Tell whether a file is missing, is a link, or is not the one that was stored.

        An entry under another key than that of what it says it was made of is damaged, too.
        """
        if not self.info or fingerprint.key(self.info["determined_by"]) != self.key:
            return True
        try:
            return any(
                not _is_plain(self.folder, name) or sha256(self.folder / name) != known
                for name, known in self.files.items()
            )
        except (OSError, UserError):
            return True


def _is_plain(folder: Path, name: str) -> bool:
    """Tell whether a file of an entry is one, and no link on the way to it leads elsewhere."""
    path = folder / name
    parents = path.relative_to(folder).parents
    linked = any((folder / parent).is_symlink() for parent in parents)
    return not linked and stat.S_ISREG(path.lstat().st_mode)


def of_run(folder: str | Path) -> Path:
    """The store that the run `folder` shares with its siblings."""
    return Path(folder).absolute().parent / FOLDER


def entries(store: Path) -> Iterator[Entry]:
    """Yield all entries, sorted by key; a damaged description is an empty one."""
    names = [folder.name for folder in store.glob("*")]
    for name in sorted(name for name in names if re.fullmatch(r"[0-9a-f]{64}", name)):
        if found := entry(store, name):
            yield found


def entry(store: Path, key: str) -> Entry | None:
    """Return the entry of that key, whole or damaged; None if there is none."""
    folder = store / key
    if not folder.is_dir():
        return None
    linked = folder.is_symlink()
    return Entry(folder, {} if linked else _checked(read_mapping(folder / "entry.json", _ENTRY)))


#: What ``entry.json`` holds.
_ENTRY = {
    "run_id": str, "model": str, "stage": str, "seconds": float, "stored_at": str,
    "files": {"*": str}, "determined_by": dict,
}  # fmt: skip
#: Paths that a file of an entry can have.
_FILE = re.compile(r"files/(?!.*(?:^|/)\.\.?(?:/|$))[^/\\][^\\]*|kept/[A-Za-z0-9_-][A-Za-z0-9_.-]*")


def _checked(info: dict[str, Any]) -> dict[str, Any]:
    """Return a description whose names could have been written by :func:`put`; else nothing."""
    whole = info.keys() == _ENTRY.keys() and bool(info["files"])
    if not whole or not all(map(_FILE.fullmatch, info["files"])):
        return {}
    known = re.fullmatch(RUN_ID, info["run_id"]) and re.fullmatch(MODEL, info["model"])
    return info if known and re.fullmatch(r"[a-z_]{1,40}", info["stage"]) else {}


def find(store: Path, key: str) -> Entry | None:
    """Return the entry of that key if it is whole; a damaged one is removed."""
    found = entry(store, key)
    if found and found.damaged():
        remove(found)
        return None
    return found


def take(entry: Entry, product: str | Path, beside: str | Path = "") -> None:
    """Make `product` (a folder; a file if it has a suffix) from an entry, whole or not at all.

    Tables that were kept beside it come as ``<beside>_<name>``.
    """
    names = list(entry.files)
    for name in names:
        if name.startswith("kept/") and beside:
            with replacing(f"{beside}_{Path(name).name}") as temporary:
                _link(entry.folder / name, temporary)
    inside = [name.removeprefix("files/") for name in names if name.startswith("files/")]
    source = entry.folder / "files"
    if Path(product).suffix:
        with replacing(product) as temporary:
            _link(source / inside[0], temporary)
        return
    with new_folder(product) as folder:
        for name in inside:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _link(source / name, folder / name)


def put(
    store: Path,
    what: dict[str, Any],
    product: str | Path,
    run: str,
    seconds: float,
    beside: str | Path = "",
) -> None:
    """Store a product under the key of its ingredients `what`; do nothing if one is there.

    Tables ``<beside>_<name>.csv`` are stored with it.
    """
    folder, product = store / fingerprint.key(what), Path(product)
    if folder.exists():
        return
    files = _files(product, Path(beside))
    with suppress(FileExistsError), new_folder(folder) as temporary:  # or another run was faster
        for name, path in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _link(path, temporary / name)
        info = {"run_id": run, "model": what["model"]["name"], "stage": what["stage"]}
        info |= {"seconds": seconds, "stored_at": now()}
        info |= {"files": {name: sha256(temporary / name) for name in sorted(files)}}
        write_json(temporary / "entry.json", info | {"determined_by": what})


def _files(product: Path, beside: Path) -> dict[str, Path]:
    """What belongs to a product, under its names in the store."""
    found = {f"files/{product.name}": product}
    if product.is_dir():
        inside = [path for path in product.rglob("*") if path.is_file()]
        inside = [path for path in inside if path.name != ".snakemake_timestamp"]
        found = {f"files/{path.relative_to(product)}": path for path in inside}
    if beside.name:
        kept = beside.parent.glob(f"{beside.name}_*.csv")
        found |= {f"kept/{path.name.removeprefix(f'{beside.name}_')}": path for path in kept}
    return found


def remove(entry: Entry) -> None:
    """Remove an entry; runs that use its files keep them."""
    with suppress(FileNotFoundError):
        if entry.folder.is_symlink():
            entry.folder.unlink()
        else:
            discard(entry.folder)


def prune(store: Path, older_than: float = 0, unused: bool = False) -> list[Entry]:
    """Remove entries stored more than `older_than` seconds ago, and what killed processes left.

    With `unused`, only entries whose files no run has any more.
    """
    before, removed = time.time() - older_than, []
    for entry in list(entries(store)):
        age = entry.folder.lstat().st_mtime
        if age <= before and (not unused or not _used(entry) or entry.damaged()):
            remove(entry)
            removed.append(entry)
    sweep(store)
    return removed


def _used(entry: Entry) -> bool:
    files = [path for path in (entry.folder / "files").rglob("*") if path.is_file()]
    return any(path.stat().st_nlink > 1 for path in files)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it; either way nobody writes to it any more."""
    if not stat.S_ISREG(os.lstat(source).st_mode):
        raise OSError(f"{source} is no regular file")
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
    mode = os.stat(target).st_mode
    if mode & 0o222:
        os.chmod(target, mode & 0o7777 & ~0o222)
