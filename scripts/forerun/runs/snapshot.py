"""A local snapshot of runs in object storage: the files that planning reads, and names of the rest.

Which runs exist, what is sealed and what is finished is read from folders. Where the runs lie in a
bucket, this makes such a folder: files that say something about a run (its configuration, its seal,
outcomes, its leaderboard) with their content, all others (data, models, forecasts) empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forerun.base.files import replacing

#: Files that are read while a call is planned, and by the table of runs.
DECIDING = (".yaml", ".json", "SEALED", "leaderboard.csv", "metrics.csv")
#: Files of this machine in the picture: who works on a run here. They are nowhere else.
LOCAL = "logs"


@dataclass(frozen=True)
class Stored:
    """One object: its path below the folder of runs, when it was written, how to fetch it."""

    path: str
    modified: datetime
    download: Callable[[str], object]


def refresh(folder: str | Path, objects: Iterable[Stored]) -> None:
    """Make `folder` the picture of `objects`; only what has changed is fetched."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    there = set()
    for one in objects:
        if _is_foreign(one.path):
            continue
        there.add(one.path)
        at = one.modified.timestamp()
        copy = folder / one.path
        if copy.is_file() and abs(copy.stat().st_mtime - at) < 0.001:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if one.path.endswith(DECIDING):
            with replacing(copy) as temporary:
                one.download(str(temporary))
        else:
            copy.touch()
        os.utime(copy, (at, at))
    for path in folder.glob("*/**/*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in there and not _is_foreign(name):
            path.unlink(missing_ok=True)


def _is_foreign(path: str) -> bool:
    """Return whether a path is no part of a run that the picture shows."""
    run_id, _, rest = path.partition("/")
    return (
        run_id.startswith(".") or not rest or rest.split("/")[0] == LOCAL or ".." in path.split("/")
    )
