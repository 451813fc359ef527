"""Shards: parts of a large run's series, each predicted by one job and then merged.

A shard is ``shard_size`` series in the order of ``data.parquet``; the last may have fewer.
Conformal intervals, ``per_series``, ``ensemble`` and the forecasts of multivariate models, which
need all series, are computed when the shards are merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.config.models import specs
from forerun.runs.json_files import read_provenance
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import names_by_group, read_data

if TYPE_CHECKING:
    from forerun.forecasting.engines.base import Data

#: Maximum number of shards of a run.
MOST_SHARDS = 100_000


def names(run: str | Path, settings: dict[str, Any], size: int) -> list[str]:
    """Return the names of a run's shards, ``1-of-3``...; none if a single job is enough.

    Parameters
    ----------
    run : folder of the run; if its data are in object storage, series are counted by provenance
    size : number of series of a shard
    """
    number = ceil(_number_of_series(Path(run), size) / size)
    if number < 2 or all(spec.info.multivariate for spec in specs(settings)):
        return []
    return [f"{shard}-of-{number}" for shard in range(1, number + 1)]


def _number_of_series(run: Path, size: int) -> int:
    """Return the number of series of a run, or the number of rows if that is at most `size`."""
    from pyarrow.parquet import ParquetFile

    data = RunPaths(run).data
    if not data.is_file() or not data.stat().st_size:  # a snapshot of a run in object storage
        return min(int(read_provenance(run)["data"].get("series", 0)), MOST_SHARDS * size)
    with ParquetFile(data) as file:
        rows = int(file.metadata.num_rows)
    return rows if rows <= size else len(series_names(data))


def read_shard(data: str | Path, settings: dict[str, Any], shard: str, size: int) -> Data:
    """Read the series of a shard from the frozen ``data.parquet`` of a run."""

    from forerun.data import split
    from forerun.forecasting.engines.base import Data

    number = int(shard.partition("-")[0])
    groups = list(names_by_group(data))
    chosen = set(_distinct(groups)[(number - 1) * size : number * size])
    some = [place for place, names in enumerate(groups) if not chosen.isdisjoint(names)]
    frame = read_data(data, groups=some)
    inside = frame["unique_id"].isin(chosen)
    frame = frame if inside.all() else frame[inside].reset_index(drop=True)
    return Data(*split(frame, settings), own=True)


def series_names(data: str | Path) -> list[str]:
    """Return the names of all series in order, reading one row group at a time."""
    return _distinct(names_by_group(data))


def _distinct(groups: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(chain.from_iterable(groups)))
