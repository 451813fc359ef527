"""Paths inside a run folder, and run ids."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forerun.base.errors import UserError, check_path
from forerun.config.names import RUN_ID, RUN_ID_RULE, repetition, spellings

MODEL = r"[A-Za-z0-9][A-Za-z0-9_-]*"


def is_run_id(name: str) -> bool:
    """Return whether `name` is a valid name of a run or deployment."""
    return bool(re.fullmatch(RUN_ID, name))


def check_run_id(run_id: str, what: str = "run id") -> str:
    """Return `run_id` if it is valid; otherwise refuse it."""
    if not is_run_id(str(run_id)):
        raise UserError(f"{what} '{run_id}' is invalid: use {RUN_ID_RULE}")
    if wrong := repetition(str(run_id)):
        raise UserError(f"{what} '{run_id}' is invalid: {wrong}")
    return str(run_id)


def runs_folder(output_dir: str | None) -> str:
    """Return the folder of runs as used in rules."""
    if not output_dir:
        return "runs"
    check_path("output_dir", output_dir)
    return f"{output_dir}/runs"


def new_run_id(runs: str | Path, now: datetime | None = None) -> str:
    """Return ``run_YYYYMMDD_HHMMSS`` (local time), with ``_2``, ``_3``... if it exists."""
    return free_run_id(runs, (now or datetime.now()).strftime("run_%Y%m%d_%H%M%S"))


def free_run_id(runs: str | Path, base: str) -> str:
    """Return `base`, or ``<base>_2``, ``<base>_3``... if that exists."""
    run_id, number = base, 1
    while os.path.lexists(Path(runs) / run_id):
        number += 1
        run_id = f"{base}_{number}"
    return run_id


def reserve_run_id(runs: str | Path) -> str:
    """Return a new automatic run id and create its folder, so that no other call gets it."""
    while True:
        run_id = new_run_id(runs)
        try:
            (Path(runs) / run_id).mkdir(parents=True)
        except FileExistsError:
            continue
        return run_id


@dataclass(frozen=True)
class RunPaths:
    """Paths inside a run folder (see ``README.md``, "The run folder")."""

    folder: Path

    @classmethod
    def of(cls, runs: str | Path, run_id: str) -> RunPaths:
        return cls(Path(runs) / check_run_id(run_id))

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data.parquet"

    @property
    def provenance(self) -> Path:
        return self.folder / "provenance.json"

    @property
    def sealed(self) -> Path:
        return self.folder / "SEALED"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.csv"

    @property
    def leaderboard(self) -> Path:
        return self.folder / "leaderboard.csv"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    @property
    def plots(self) -> Path:
        return self.folder / "plots"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def session(self) -> Path:
        return self.logs / "session.json"

    def model(self, name: str) -> Path:
        return self.folder / "models" / name

    def cv_results(self, name: str) -> Path:
        return self.folder / f"cv_results_{name}.csv"

    def existing_cv_results(self, name: str) -> Path:
        """Path of the cross-validation results of a model, also in runs of earlier versions."""
        return _existing([self.cv_results(spelling) for spelling in spellings(name)])

    def existing_predictions(self, name: str) -> Path:
        """Path of the forecasts of a model, also in runs of earlier versions."""
        return _existing([self.predictions / f"{spelling}.csv" for spelling in spellings(name)])

    def status(self, name: str) -> Path:
        return self.folder / "status" / f"{name}.json"


def _existing(paths: list[Path]) -> Path:
    return next((path for path in paths if path.is_file()), paths[0])


def run_folders(runs: str | Path) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of `runs` that can be runs: folders whose name is a run id."""
    try:
        entries = os.scandir(runs)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if is_run_id(entry.name) and _is_folder(entry):
                yield entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of symbolic links
        return False
