"""Local snapshot of runs in object storage, for planning.

Planning reads the state of runs from folders. For runs in a bucket this module makes such folders:
files that determine the state (configuration, seal, outcomes, leaderboard) with their content, all
others (data, models, forecasts) empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forerun.base.files import replacing

#: Suffixes of files that planning and the table of runs read.
DECIDING = (".yaml", ".json", "SEALED", "leaderboard.csv", "metrics.csv")
#: Folder of local files in the snapshot, such as sessions, which are not in the bucket.
LOCAL = "logs"


@dataclass(frozen=True)
class Stored:
    """An object: its path below the folder of runs, its modification time, and its download."""

    path: str
    modified: datetime
    download: Callable[[str], object]


def refresh(folder: str | Path, objects: Iterable[Stored]) -> None:
    """Update the snapshot `folder` to `objects`; only changed objects are downloaded."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    existing = set()
    for one in objects:
        if _is_foreign(one.path):
            continue
        existing.add(one.path)
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
        if path.is_file() and name not in existing and not _is_foreign(name):
            path.unlink(missing_ok=True)


def _is_foreign(path: str) -> bool:
    """Return whether a path is not part of the snapshot of a run."""
    run_id, _, rest = path.partition("/")
    return (
        run_id.startswith(".") or not rest or rest.split("/")[0] == LOCAL or ".." in path.split("/")
    )
