"""Sealing a run: record the sha256 of every frozen file; later report what has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forerun.base import publishing
from forerun.base.errors import UserError
from forerun.base.files import TEMPORARY, json_text, read_json, sha256, write_json
from forerun.runs import records
from forerun.runs.records import IGNORED

#: What is frozen, relative to the run's folder; a folder stands for everything in it.
PARTS = (
    "config.yaml",
    "data.parquet",
    "provenance.json",
    "models",
    "parts",
    "status",
    "metrics.csv",
    "leaderboard.csv",
    "ensemble.json",
)


def frozen_files(folder: str | Path) -> Iterator[str]:
    """Yield the paths, relative to the run's folder, of all frozen files, sorted."""
    folder = Path(folder)
    roots = [folder / part for part in PARTS] + sorted(folder.glob("cv_results_*.csv"))
    found = [
        path
        for root in roots
        for path in ([root] if root.is_file() else root.rglob("*"))
        if path.is_file() and path.name not in IGNORED and not _is_temporary(path, folder)
    ]
    yield from sorted(path.relative_to(folder).as_posix() for path in found)


def _is_temporary(path: Path, folder: Path) -> bool:
    """Return whether a path is what a killed process left of a file or folder it was writing."""
    return any(part.startswith(TEMPORARY) for part in path.relative_to(folder).parts)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written; nobody may be working on the run."""
    parts = (*PARTS, "benchmarks")  # figures of jobs may just be written: that is tried again
    places = [folder, *(path for part in parts for path in folder.glob(f"{part}/**/"))]
    for place in places:
        for left in place.glob(f"{TEMPORARY}*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    for name in ("inference", "comparisons", records.FOLDER):  # predict works without a session
        publishing.sweep(folder / name)


def seal(folder: str | Path, sealed: str | Path, failed: list[str]) -> None:
    """Write ``SEALED``: when, the models that were accepted as failed, and each file's sha256.

    Raises
    ------
    UserError
        A frozen file is a link: what it points at could change.
    """
    folder = Path(folder)
    sweep(folder)
    names = list(frozen_files(folder))
    if linked := [name for name in names if records.is_linked(folder, name)]:
        raise UserError(
            f"'{folder / linked[0]}' is a link, or lies behind one; put the file itself in its "
            "place and rerun the command"
        )
    files = {name: sha256(folder / name) for name in names}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"sealed_at": at, "accepted_failures": failed, "sha256": files}
    record |= {"unrecorded": records.unrecorded(folder)}
    write_json(sealed, record | {"seal": _own_sha256(record)})


def _own_sha256(record: dict[str, Any]) -> str:
    """Return the sha256 of what a seal says, itself left out."""
    text = json.dumps({key: record[key] for key in record if key != "seal"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """Read a seal; None if it is missing or damaged, even by whitespace."""
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), dict):
        return None
    if record.keys() - {"seal", "unrecorded"} != {"sealed_at", "accepted_failures", "sha256"}:
        return None
    if record.get("seal") not in (None, _own_sha256(record)):  # older seals have no checksum
        return None
    return record if path.read_text(encoding="utf-8") == json_text(record) else None


def verify(folder: str | Path, only: str = "") -> dict[str, list[str]]:
    """Compare a sealed run with its seal.

    Returns the files that are ``missing``, ``changed`` or ``extra``, whose path begins with `only`;
    empty lists when all is well. An unreadable seal counts as changed, and so does a file that was
    replaced by a link.
    """
    folder = Path(folder)
    record = _read(folder / "SEALED")
    if record is None:
        return {"missing": [], "changed": ["SEALED"], "extra": []}
    expected = {name: value for name, value in record["sha256"].items() if name.startswith(only)}
    existing = {name for name in frozen_files(folder) if name.startswith(only)}
    changed = [
        n for n in sorted(existing & expected.keys()) if not records.same(folder, n, expected[n])
    ]
    return {
        "missing": sorted(expected.keys() - existing),
        "changed": changed,
        "extra": sorted(existing - expected.keys()),
    }


def has_checksum(folder: str | Path) -> bool:
    """Return whether a run's seal has a checksum of itself; those of earlier versions have none."""
    record = _read(Path(folder) / "SEALED")
    return record is not None and record.get("seal") is not None


def verify_derived(folder: str | Path) -> dict[str, records.Checked]:
    """Compare what was made from a sealed run (forecasts, plots, report...) with its records."""
    record = _read(Path(folder) / "SEALED") or {}
    tolerated = record.get("unrecorded")
    return records.check(folder, tolerated if isinstance(tolerated, list) else None)


def is_intact(folder: str | Path, what: str) -> bool:
    """Tell whether what was made (``predictions``...) is as recorded, as far as it was recorded."""
    return not verify_derived(folder)[what].wrong
