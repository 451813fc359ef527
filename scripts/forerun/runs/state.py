"""The state of a run, read from its folder."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import sha256, states_below
from forerun.runs.json_files import read_provenance, sealed_files
from forerun.runs.outcome import UNFINISHED
from forerun.runs.tables import Row, read_leaderboard_rows

#: Leaderboard status of a model that was cross-validated but lacks future values to forecast.
NO_FORECAST = "no forecast"

#: Files that are frozen when a run is created.
FROZEN = ("config.yaml", "data.parquet", "provenance.json")


def is_frozen(folder: str | Path) -> bool:
    """Return whether the run exists: ``config.yaml`` is written last when a run is created."""
    return os.path.isfile(os.path.join(folder, "config.yaml"))


def is_frozen_part(part: str) -> bool:
    """Return whether a path inside a run is covered by a seal, or is the seal."""
    kinds = [r"metrics\.csv", r"leaderboard\.csv", r"ensemble\.json", "SEALED"]
    kinds += [
        r"cv_results_[^/]+\.csv",
        "models/[^/]+",
        "status/[^/]+",
        "parts/[^/]+/[^/]+",
        "search/[^/]+/[^/]+",
        "code/[^/]+",
    ]
    return part in FROZEN or re.fullmatch("|".join(kinds), part) is not None


def is_sealed(folder: str | Path) -> bool:
    """Return whether the run is sealed."""
    return os.path.isfile(os.path.join(folder, "SEALED"))


def failed_models(leaderboard: str | Path) -> dict[str, str]:
    """Return the failed models of a ``leaderboard.csv``, each with the reason."""
    try:
        rows = read_leaderboard_rows(leaderboard)
    except Damaged as error:
        advice = "restore it, or remove it to create it again"
        raise Damaged(f"{error}; {advice}") from None
    return failed_among(rows)


def failed_among(rows: Iterable[Row]) -> dict[str, str]:
    """Return the failed models of a leaderboard, each with the reason."""
    failed = [row for row in rows if row["status"] in UNFINISHED]
    return {row["model"]: row.get("reason", "") for row in failed}


def missing_files(folder: str | Path) -> list[str]:
    """Return the files that are missing from a run, sealed or not.

    A sealed run must have all files in its seal; any run must have the files of its creation.
    """
    folder = Path(folder)
    named = sealed_files(folder)
    names = [*FROZEN, *named]
    return [name for name in dict.fromkeys(names) if not os.path.isfile(folder / name)]


def strange_files(folder: str | Path) -> Iterator[str]:
    """Yield paths in a run that are not files or folders: pipes, devices, links out of the run."""
    folder = Path(folder)
    real = os.path.realpath(folder)
    for path, state in states_below(folder):
        mode = state.st_mode
        if stat.S_ISLNK(mode):
            inside = Path(os.path.realpath(path)).is_relative_to(real)
            mode = os.stat(path).st_mode if inside and os.path.exists(path) else mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield os.path.relpath(path, folder)


def refuse_if_damaged(folder: str | Path) -> None:
    """Refuse a run with missing or irregular files."""
    if missing := missing_files(folder):
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise UserError(
            f"run '{Path(folder).name}' is damaged: {listed} missing; restore the missing files"
        )
    if strange := next(strange_files(folder), None):
        raise UserError(
            f"run '{Path(folder).name}' is damaged: '{strange}' is a pipe, a device or a link out "
            "of the run; remove it"
        )


def refuse_contradictions(
    folder: str | Path,
    frozen: Mapping[str, Any],
    asked: Mapping[str, Any],
    explicit: Collection[str] = (),
) -> None:
    """Refuse settings that contradict a run's frozen ones; name each key with both values.

    Parameters
    ----------
    explicit : keys that were requested even if they have their default
    """
    from forerun.config.settings import differences  # slow to import

    if differing := differences(frozen, asked, same_table(folder), explicit=explicit):
        listed = "; ".join(f"{key} is {old!r}, requested {new!r}" for key, old, new in differing)
        raise UserError(
            f"run '{Path(folder).name}' exists with other settings: {listed}; choose another run id"
        )


def remove_if_never_started(folder: str | Path) -> None:
    """Remove the folder of a run whose creation was refused: it has only logs."""
    if all(entry.name in ("logs", "benchmarks", "code") for entry in os.scandir(folder)):
        shutil.rmtree(folder)


def same_table(folder: str | Path) -> Callable[[Any, Any], bool]:
    """Return a function that compares a frozen and a requested path of a source table of the run.

    Different paths are equal if the requested file has the recorded content: the run may have been
    copied to another machine.
    """
    data = read_provenance(folder)["data"]
    recorded = {data.get("sha256"), *data.get("tables_sha256", {}).values()}

    def same(frozen: Any, asked: Any) -> bool:
        if asked is None or frozen is None:
            return asked is frozen
        if Path(asked).absolute() == Path(frozen).absolute():
            return True
        return Path(asked).is_file() and sha256(asked) in recorded

    return same
