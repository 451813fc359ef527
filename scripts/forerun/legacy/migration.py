"""Lossless migration of an old, unversioned output folder to a run.

Steps: archive; verify the archive; write a journal (``runs/.migration.json``); move; mark as
imported; rename into place. The next call resumes an interrupted migration. Files are moved, never
deleted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.files import (
    TEMPORARY,
    new_file,
    publish,
    read_json,
    replacing,
    sha256,
    write_json,
    write_text,
)
from forerun.legacy import folders
from forerun.runs import seal
from forerun.runs.archive import files_below
from forerun.runs.listing import IMPORTED

JOURNAL = ".migration.json"


@dataclass
class Plan:
    """Migration of `names` in `output` to the run `run_id`, after archiving them in `archive`."""

    output: Path
    names: list[str]
    archive: Path
    run_id: str

    @property
    def runs(self) -> Path:
        return self.output / "runs"

    @property
    def journal(self) -> Path:
        return self.runs / JOURNAL

    @property
    def staging(self) -> Path:
        return self.runs / f"{TEMPORARY}{self.run_id}"

    @property
    def target(self) -> Path:
        return self.runs / self.run_id

    def files(self) -> list[str]:
        """Return all files to move, relative to the output folder."""
        found = []
        for name in self.names:
            path = self.output / name
            if path.is_dir() and not path.is_symlink():
                found += [f"{name}/{file}" for file in files_below(path)]
            else:
                found.append(name)
        return found


def plan(output: Path, time: datetime | None = None) -> Plan | None:
    """Return the plan of an interrupted or new migration; None if there is nothing to migrate."""
    journal = read_json(output / "runs" / JOURNAL)
    if isinstance(journal, dict):
        return Plan(
            output, list(journal["names"]), Path(journal["archive"]), str(journal["run_id"])
        )
    names = folders.old_files(output)
    if not names:
        return None
    stamp = (time or datetime.now()).strftime("%Y%m%d_%H%M%S")
    # The archive is next to the output folder, or inside if that is the current folder.
    inside = output.resolve() == Path.cwd()
    place = output if inside else Path(os.path.normpath(output.parent))
    return Plan(output, names, place / f"old_output_backup_{stamp}.tar.gz", f"legacy_{stamp}")


def migrate(steps: Plan) -> Path:
    """Execute or resume a plan; return the run's folder."""
    if not steps.journal.is_file():
        _refuse_irregular(steps)
        store(steps)
        check_archive(steps)
        journal = {"names": steps.names, "archive": str(steps.archive.absolute())}
        write_json(steps.journal, {"run_id": steps.run_id, "at": now(), **journal})
    if not steps.target.exists():
        _move(steps)
        _mark(steps)
        publish(steps.staging, steps.target)
    steps.journal.unlink()
    return steps.target


def _refuse_irregular(steps: Plan) -> None:
    if os.path.lexists(steps.archive) or os.path.lexists(steps.target):
        raise UserError(f"'{steps.archive}' or '{steps.target}' exists; try again in a second")
    for name in steps.files():
        path = steps.output / name
        if not (path.is_file() or path.is_symlink()):
            raise UserError(f"'{path}' is neither a file nor a link; move it away first")
        if path.is_symlink() and not _is_moved_along(steps, path.resolve()):
            raise UserError(
                f"'{path}' is a link to '{path.resolve()}', which is not moved with it; replace "
                "the link by the file, or remove it"
            )


def _is_moved_along(steps: Plan, real: Path) -> bool:
    return real.is_file() and any(
        real.is_relative_to((steps.output / name).resolve()) for name in steps.names
    )


def store(steps: Plan) -> None:
    """Write the archive atomically."""
    with new_file(steps.archive) as temporary, tarfile.open(temporary, "w:gz") as tar:
        for name in steps.names:
            tar.add(steps.output / name, name)


def check_archive(steps: Plan) -> None:
    """Verify that archive and files have the same names and content."""
    remaining = set(steps.files())
    with tarfile.open(steps.archive, "r:gz") as tar:
        for member in tar:
            if member.isdir():
                continue
            path = steps.output / member.name
            if member.name not in remaining or not _same(tar, member, path):
                raise UserError(f"'{steps.archive}' differs from '{path}'; nothing was moved")
            remaining.remove(member.name)
    if remaining:
        raise UserError(f"'{steps.archive}' does not contain '{min(remaining)}'; nothing was moved")


