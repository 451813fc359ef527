"""Checksums of what is made from a sealed run: forecasts, plots, the report, pictures of series.

These can be made again at any time, so the seal does not cover them. Whenever they are made, their
checksums are written to ``checksums/<what>.json`` in the run. A record is written before its files
appear under their names, marked as not complete, and again afterwards: whenever a process is
killed, the record tells the truth about the files that exist.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forerun.base.files import place, read_json, sha256, write_json
from forerun.base.publishing import TEMPORARY, new_folder, scratch_folder

#: What is recorded, relative to the run's folder; a folder stands for everything in it.
CLASSES = ("predictions", "plots", "report.html", "inference", "comparisons")
#: The folder of the records.
FOLDER = "checksums"
#: Files that tools leave in folders and that say nothing about the run.
IGNORED = (".snakemake_timestamp", ".DS_Store")
#: What has no checksum: it says how a run was made, and may be written to at any time.
UNCHECKED = (FOLDER, "SEALED", "logs", "benchmarks", "imported.json")


@dataclass
class Checked:
    """How the files of one class compare with their records, by name."""

    recorded: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Every difference on a separate line."""
        kinds = {"missing": self.missing, "changed": self.changed, "extra": self.extra}
        return [f"{kind}: {name}" for kind, names in kinds.items() for name in names]


# -- Recording ----------------------------------------------------------------------------------


def record_path(run: str | Path, what: str) -> Path:
    """Return the path of a record: of ``predictions``, ``report.html``, ``inference/<name>``..."""
    return Path(run) / FOLDER / ("report.json" if what == "report.html" else f"{what}.json")


@contextmanager
def recorded_folder(run: str | Path, what: str) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success it becomes ``<run>/<what>``, recorded.

    Raises
    ------
    FileExistsError
        The folder exists, at the start or by the end: :func:`forerun.base.publishing.new_folder`.
    """
    run = Path(run)
    with new_folder(run / what) as temporary:
        yield temporary
        sums = {f"{what}/{name}": sha256(temporary / name) for name in _files(temporary)}
        _write(run, what, sums, complete=False)
    _write(run, what, sums, complete=True)


@contextmanager
def recorded_files(run: str | Path, folder: str, what: str) -> Iterator[Path]:
    """Yield a temporary folder; on success its files are put into ``<run>/<folder>``, recorded.

    Files of the same name are replaced: these are pictures and pages that are made again.

    Parameters
    ----------
    folder : relative to the run; ``.`` is the run's own
    what : name of the record
    """
    run = Path(run)
    with scratch_folder(run / folder) as temporary:
        yield temporary
        names = _files(temporary)
        sums = {(Path(folder) / name).as_posix(): sha256(temporary / name) for name in names}
        _write(run, what, sums, complete=False)
        for name in names:
            place(temporary / name, run / folder / name)
    _write(run, what, sums, complete=True)


def _write(run: Path, what: str, sums: dict[str, str], complete: bool) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(record_path(run, what), {"made_at": at, "complete": complete, "sha256": sums})


def _files(folder: Path) -> list[str]:
    """Return all files and links below a folder, relative and sorted; links are not followed."""
    found = []
    for where, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        folders[:] = [name for name in folders if not name.startswith(TEMPORARY)]
        found += [
            os.path.relpath(os.path.join(where, name), folder)
            for name in [*names, *links]
            if name not in IGNORED and not name.startswith(TEMPORARY)
        ]
    return sorted(found)


# -- Checking -----------------------------------------------------------------------------------


def derived_files(run: str | Path) -> list[str]:
    """Return every file that exists of what is recorded, relative to the run's folder."""
    run, found = Path(run), []
    for what in CLASSES:
        if (run / what).is_dir() and not (run / what).is_symlink():
            found += [f"{what}/{name}" for name in _files(run / what)]
        elif os.path.lexists(run / what):
            found.append(what)
    return found


