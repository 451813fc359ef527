"""Forecast origins: a folder for each, written once, with its own checksums.

``forecasts/<origin>/`` holds ``forecasts.parquet``, ``series.parquet`` (statistics of each
series at the origin), ``record.json`` and ``checksums.json``, the sha256 of the other three.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import new_folder, read_mapping, sha256, write_json, write_parquet
from forerun.deployments.changes import Changes
from forerun.deployments.folder import Deployment
from forerun.deployments.periods import Time, is_origin_name, origin_name, parse_time
from forerun.evaluation.intervals import columns

FORECASTS, SERIES, RECORD = "forecasts.parquet", "series.parquet", "record.json"


@dataclass(frozen=True)
class Origin:
    """The folder of one origin."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def record(self) -> dict[str, Any]:
        """``record.json``: time, runs, data and notes of the forecasts."""
        return read_mapping(self.folder / RECORD)

    @property
    def is_backfill(self) -> bool:
        return self.record.get("kind") == "backfill"

    def messages(self) -> list[str]:
        """Return a sentence for each change in the data and each problem at the origin."""
        changes, names = self.record.get("changes") or {}, set(Changes.__dataclass_fields__)
        found = Changes(**{k: v for k, v in changes.items() if k in names})
        return [*found.lines(), *(self.record.get("problems") or [])]

    def problems(self) -> list[str]:
        """Return the files that are missing or changed since the origin was written."""
        sums = read_mapping(self.folder / "checksums.json", {"sha256": {"*": str}}).get("sha256")
        if not sums:
            return ["checksums.json is missing or damaged"]
        found = []
        for name in (FORECASTS, SERIES, RECORD):
            path = self.folder / name
            if path.is_symlink() or not path.is_file():
                found.append(f"{name} is missing")
            elif sha256(path) != sums.get(name):
                found.append(f"{name} has changed")
        return found

    def forecasts(self) -> pd.DataFrame:
        """Read the forecasts.

        Columns: ``origin``, ``unique_id``, ``ds``, ``step``, ``model``, ``run_id``, ``role``,
        ``point``, and for each level ``lo-<level>`` and ``hi-<level>``.
        """
        return self._read(FORECASTS)

    def series(self) -> pd.DataFrame:
        """Read the state of each series at the origin; for columns see :func:`changes.describe`."""
        return self._read(SERIES)

    def _read(self, name: str) -> pd.DataFrame:
        if problems := self.problems():
            raise Damaged(f"{self.folder}: {'; '.join(problems)}; restore the folder")
        return parquet.ParquetFile(self.folder / name).read().to_pandas()


def origins(deployment: Deployment) -> list[Origin]:
    """Return all origins, the oldest first."""
    try:
        names = [name for name in os.listdir(deployment.forecasts) if is_origin_name(name)]
    except OSError:
        return []
    counted = all(name.lstrip("-").isdigit() for name in names)
    names.sort(key=int if counted else str)
    return [Origin(deployment.forecasts / name) for name in names]


def origin_of(deployment: Deployment, time: Time) -> Origin:
    """Return the origin at a time, whether it exists or not."""
    return Origin(deployment.forecasts / origin_name(time))


def before(deployment: Deployment, time: Time) -> Origin | None:
    """Return the newest origin earlier than a time; None if there is none."""
    dated = isinstance(time, pd.Timestamp)
    earlier = [o for o in origins(deployment) if parse_time(o.name, dated, "forecasts") < time]
    return earlier[-1] if earlier else None


def long_table(
    frames: dict[str, pd.DataFrame], origin: Time, run_id: str, role: str, levels: Sequence[float]
) -> pd.DataFrame:
    """Return the forecasts of one run in the columns of ``forecasts.parquet``.

    Parameters
    ----------
    frames : for each model ``unique_id``, ``ds``, ``<model>`` and intervals, sorted
    role : ``champion`` or ``challenger``
    """
    parts = []
    for model, frame in frames.items():
        content: dict[str, Any] = {
            "origin": origin, "unique_id": frame["unique_id"].astype(str), "ds": frame["ds"],
            "step": frame.groupby("unique_id", sort=False, observed=True).cumcount() + 1,
            "model": model, "run_id": run_id, "role": role, "point": frame[model].astype(float),
        }  # fmt: skip
        for level in levels:
            for side, column in zip(("lo", "hi"), columns(model, level), strict=True):
                values = frame[column] if column in frame else float("nan")
                content[f"{side}-{level:g}"] = values
        parts.append(pd.DataFrame(content))
    return pd.concat(parts, ignore_index=True)


def write(
    origin: Origin, table: pd.DataFrame, series: pd.DataFrame, record: dict[str, Any]
) -> None:
    """Write the folder of an origin completely or not at all; never replace an existing one."""
    try:
        with new_folder(origin.folder) as temporary:
            packed = pa.Table.from_pandas(table, preserve_index=False)
            parquet.write_table(
                packed, temporary / FORECASTS, compression="zstd", use_dictionary=True
            )
            write_parquet(temporary / SERIES, series)
            write_json(temporary / RECORD, record)
            sums = {name: sha256(temporary / name) for name in (FORECASTS, SERIES, RECORD)}
            write_json(temporary / "checksums.json", {"sha256": sums})
    except FileExistsError:
        raise UserError(
            f"origin {origin.name} exists and is never overwritten: {origin.folder}"
        ) from None
