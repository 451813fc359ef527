"""Shards: parts of a large run's series, each predicted by one job and joined afterwards.

A shard is ``shard_size`` whole series in the order of ``data.parquet``; the last may have fewer.
It holds what models forecast themselves. What looks at all series (conformal intervals,
``per_series`` and ``ensemble``) is made when the shards are put together, and so are the forecasts
of models that forecast all series at once.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.config.models import specs
from forerun.runs.json_files import read_provenance
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_data

if TYPE_CHECKING:
    from forerun.forecasting.engines.base import Data

#: Most shards of one run.
MOST_SHARDS = 100_000


def names(run: str | Path, settings: dict[str, Any], size: int) -> list[str]:
    """Return what the shards of a run are called, ``1-of-3``...; none where one job does it all.

    Parameters
    ----------
    run : its folder, with its data; where they lie in storage its provenance tells how many series
    size : series of one shard
    """
    number = ceil(_number_of_series(Path(run), size) / size)
    if number < 2 or all(spec.info.multivariate for spec in specs(settings)):
        return []
    return [f"{shard}-of-{number}" for shard in range(1, number + 1)]


def _number_of_series(run: Path, size: int) -> int:
    """Count the series of a run's data; at once where there are not more rows than `size`."""
    from pyarrow.parquet import ParquetFile

    data = RunPaths(run).data
    if not data.is_file() or not data.stat().st_size:  # a picture of a run in storage
        return min(int(read_provenance(run)["data"].get("series", 0)), MOST_SHARDS * size)
    with ParquetFile(data) as file:
        rows = int(file.metadata.num_rows)
    return rows if rows <= size else len(series_names(data))


def read_shard(data: str | Path, settings: dict[str, Any], shard: str, size: int) -> Data:
    """Read the series of one shard, and little more, from the frozen ``data.parquet`` of a run."""

    from forerun.data import split
    from forerun.forecasting.engines.base import Data

    number = int(shard.partition("-")[0])
    chosen = series_names(data)[(number - 1) * size : number * size]
    # Series lie in the order of their names: groups of rows outside these bounds are not read.
    bounds = [("unique_id", ">=", chosen[0]), ("unique_id", "<=", chosen[-1])]
    return Data(*split(read_data(data, filters=bounds), settings), own=True)


def series_names(data: str | Path) -> list[str]:
    """Names of all series, in order; only one batch of rows is in memory at a time."""
    from pyarrow.parquet import ParquetFile

    found: dict[str, None] = {}
    file = ParquetFile(data, read_dictionary=["unique_id"])
    for batch in file.iter_batches(columns=["unique_id"]):
        found |= dict.fromkeys(batch.column(0).unique().to_pylist())
    return list(found)
