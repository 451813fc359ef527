"""The state of a run, read from its folder and never from an index."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import read_mapping, sha256
from forerun.config.names import spellings
from forerun.runs.json_files import read_outcome, read_provenance
from forerun.runs.tables import read_leaderboard_rows

#: States of work that the same command takes up again: it failed, or the run's time was over.
NOT_DONE = ("failed", "skipped")

#: Status on the leaderboard of a model that was back-tested and lacks the values to forecast.
NO_FORECAST = "no forecast"

#: What the frozen part of a run consists of (folders are sealed with everything in them).
FROZEN = ("config.yaml", "data.parquet", "provenance.json")


def is_frozen(folder: str | Path) -> bool:
    """Tell whether the run exists: ``config.yaml`` is written last when a run is created."""
    return os.path.isfile(os.path.join(folder, "config.yaml"))


def is_frozen_part(part: str) -> bool:
    """Tell whether a path inside a run belongs to what a seal covers, or is the seal."""
    kinds = [r"metrics\.csv", r"leaderboard\.csv", r"ensemble\.json", "SEALED"]
    kinds += [r"cv_results_[^/]+\.csv", "models/[^/]+", "status/[^/]+", "parts/[^/]+/[^/]+"]
    return part in FROZEN or re.fullmatch("|".join(kinds), part) is not None


def is_sealed(folder: str | Path) -> bool:
    """Tell whether the run is read-only history."""
    return os.path.isfile(os.path.join(folder, "SEALED"))


def outcome(path: str | Path) -> dict[str, Any]:
    """Read the outcome of one piece of work; empty if it is missing or damaged."""
    return read_outcome(path)


def has_model(folder: str | Path) -> bool:
    """Tell whether a model's folder holds one; that of a failed model is empty.

    Snakemake keeps the time of a folder in a hidden file in it.
    """
    try:
        return any(not name.startswith(".") for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False


def finished_pieces(folder: str | Path, model: str = "*") -> list[str]:
    """List the outputs (relative to the run) of the training jobs that succeeded, all or a model's.

    They are never made again: ``models/NHITS``, ``parts/NHITS/final.json``,
    ``parts/NHITS/fold_0.json``, ``parts/NHITS/fold_0.parquet``...
    """
    folder, done = Path(folder), []
    for path in sorted(folder.glob(f"parts/{model}/*.json")):
        if outcome(path).get("status") != "ok":
            continue
        name = path.parent.name
        product = f"models/{name}" if path.stem == "final" else f"parts/{name}/{path.stem}.parquet"
        whole = has_model(folder / product) if path.stem == "final" else None
        if whole or (whole is None and (folder / product).is_file()):
            done += [f"parts/{name}/{path.name}", product]
    return done


def failed_models(leaderboard: str | Path) -> dict[str, str]:
    """Return the models of a ``leaderboard.csv`` that failed, each with its reason."""
    try:
        rows = read_leaderboard_rows(leaderboard)
    except Damaged as error:
        advice = "restore it, or remove it to have it made again"
        raise Damaged(f"{error}; {advice}") from None
    failed = [row for row in rows if row["status"] in NOT_DONE]
    return {row["model"]: row.get("reason", "") for row in failed}


def failures(
    folder: str | Path, model: str, piece: str, among: Collection[str] | None = None
) -> int:
    """Return how often a piece (``final``, ``fold_0``...) of a model has failed in a row so far.

    With `among` only if the last failure was of one of these classes.
    """
    known = outcome(Path(folder) / "parts" / model / f"{piece}.json")
    attempts = known.get("attempts")
    if known.get("status") not in NOT_DONE:
        return 0
    if among is not None and (known.get("error") or {}).get("class") not in among:
        return 0
    return attempts if isinstance(attempts, int) else 1


def failed_pieces(folder: str | Path, since: float = 0) -> dict[str, str]:
    """Return the models with a fit that failed, each with its reason.

    `since` leaves out what failed before (seconds since 1970).
    """
    found: dict[str, str] = {}
    for path in sorted(Path(folder).glob("parts/*/*.json")):
        known = outcome(path)
        if known.get("status") in NOT_DONE and path.stat().st_mtime >= since:
            message = (known.get("error") or {}).get("message", "no reason given")
            found.setdefault(path.parent.name, str(message))
    return found


def missing_files(folder: str | Path) -> list[str]:
    """List what an existing run should hold and does not: it was damaged from outside.

    Of a sealed run that is every file its seal names; of another one what is frozen at first.
    """
    folder = Path(folder)
    named = read_mapping(folder / "SEALED", {"sha256": {"*": str}}).get("sha256", {})
    names = [*FROZEN, *named]
    return [name for name in dict.fromkeys(names) if not os.path.isfile(folder / name)]


def strange_files(folder: str | Path) -> Iterator[str]:
    """Yield what in a run is neither a file nor a folder: pipes, devices, links out of the run."""
    folder = Path(folder)
    real = os.path.realpath(folder)
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = os.path.join(place, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                inside = Path(os.path.realpath(path)).is_relative_to(real)
                mode = os.stat(path).st_mode if inside and os.path.exists(path) else mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield os.path.relpath(path, folder)


def refuse_if_damaged(folder: str | Path) -> None:
    """Refuse to work on a run of which something has been removed, or replaced by no file."""
    if missing := missing_files(folder):
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise UserError(
            f"run '{Path(folder).name}' is damaged, {listed} missing; restore what was removed"
        )
    if strange := next(strange_files(folder), None):
        raise UserError(
            f"run '{Path(folder).name}' is damaged: '{strange}' is a pipe, a device or a link out "
            "of the run; remove it"
        )


def remove_if_never_begun(folder: str | Path) -> None:
    """Remove a run's folder that holds nothing but logs: its creation was refused."""
    if all(entry.name in ("logs", "benchmarks") for entry in os.scandir(folder)):
        shutil.rmtree(folder)


def same_table(folder: str | Path) -> Callable[[Any, Any], bool]:
    """Return a function that tells whether a path asked for holds the data the run was made of.

    Another path is no contradiction when the file behind it is the same: a run may have been
    copied to another machine.
    """
    known = read_provenance(folder)["data"]

    def same(frozen: Any, asked: Any) -> bool:
        if asked is None or frozen is None:
            return asked is frozen
        if Path(asked).absolute() == Path(frozen).absolute():
            return True
        return Path(asked).is_file() and sha256(asked) == known.get("sha256")

    return same