def strays(run: str | Path, frozen: tuple[str, ...]) -> list[str]:
    """Return the files that belong neither to what is frozen nor to what is recorded."""
    run, found = Path(run), []
    places = {*frozen, *CLASSES, *UNCHECKED}
    for path in run.iterdir():
        if path.name in places or path.match("cv_results_*.csv"):
            continue
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(TEMPORARY):
            found += [f"{path.name}/{name}" for name in _files(path)]
        elif path.name not in IGNORED and not path.name.startswith(TEMPORARY):
            found.append(path.name)
    return sorted(found)


def unrecorded(run: str | Path) -> list[str]:
    """Return the files without a record: an earlier version has made them."""
    sums, _, _ = _recorded(Path(run))
    return [name for name in derived_files(run) if name not in sums]


def check(run: str | Path, tolerated: list[str] | None = None) -> dict[str, Checked]:
    """Compare what has been made from a run with its records, class by class.

    Parameters
    ----------
    tolerated : files that need no record; None if no file needs one (a seal of an earlier version)
    """
    run = Path(run)
    found = {what: Checked() for what in CLASSES}
    sums, unfinished, damaged = _recorded(run)
    existing = set(derived_files(run))
    for name, expected in sums.items():
        checked = found[_class(name)]
        checked.recorded += 1
        if name not in existing:
            if name not in unfinished:
                checked.missing.append(name)
        elif not same(run, name, expected):
            checked.changed.append(name)
    for name in sorted(existing - sums.keys()):
        checked = found[_class(name)]
        beside = _class(name) == "inference" and any(
            other.split("/")[:2] == name.split("/")[:2] for other in sums
        )
        fixed = checked.recorded and _class(name) in ("predictions", "plots")
        if name in (tolerated or ()) or (tolerated is None and not beside and not fixed):
            checked.unrecorded.append(name)
        else:
            checked.extra.append(name)
    for name in damaged:
        found[_class(Path(name).relative_to(FOLDER).as_posix())].changed.append(name)
    return found


def _class(name: str) -> str:
    first = Path(name).parts[0].removesuffix(".json")
    return "report.html" if first in ("report", "report.html") else first


def same(run: Path, name: str, expected: str) -> bool:
    """Return whether a file of a run has the checksum, and no link has taken its place."""
    return not is_linked(run, name) and sha256(run / name) == expected


def is_linked(run: Path, name: str) -> bool:
    """Return whether a path in a run is no regular file, or is reached through a link."""
    parts = Path(name).parts
    if any((run / Path(*parts[:number])).is_symlink() for number in range(1, len(parts) + 1)):
        return True
    try:
        return not stat.S_ISREG(os.lstat(run / name).st_mode)
    except OSError:
        return True


def _recorded(run: Path) -> tuple[dict[str, str], set[str], list[str]]:
    """Read all records: checksums by file, files of records that are not complete, damaged ones."""
    sums: dict[str, str] = {}
    unfinished: set[str] = set()
    damaged = []
    if (run / FOLDER).is_symlink():
        return {}, set(), []
    for path in (run / FOLDER / name for name in _files(run / FOLDER)):
        what = path.relative_to(run / FOLDER).as_posix()
        record: Any = None if path.is_symlink() or not path.is_file() else read_json(path)
        files = record.get("sha256") if isinstance(record, dict) else None
        if _class(what) not in CLASSES:
            continue
        if not isinstance(files, dict) or not all(map(_is_plausible, files, files.values())):
            damaged.append(f"{FOLDER}/{what}")
            continue
        sums |= files
        if record.get("complete") is not True:
            unfinished |= files.keys()
    return sums, unfinished, damaged


def _is_plausible(name: Any, value: Any) -> bool:
    """Return whether an entry of a record names a file of a class of this run."""
    inside = isinstance(name, str) and name and not os.path.isabs(name)
    if not inside or ".." in Path(name).parts or not isinstance(value, str):
        return False
    return Path(name).parts[0] in CLASSES
