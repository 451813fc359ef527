"""Export of runs as archives, and safe import."""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from forerun.base import stream
from forerun.base.errors import UserError
from forerun.base.files import TEMPORARY, new_file, new_folder
from forerun.base.publishing import sweep
from forerun.config.settings import read_frozen
from forerun.runs import seal, summary
from forerun.runs.fit import CHECKPOINT, LEASE
from forerun.runs.paths import check_run_id, is_run_id
from forerun.runs.state import is_frozen, is_sealed

#: Default maximum size of an unpacked run in bytes (``import --max-size``).
MAX_SIZE = 20 * 10**9

#: Files about processes that use the run and about the times of its files, meaningless elsewhere.
_LEFT_OUT = {"logs/session.json", "logs/command.lock", summary.NAME}
_MOST_FILES = 1_000_000
#: Longest path of an entry, deepest nesting, and the first second after the year 9999.
_LONGEST, _DEEPEST, _LATEST = 1000, 40, 253402300800
#: Errors of damaged or malicious streams, besides OSError without a number.
_DAMAGES = (
    tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError,
    RecursionError, MemoryError,
)  # fmt: skip
#: System errors caused by the name of an entry.
_REFUSED = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP)


def files_below(folder: Path) -> Iterator[str]:
    """Yield the files and links below a folder, relative and sorted; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            yield os.path.relpath(os.path.join(place, name), folder)


def export_run(folder: Path, target: Path) -> int:
    """Write a run to a ``tar.gz``, completely or not at all; return its number of files.

    Links to files of the run are stored as files. Links out of the run are refused, as their
    targets may be private.
    """
    exists = UserError(f"'{target}' exists; choose another name with --output")
    number = 0
    names = [name for name in files_below(folder) if _is_exported(folder, name)]
    try:
        with (
            new_file(target) as temporary,
            tarfile.open(temporary, "w:gz", compresslevel=6) as tar,
        ):
            for place in _empty_folders(folder):
                tar.add(folder / place, f"{folder.name}/{place}", recursive=False)
            for name in names:
                _add(tar, _inside(folder, name), f"{folder.name}/{name}")
                number += 1
    except FileExistsError:
        raise exists from None
    return number


def _is_exported(folder: Path, name: str) -> bool:
    path = PurePosixPath(folder.name, Path(name).as_posix())
    return not _is_left_out(path) and _inside(folder, name).is_file()


def _inside(folder: Path, name: str) -> Path:
    """Return the file behind a name in the run; refuse a link that points outside."""
    real = (folder / name).resolve()
    if not real.is_relative_to(folder.resolve()):
        raise UserError(
            f"'{folder / name}' is a link to '{real}' outside the run; replace it by the file, or "
            "remove it"
        )
    return real


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # the path has been resolved
    with os.fdopen(descriptor, "rb") as file:
        information = tar.gettarinfo(arcname=name, fileobj=file)
        information.type, information.linkname = tarfile.REGTYPE, ""
        information.size = os.fstat(file.fileno()).st_size
        information.uid = information.gid = 0
        information.uname = information.gname = ""
        tar.addfile(information, file)


def _empty_folders(folder: Path) -> Iterator[str]:
    """Yield empty folders, which mark failed models."""
    for place, folders, names in os.walk(folder):
        if not folders and not names and place != str(folder):
            yield os.path.relpath(place, folder)


def import_run(
    archive: Path, runs: Path, run_id: str | None = None, max_size: int = MAX_SIZE
) -> Path:
    """Unpack an exported run into `runs`, completely or not at all; return its folder.

    Sessions, locks, leases and checkpoints are skipped.

    Parameters
    ----------
    max_size : maximum size of the unpacked run in bytes

    Raises
    ------
    UserError
        The file is not such an archive, has entries other than regular files and folders or outside
        the run's folder, is too large or damaged, or the run exists.
    """
    sweep(runs)
    if not archive.is_file():
        what = "is a folder" if archive.is_dir() else "does not exist"
        if os.path.lexists(archive) and not archive.is_dir():
            what = "is not a file"
        raise UserError(f"'{archive}' {what}; use a file written by 'forerun export'")
    try:
        return _imported(archive, runs, run_id, max_size)
    except OSError as error:
        if error.errno is not None and error.errno not in _REFUSED:
            raise
        raise _unreadable(archive, error) from error
    except _DAMAGES as error:
        raise _unreadable(archive, error) from error


def _unreadable(archive: Path, error: BaseException) -> UserError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return UserError(f"'{archive}' cannot be read as a tar.gz archive: {reason}")


def _imported(archive: Path, runs: Path, run_id: str | None, max_size: int) -> Path:
    limit = min(max_size, shutil.disk_usage(_existing(runs)).free)
    with (
        stream.opened(archive, limit) as source,
        tarfile.open(fileobj=cast("IO[bytes]", source), mode="r:") as tar,
    ):
        members = _checked(tar, archive, limit, max_size)
        name = check_run_id(run_id or members[0][1].parts[0])
        target = runs / name
        exists = UserError(f"run '{name}' exists in {runs}; choose another name with --run-id")
        if os.path.lexists(target):
            raise exists
        try:
            with new_folder(target) as temporary:
                for member, path in members:
                    if not _is_left_out(path):
                        _unpack(tar, member, temporary.joinpath(*path.parts[1:]))
                source.drain()  # verifies the checksum at the end of the stream
                _check_run(temporary, archive)
        except FileExistsError as error:
            raise (exists if error.filename == str(target) else error) from None
    return target


def _is_left_out(path: PurePosixPath) -> bool:
    """Return whether an entry is about a process that used the run, or is a temporary file."""
    inside = path.relative_to(path.parts[0])
    temporary = any(part.startswith(TEMPORARY) for part in inside.parts)
    of_a_fit = {LEASE, CHECKPOINT} & {*inside.suffixes}
    return str(inside) in _LEFT_OUT or bool(of_a_fit) or temporary


def _checked(
    tar: tarfile.TarFile, archive: Path, limit: int, max_size: int
) -> list[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Check all entries before anything is written."""
    found: list[tuple[tarfile.TarInfo, PurePosixPath]] = []
    files: set[PurePosixPath] = set()
    parents: set[PurePosixPath] = set()
    total = 0
    for member in tar:
        path = _safe_path(member, archive)
        if path in files or (member.isreg() and path in parents) or files & {*path.parents}:
            raise UserError(f"'{archive}' is refused: it contains {member.name!r} twice")
        parents |= {*path.parents} | (set() if member.isreg() else {path})
        files |= {path} if member.isreg() else set()
        total += member.size
        if total > limit:
            most = f"larger than {max_size / 1e9:g} GB (--max-size)"
            most = most if limit == max_size else "larger than the free space"
            raise UserError(f"'{archive}' is refused: unpacked it is {most}")
        if len(found) >= _MOST_FILES:
            raise UserError(f"'{archive}' is refused: more than {_MOST_FILES} entries")
        found.append((member, path))
    if not found:
        raise UserError(f"'{archive}' is empty")
    tops = {path.parts[0] for _, path in found}
    if len(tops) != 1 or not is_run_id(next(iter(tops))):
        raise UserError(f"'{archive}' is refused: it is not a single folder named after a run")
    return found


