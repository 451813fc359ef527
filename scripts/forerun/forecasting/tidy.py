"""All forecasts of a folder in one tidy table with the user's column names.

``all.parquet`` and ``all.csv`` have one row for each model, series and step. Columns: the run's
``id_col`` and ``time_col``, ``model``, and the forecast between its intervals: ``lo-95``,
``lo-80``, ``point``, ``hi-80``, ``hi-95``. Missing intervals are empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base import csv_text
from forerun.base.files import replacing
from forerun.config.names import COMBINED, TIDY
from forerun.evaluation.intervals import columns, parse_level
from forerun.runs.tables import read_columns, read_predictions

MODEL, POINT = "model", "point"


def write_tidy(folder: Path, models: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Write ``all.parquet`` and ``all.csv`` from the ``<model>.csv`` files in a folder.

    Only one model is in memory at a time.
    """
    if not models or TIDY in models:  # a run of an earlier version may have a model of that name
        return
    levels = sorted(
        {level for model in models for level in _levels(folder / f"{model}.csv", model)}
    )
    with (
        replacing(folder / f"{TIDY}.csv") as text_path,
        replacing(folder / f"{TIDY}.parquet") as parquet_path,
        text_path.open("wb") as text,
    ):
        writer: parquet.ParquetWriter | None = None
        # Combinations first; the order does not depend on the configuration.
        for model in sorted(models, key=lambda name: (name not in COMBINED, name)):
            frame = tidy(read_predictions(folder / f"{model}.csv"), model, levels, settings)
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if csv_text.can_write(frame):
                csv_text.write(text, frame, header=writer is None)
            else:
                frame.to_csv(text, index=False, header=writer is None, lineterminator="\n")
            writer = writer or parquet.ParquetWriter(parquet_path, table.schema)
            writer.write_table(table.cast(writer.schema))
        if writer is not None:
            writer.close()


def _levels(path: Path, model: str) -> list[float]:
    found = [parse_level(name, model) for name in read_columns(path)]
    return [level for level in found if level is not None]


def tidy(
    frame: pd.DataFrame, model: str, levels: Sequence[float], settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return one model's forecasts in the columns of the tidy table.

    Parameters
    ----------
    frame : ``unique_id``, ``ds``, ``<model>``, intervals
    levels : levels of all models, ascending
    """
    given = {
        str(settings.get("id_col") or "unique_id"): frame["unique_id"],
        str(settings.get("time_col") or "ds"): frame["ds"],
    }
    low = {f"lo-{level:g}": columns(model, level)[0] for level in reversed(levels)}
    high = {f"hi-{level:g}": columns(model, level)[1] for level in levels}
    added: dict[str, Any] = {MODEL: model}
    for name, column in {**low, POINT: model, **high}.items():
        added[name] = frame[column] if column in frame else float("nan")
    # A user's column may be called "model" as well.
    renamed = {name if name not in given else f"forecast_{name}": v for name, v in added.items()}
    return pd.DataFrame(given | renamed)
