"""Actual values by vintage: what was known when.

``actuals/<as_of>.parquet`` holds the rows that were new or changed at that time (UTC), with the
columns ``unique_id``, ``ds`` and ``y``. The first vintage holds everything. A value that vanished
has a row without ``y``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.base.files import new_file
from forerun.deployments.folder import Deployment

KEYS = ["unique_id", "ds"]
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z(?:-\d+)?\.parquet")
_SOURCE = b"forerun"


@dataclass(frozen=True)
class News:
    """What a table says that was not known before.

    Attributes
    ----------
    rows : DataFrame
        ``unique_id, ds, y``: values that are new or changed, and rows without ``y`` for vanished
        ones.
    new, restated, vanished : how many there are of each
    """

    rows: pd.DataFrame
    new: int
    restated: int
    vanished: int


def vintages(deployment: Deployment) -> list[Path]:
    """Return the files of all vintages, the oldest first."""
    try:
        names = os.listdir(deployment.actuals)
    except OSError:
        return []
    return sorted((deployment.actuals / n for n in names if _NAME.fullmatch(n)), key=as_of)


def as_of(path: Path) -> str:
    """Return the name of a vintage."""
    return path.stem


def read(deployment: Deployment) -> pd.DataFrame:
    """Read all vintages: ``unique_id``, ``ds``, ``y``, ``as_of``, in the order of time."""
    frames = []
    for path in vintages(deployment):
        try:
            frame = pd.read_parquet(path, columns=[*KEYS, "y"])
        except (OSError, ValueError, pa.ArrowException) as error:
            raise Damaged(f"{path}: is not a table of actual values ({error})") from None
        frames.append(frame.assign(as_of=as_of(path)))
    if not frames:
        return pd.DataFrame(columns=[*KEYS, "y", "as_of"])
    return pd.concat(frames, ignore_index=True)


def latest(every: pd.DataFrame) -> pd.DataFrame:
    """Return the newest value of each series and time, from what :func:`read` gave."""
    last = every.drop_duplicates(KEYS, keep="last")
    return last[last["y"].notna()].sort_values(KEYS, ignore_index=True)


def source(deployment: Deployment) -> str | None:
    """Return the sha256 of the table that the newest vintage was taken from."""
    files = vintages(deployment)
    if not files:
        return None
    try:
        found = parquet.read_schema(files[-1]).metadata or {}
        return str(json.loads(found[_SOURCE])["sha256"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None


def compare(deployment: Deployment, history: pd.DataFrame) -> News:
    """Return what `history` (``unique_id``, ``ds``, ``y``) says that no vintage has said."""
    before = latest(read(deployment))
    now = history[[*KEYS, "y"]].assign(unique_id=history["unique_id"].astype(str))
    both = now.merge(before, on=KEYS, how="outer", suffixes=("", "_before"), indicator="where")
    new, gone = both["where"] == "left_only", both["where"] == "right_only"
    restated = (both["where"] == "both") & (both["y"] != both["y_before"])
    rows = both.loc[new | gone | restated, [*KEYS, "y"]].reset_index(drop=True)
    return News(rows, int(new.sum()), int(restated.sum()), int(gone.sum()))


def write(deployment: Deployment, news: News, checksum: str) -> None:
    """Write a vintage; nothing where there is no news. `checksum` is that of the table read."""
    if not len(news.rows):
        return
    name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    path, number = deployment.actuals / f"{name}.parquet", 1
    while path.exists():
        number += 1
        path = deployment.actuals / f"{name}-{number:03d}.parquet"
    table = pa.Table.from_pandas(news.rows, preserve_index=False)
    mark = {_SOURCE: json.dumps({"sha256": checksum}).encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **mark})
    with new_file(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")
