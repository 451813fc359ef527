"""Seal a run: write down the sha256 of every frozen file; later tell what has changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forerun.files import TEMPORARY, read_json, sha256, write_json

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
#: Files that tools leave in folders and that say nothing about the run.
IGNORED = (".snakemake_timestamp", ".DS_Store")


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
    """Tell whether a path is what a killed process left of a file or folder it was writing."""
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


def seal(folder: str | Path, sealed: str | Path, failed: list[str]) -> None:
    """Write ``SEALED``: when, the models that were accepted as failed, and each file's sha256."""
    sweep(Path(folder))
    files = {name: sha256(Path(folder) / name) for name in frozen_files(folder)}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(sealed, {"sealed_at": at, "accepted_failures": failed, "sha256": files})


def verify(folder: str | Path, only: str = "") -> dict[str, list[str]]:
    """Compare a sealed run with its seal.

    Returns the files that are ``missing``, ``changed`` or ``extra``, whose path begins with `only`;
    empty lists when all is well. An unreadable seal counts as changed.
    """
    folder = Path(folder)
    seal_file: dict[str, Any] | None = read_json(folder / "SEALED")
    if not isinstance(seal_file, dict) or not isinstance(seal_file.get("sha256"), dict):
        return {"missing": [], "changed": ["SEALED"], "extra": []}
    known = {name: value for name, value in seal_file["sha256"].items() if name.startswith(only)}
    there = {name for name in frozen_files(folder) if name.startswith(only)}
    changed = [n for n in sorted(there & known.keys()) if sha256(folder / n) != known[n]]
    return {
        "missing": sorted(known.keys() - there),
        "changed": changed,
        "extra": sorted(there - known.keys()),
    }
