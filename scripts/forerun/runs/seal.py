"""Sealing of runs: record the sha256 of all frozen files, and verify them later."""

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
from forerun.config import own_metrics
from forerun.runs import records
from forerun.runs.fit import CHECKPOINT
from forerun.runs.records import IGNORED

#: Frozen files and folders, relative to the run's folder.
PARTS = (
    "config.yaml",
    "data.parquet",
    "provenance.json",
    own_metrics.FOLDER,
    "models",
    "parts",
    "search",
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
    """Return whether a path is a temporary file or folder left by a killed process."""
    return any(part.startswith(TEMPORARY) for part in path.relative_to(folder).parts)


def sweep(folder: Path) -> None:
    """Remove temporary files and checkpoints of killed processes; the run must not be in use."""
    parts = (*PARTS, "benchmarks")  # a correction of benchmark files that fails is retried
    places = [folder, *(path for part in parts for path in folder.glob(f"{part}/**/"))]
    for place in places:
        for left in place.glob(f"{TEMPORARY}*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    for left in folder.glob(f"logs/*/*{CHECKPOINT}"):  # of fits that were completed or accepted
        left.unlink(missing_ok=True)
    for name in ("inference", "comparisons", records.FOLDER):  # predict does not need a session
        publishing.sweep(folder / name)


def seal(folder: str | Path, sealed: str | Path, failed: list[str]) -> None:
    """Write ``SEALED``: time, accepted failures, and the sha256 of each frozen file.

    Raises
    ------
    UserError
        A frozen file is a link, whose target could change.
    """
    folder = Path(folder)
    sweep(folder)
    names = list(frozen_files(folder))
    if linked := [name for name in names if records.is_linked(folder, name)]:
        raise UserError(
            f"'{folder / linked[0]}' is a link or inside one; replace the link by its target and "
            "rerun the command"
        )
    files = {name: sha256(folder / name) for name in names}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"sealed_at": at, "accepted_failures": failed, "sha256": files}
    record |= {"unrecorded": records.unrecorded(folder)}
    write_json(sealed, record | {"seal": _own_sha256(record)})


def _own_sha256(record: dict[str, Any]) -> str:
    """Return the sha256 of a seal without its own checksum."""
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

    Returns the ``missing``, ``changed`` and ``extra`` files whose path starts with `only`. An
    unreadable seal counts as changed, and so does a file that was replaced by a link.
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
    """Return whether a run's seal has its own checksum; seals of earlier versions have none."""
    record = _read(Path(folder) / "SEALED")
    return record is not None and record.get("seal") is not None


def verify_derived(folder: str | Path) -> dict[str, records.Checked]:
    """Compare the derived files of a sealed run (forecasts, plots, report...) with its records."""
    record = _read(Path(folder) / "SEALED") or {}
    tolerated = record.get("unrecorded")
    return records.check(folder, tolerated if isinstance(tolerated, list) else None)


def is_intact(folder: str | Path, what: str) -> bool:
    """Return whether a class of derived files (``predictions``...) matches its records."""
    return not verify_derived(folder)[what].wrong
