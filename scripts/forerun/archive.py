"""Runs as one file: exported, and imported without leaving the target folder."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from forerun import seal
from forerun.errors import UserError
from forerun.files import TEMPORARY, new_folder, replacing
from forerun.runs import RUN_ID, check_run_id, is_frozen, is_sealed

_LEFT_OUT = {"logs/session.json", "logs/command.lock"}
_MOST_FILES = 1_000_000


def files_below(folder: Path) -> Iterator[str]:
    """Yield the files and links below a folder, relative and sorted; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            yield os.path.relpath(os.path.join(place, name), folder)


def export_run(folder: Path, target: Path) -> int:
    """Write a run as one ``tar.gz``, whole or not at all; return the number of files in it.

    Links to files are stored as files: the archive stands on its own.
    """
    if os.path.lexists(target):
        raise UserError(f"'{target}' exists; choose another name with --output")
    number = 0
    with replacing(target) as temporary, tarfile.open(temporary, "w:gz", compresslevel=6) as tar:
        for place in _empty_folders(folder):
            tar.add(folder / place, f"{folder.name}/{place}", recursive=False)
        for name in files_below(folder):
            path = folder / name
            if name in _LEFT_OUT or TEMPORARY in path.name or not path.is_file():
                continue
            information = tar.gettarinfo(str(path), f"{folder.name}/{name}")
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                information.type, information.linkname, information.size = tarfile.REGTYPE, "", size
                information.uid = information.gid = 0
                information.uname = information.gname = ""
                tar.addfile(information, file)
            number += 1
    return number


def _empty_folders(folder: Path) -> Iterator[str]:
    """Yield folders without content: they are how failed models are marked."""
    for place, folders, names in os.walk(folder):
        if not folders and not names and place != str(folder):
            yield os.path.relpath(place, folder)


def import_run(archive: Path, runs: Path, run_id: str | None = None) -> Path:
    """Unpack an exported run into `runs`, whole or not at all; return its folder.

    Raises
    ------
    UserError
        The file is no such archive, has entries that are neither plain files nor folders or lie
        outside the run's folder, does not fit, is damaged, or the run exists already.
    """
    if not archive.is_file():
        what = "is a folder" if archive.is_dir() else "does not exist"
        raise UserError(f"'{archive}' {what}; give a file that 'forerun export' has written")
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = _checked(tar, archive, runs)
            name = check_run_id(run_id or members[0][1].parts[0])
            target = runs / name
            if os.path.lexists(target):
                raise UserError(f"run '{name}' exists in {runs}; give the other a name: --run-id")
            with new_folder(target) as temporary:
                for member, path in members:
                    _unpack(tar, member, temporary.joinpath(*path.parts[1:]))
                _check_run(temporary, archive)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"'{archive}' cannot be read as a tar.gz archive: {reason}") from error
    return target


def _checked(
    tar: tarfile.TarFile, archive: Path, runs: Path
) -> list[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Look at every entry before anything is written."""
    found: list[tuple[tarfile.TarInfo, PurePosixPath]] = []
    seen: set[PurePosixPath] = set()
    free = shutil.disk_usage(_existing(runs)).free
    total = 0
    for member in tar:
        path = _safe_path(member, archive)
        if path in seen and not member.isdir():
            raise UserError(f"'{archive}' is refused: '{member.name}' is in it twice")
        seen.add(path)
        total += member.size
        if total > free or len(found) > _MOST_FILES:
            raise UserError(f"'{archive}' is refused: unpacked it is larger than the free space")
        found.append((member, path))
    if not found:
        raise UserError(f"'{archive}' is empty")
    tops = {path.parts[0] for _, path in found}
    if len(tops) != 1 or not re.fullmatch(RUN_ID, next(iter(tops))):
        raise UserError(f"'{archive}' is refused: it does not hold one folder with a run's name")
    return found


def _safe_path(member: tarfile.TarInfo, archive: Path) -> PurePosixPath:
    name = member.name
    path = PurePosixPath(name)
    bad = path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts
    if bad or any(ord(letter) < 32 for letter in name):
        raise UserError(f"'{archive}' is refused: {name!r} would lie outside the run's folder")
    if not (member.isreg() or member.isdir()):
        raise UserError(f"'{archive}' is refused: {name!r} is a link or a device, not a file")
    if member.isreg() and len(path.parts) < 2:
        raise UserError(f"'{archive}' is refused: {name!r} lies outside a run's folder")
    return path


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one entry; owner and permissions in the archive mean nothing here."""
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)
    os.utime(target, (member.mtime, member.mtime))
    if stat.S_ISLNK(os.lstat(target).st_mode):  # cannot be: the folder is new and ours
        raise UserError(f"'{member.name}' became a link")


def _check_run(folder: Path, archive: Path) -> None:
    if not is_frozen(folder):
        raise UserError(f"'{archive}' is refused: there is no config.yaml in it")
    if is_sealed(folder):
        wrong = [f"{kind} {name}" for kind, names in seal.verify(folder).items() for name in names]
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise UserError(f"'{archive}' is refused: it is damaged ({'; '.join(wrong[:3])}{more})")
