"""Shards: parts of a large run's series, predicted by a job each and put together again.

A shard is ``shard_size`` whole series in the order of ``data.parquet``; the last may have fewer.
It holds what models forecast themselves. What looks at all series (conformal intervals,
``per_series`` and ``ensemble``) is made when the shards are put together, and so are the forecasts
of models that forecast all series at once.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.files import read_json
from forerun.models import specs
from forerun.runs import RunPaths

if TYPE_CHECKING:
    from forerun.engines.base import Data


def names(run: str | Path, settings: dict[str, Any], size: int) -> list[str]:
    """Return what the shards of a run are called, ``1-of-3``...; none where one job does it all.

    Parameters
    ----------
    run : its ``provenance.json`` says how many series there are
    size : series of one shard
    """
    known = (read_json(RunPaths(Path(run)).provenance) or {}).get("data") or {}
    number = ceil(known.get("series", 0) / size)
    if number < 2 or all(spec.info.multivariate for spec in specs(settings)):
        return []
    return [f"{shard}-of-{number}" for shard in range(1, number + 1)]


def read_shard(data: str | Path, settings: dict[str, Any], shard: str, size: int) -> Data:
    """Read the series of one shard, and little more, from the frozen ``data.parquet`` of a run."""
    import pandas as pd

    from forerun.data import split
    from forerun.engines.base import Data

    number = int(shard.partition("-")[0])
    chosen = series_names(data)[(number - 1) * size : number * size]
    # Series lie in the order of their names: groups of rows outside these bounds are not read.
    bounds = [("unique_id", ">=", chosen[0]), ("unique_id", "<=", chosen[-1])]
    return Data(*split(pd.read_parquet(data, filters=bounds), settings), own=True)


def series_names(data: str | Path) -> list[str]:
    """Names of all series, in order; only one batch of rows is in memory at a time."""
    from pyarrow.parquet import ParquetFile

    found: dict[str, None] = {}
    file = ParquetFile(data, read_dictionary=["unique_id"])
    for batch in file.iter_batches(columns=["unique_id"]):
        found |= dict.fromkeys(batch.column(0).unique().to_pylist())
    return list(found)