def _same(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bool:
    if member.issym():
        return path.is_symlink() and os.readlink(path) == member.linkname
    source = tar.extractfile(member)  # follows hard links inside the archive
    if source is None or not path.is_file():
        return False
    with source:
        return hashlib.file_digest(source, "sha256").hexdigest() == sha256(path)  # type: ignore[arg-type]


def _move(steps: Plan) -> None:
    """Move each name to the staging folder, unless it has already been moved."""
    steps.staging.mkdir(parents=True, exist_ok=True)
    for name in steps.names:
        source, target = steps.output / name, steps.staging / name
        if os.path.lexists(target):
            continue
        if not os.path.lexists(source):
            raise UserError(f"'{source}' no longer exists; it is in '{steps.archive}'")
        publish(source, target)


def _mark(steps: Plan) -> None:
    """Write the files of a run: configuration as far as known, import record, seal."""
    folder = steps.staging
    settings = describe(folder, steps.run_id)
    archive = {"file": str(steps.archive.absolute()), "sha256": sha256(steps.archive)}
    _leaderboard(folder, settings)
    write_json(folder / "provenance.json", {"created_at": now(), "imported": True})
    write_json(folder / IMPORTED, {
        "imported_at": now(),
        "from": str(steps.output.absolute()),
        "archive": archive,
        "names": steps.names,
        "note": "migrated from an unversioned output folder; config.yaml was derived from the "
        "files, its other values are defaults",
    })  # fmt: skip
    from forerun.config.settings import dump

    write_text(folder / "config.yaml", dump(settings))
    _replace_links(folder)
    seal.seal(folder, folder / "SEALED", failed=[])


def _replace_links(folder: Path) -> None:
    """Replace links by their files, as seals do not cover links."""
    for name in list(files_below(folder)):
        path = folder / name
        if path.is_symlink():
            with replacing(path) as temporary:
                shutil.copy2(path, temporary)


def describe(folder: Path, run_id: str) -> dict[str, Any]:
    """Derive a configuration from the old files: models, horizon, windows, frequency."""
    import pandas as pd

    from forerun.config import schema
    from forerun.runs.tables import read_frame

    models = folders.model_names(folder / "models")
    results = sorted(folder.glob("cv_results_*.csv"))
    models += [path.stem.removeprefix("cv_results_") for path in results]
    settings = schema.defaults() | {"run_id": run_id, "baselines": [], "models": [
        {"name": name, "engine": "neuralforecast", "model": name, "params": {}, "exogenous": False}
        for name in dict.fromkeys(models)
    ]}  # fmt: skip
    for path in results:
        try:
            times = ("ds", "cutoff")
            frame = read_frame(path, ("unique_id",), times, needed=times, strict=False)
            rows = frame[frame["unique_id"] == frame["unique_id"].iloc[0]]
            settings["horizon"] = int(rows.groupby("cutoff").size().max())
            settings["n_windows"] = int(rows["cutoff"].nunique())
            settings["freq"] = pd.infer_freq(pd.to_datetime(rows["ds"]).drop_duplicates())
            break
        except (UserError, OSError, ValueError, KeyError, IndexError, TypeError):
            continue
    return settings


def _leaderboard(folder: Path, settings: dict[str, Any]) -> None:
    """Write ``leaderboard.csv`` from an old ``metrics.csv``, if that has the usual shape."""
    if (folder / "leaderboard.csv").exists() or not (folder / "metrics.csv").is_file():
        return
    from forerun.base.files import write_csv
    from forerun.evaluation.metrics import leaderboard
    from forerun.runs.outcome import ModelStatus
    from forerun.runs.tables import read_metrics

    try:
        table = read_metrics(folder / "metrics.csv")
        names = [c for c in table.columns if c not in ("unique_id", "metric", "cutoff")]
        table = table[["unique_id", "metric", *names]]
        metrics = [name for name in settings["metrics"] if name in set(table["metric"])]
        scored = settings | {"metrics": metrics or ["mae"]}
        states = dict.fromkeys(names, ModelStatus(status="ok"))
        write_csv(folder / "leaderboard.csv", leaderboard(table, states, scored))
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return
