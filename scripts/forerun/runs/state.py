"""The state of a run, read from its folder and never from an index."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import sha256
from forerun.runs.json_files import read_provenance, sealed_files
from forerun.runs.outcome import UNFINISHED
from forerun.runs.tables import read_leaderboard_rows

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


def failed_models(leaderboard: str | Path) -> dict[str, str]:
    """Return the models of a ``leaderboard.csv`` that failed, each with its reason."""
    try:
        rows = read_leaderboard_rows(leaderboard)
    except Damaged as error:
        advice = "restore it, or remove it to have it made again"
        raise Damaged(f"{error}; {advice}") from None
    failed = [row for row in rows if row["status"] in UNFINISHED]
    return {row["model"]: row.get("reason", "") for row in failed}


def missing_files(folder: str | Path) -> list[str]:
    """List what an existing run should hold and does not: it was damaged from outside.

    Of a sealed run that is every file its seal names; of another one what is frozen at first.
    """
    folder = Path(folder)
    named = sealed_files(folder)
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


def refuse_contradictions(
    folder: str | Path, frozen: Mapping[str, Any], asked: Mapping[str, Any]
) -> None:
    """Refuse settings that contradict the frozen ones of a run; names each key with both values."""
    from forerun.config.settings import differences  # only here: most look at folders alone

    if differing := differences(frozen, asked, same_table(folder)):
        listed = "; ".join(f"{key} is {old!r}, asked for {new!r}" for key, old, new in differing)
        raise UserError(
            f"run '{Path(folder).name}' exists with other settings: {listed}; choose another run id"
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
    recorded = read_provenance(folder)["data"]

    def same(frozen: Any, asked: Any) -> bool:
        if asked is None or frozen is None:
            return asked is frozen
        if Path(asked).absolute() == Path(frozen).absolute():
            return True
        return Path(asked).is_file() and sha256(asked) == recorded.get("sha256")

    return same