def _safe_path(member: tarfile.TarInfo, archive: Path) -> PurePosixPath:
    """Return the path of an entry inside the archive; refuse unsafe entries."""

    def refused(why: str) -> UserError:
        return UserError(f"'{archive}' is refused: {member.name[:200]!r} {why}")

    name = member.name
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise refused("would be outside the run's folder")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise refused("has characters that are invalid in file names")
    if len(name) > _LONGEST or len(path.parts) > _DEEPEST:
        raise refused("has a path that is too long")
    if not (member.isreg() or member.isdir()):
        raise refused("is a link or a device, not a file")
    if member.issparse() or member.size < 0:
        raise refused("is a sparse file, which 'forerun export' does not write")
    if member.isreg() and len(path.parts) < 2:
        raise refused("is outside the run's folder")
    if not 0 <= member.mtime < _LATEST:  # nan compares as False
        raise refused("has an invalid time")
    tarfile.data_filter(member, "/nowhere")  # checks of Python's own filter
    return path


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one entry; owner and permissions in the archive are ignored."""
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    named = member.replace(name=target.name, mode=cast("int", None), deep=False)  # the usual mode
    tar.extract(named, target.parent, filter="data")


def _check_run(folder: Path, archive: Path) -> None:
    if not is_frozen(folder):
        raise UserError(f"'{archive}' is refused: it contains no config.yaml")
    try:
        read_frozen(folder / "config.yaml")
    except UserError as error:
        reason = str(error).replace(f"{folder}{os.sep}", "")
        raise UserError(f"'{archive}' is refused: {reason}") from None
    if is_sealed(folder):
        wrong = [f"{kind} {name}" for kind, names in seal.verify(folder).items() for name in names]
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise UserError(f"'{archive}' is refused: it is damaged ({'; '.join(wrong[:3])}{more})")
