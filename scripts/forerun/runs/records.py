"""Checksums of files derived from a run: forecasts, plots, the report, comparisons.

They can be made again at any time, so the seal does not cover them. Their checksums are written to
``checksums/<what>.json`` in the run. A record is written before its files are published, marked as
incomplete, and again afterwards, so it is correct even if the process is killed in between.
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

#: Recorded files and folders, relative to the run's folder.
CLASSES = ("predictions", "plots", "report.html", "inference", "comparisons")
#: Folder of the records.
FOLDER = "checksums"
#: Files of tools that are not part of a run.
IGNORED = (".snakemake_timestamp", ".DS_Store")
#: Files and folders without checksums: they document how a run was made and may change.
UNCHECKED = (FOLDER, "SEALED", "summary.json", "logs", "benchmarks", "imported.json")


@dataclass
class Checked:
    """Comparison of the files of one class with their records."""

    recorded: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """One line for each difference."""
        kinds = {"missing": self.missing, "changed": self.changed, "extra": self.extra}
        return [f"{kind}: {name}" for kind, names in kinds.items() for name in names]


# -- Recording ----------------------------------------------------------------------------------


def record_path(run: str | Path, what: str) -> Path:
    """Return the path of a record: of ``predictions``, ``report.html``, ``inference/<name>``..."""
    return Path(run) / FOLDER / ("report.json" if what == "report.html" else f"{what}.json")


@contextmanager
def recorded_folder(run: str | Path, what: str) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success it becomes ``<run>/<what>`` and is recorded.

    Raises
    ------
    FileExistsError
        The folder exists, see :func:`forerun.base.publishing.new_folder`.
    """
    run = Path(run)
    with new_folder(run / what) as temporary:
        yield temporary
        sums = {f"{what}/{name}": sha256(temporary / name) for name in _files(temporary)}
        _write(run, what, sums, complete=False)
    _write(run, what, sums, complete=True)


@contextmanager
def recorded_files(run: str | Path, folder: str, what: str) -> Iterator[Path]:
    """Yield a temporary folder; on success its files are moved to ``<run>/<folder>`` and recorded.

    Existing files with the same names are replaced.

    Parameters
    ----------
    folder : path relative to the run; ``.`` for the run's folder
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
    """Return files and links below a folder, without temporary and ignored ones, sorted."""
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
    """Return all existing files of the recorded classes, relative to the run's folder."""
    run, found = Path(run), []
    for what in CLASSES:
        if (run / what).is_dir() and not (run / what).is_symlink():
            found += [f"{what}/{name}" for name in _files(run / what)]
        elif os.path.lexists(run / what):
            found.append(what)
    return found


def strays(run: str | Path, frozen: tuple[str, ...]) -> list[str]:
    """Return the files that are neither frozen nor of a recorded class."""
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
    """Return the derived files without a record, made by an earlier version."""
    sums, _, _ = _recorded(Path(run))
    return [name for name in derived_files(run) if name not in sums]


def check(run: str | Path, tolerated: list[str] | None = None) -> dict[str, Checked]:
    """Compare the derived files of a run with their records, by class.

    Parameters
    ----------
    tolerated : files that need no record; None if no file does (seals of earlier versions)
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
        new_data = _class(name) == "inference" and any(
            other.split("/")[:2] == name.split("/")[:2] for other in sums
        )
        fixed = checked.recorded and _class(name) in ("predictions", "plots")
        if name in (tolerated or ()) or (tolerated is None and not new_data and not fixed):
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
    """Return whether a file of a run has the checksum and is not a link."""
    return not is_linked(run, name) and sha256(run / name) == expected


def is_linked(run: Path, name: str) -> bool:
    """Return whether a path in a run is not a regular file or leads through a link."""
    parts = Path(name).parts
    if any((run / Path(*parts[:number])).is_symlink() for number in range(1, len(parts) + 1)):
        return True
    try:
        return not stat.S_ISREG(os.lstat(run / name).st_mode)
    except OSError:
        return True


def _recorded(run: Path) -> tuple[dict[str, str], set[str], list[str]]:
    """Read all records; return checksums by file, files of incomplete records, damaged records."""
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
    """Return whether an entry of a record is a file of a recorded class inside the run."""
    inside = isinstance(name, str) and name and not os.path.isabs(name)
    if not inside or ".." in Path(name).parts or not isinstance(value, str):
        return False
    return Path(name).parts[0] in CLASSES
