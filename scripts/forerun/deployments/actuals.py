"""Actual values by vintage: the data available at each time.

``actuals/<as_of>.parquet`` contains the rows that were new or changed at that time (UTC), with the
columns ``unique_id``, ``ds`` and ``y``. The first vintage contains all rows. A value that was
removed has a row without ``y``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.base.files import new_file
from forerun.deployments.folder import Deployment

KEYS = ["unique_id", "ds"]
_SOURCE = b"forerun"


@dataclass(frozen=True)
class News:
    """Differences between a table and all earlier vintages.

    Attributes
    ----------
    rows : DataFrame
        ``unique_id, ds, y``: new and changed values; rows without ``y`` are removed values.
    new, restated, vanished : number of new, changed and removed values
    """

    rows: pd.DataFrame
    new: int
    restated: int
    vanished: int


def as_of(path: Path) -> str:
    """Return the name of a vintage."""
    return path.stem


def read(deployment: Deployment) -> pd.DataFrame:
    """Read all vintages, oldest first: ``unique_id``, ``ds``, ``y``, ``as_of``."""
    tables, files = [], deployment.vintages()
    for path in files:
        try:
            with parquet.ParquetFile(path) as file:
                tables.append(file.read().select([*KEYS, "y"]))
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise Damaged(f"{path}: is not a table of actual values ({error})") from None
    if not tables:
        return pd.DataFrame(columns=[*KEYS, "y", "as_of"])
    frame = pa.concat_tables(tables, promote_options="permissive").to_pandas()
    names = np.array([as_of(path) for path in files], dtype=object)
    return frame.assign(as_of=np.repeat(names, [len(table) for table in tables]))


def latest(every: pd.DataFrame) -> pd.DataFrame:
    """Return the newest value of each series and time in the result of :func:`read`."""
    last = every.drop_duplicates(KEYS, keep="last")
    return last[last["y"].notna()].sort_values(KEYS, ignore_index=True)


def compare(deployment: Deployment, history: pd.DataFrame) -> News:
    """Compare `history` (``unique_id``, ``ds``, ``y``) with all vintages."""
    before = latest(read(deployment))
    now = history[[*KEYS, "y"]].assign(unique_id=history["unique_id"].astype(str))
    both = now.merge(before, on=KEYS, how="outer", suffixes=("", "_before"), indicator="where")
    new, gone = both["where"] == "left_only", both["where"] == "right_only"
    restated = (both["where"] == "both") & (both["y"] != both["y_before"])
    rows = both.loc[new | gone | restated, [*KEYS, "y"]].reset_index(drop=True)
    return News(rows, int(new.sum()), int(restated.sum()), int(gone.sum()))


def write(deployment: Deployment, news: News, checksum: str) -> None:
    """Write a vintage unless `news` is empty.

    Parameters
    ----------
    checksum : sha256 of the table that was read, kept in the file's metadata
    """
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
