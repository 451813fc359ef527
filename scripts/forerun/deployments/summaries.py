"""Means of the scores in their newest vintage.

``scores.csv`` has a row for each origin, step and model: means over series; step 0 is all steps.
``scores.parquet`` has a row for each origin, series and model: means over steps. It is a folder
with a file for each origin, so that scoring one origin rewrites no other; Parquet readers read the
folder as one table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base.errors import UserError
from forerun.base.files import replacing, write_csv
from forerun.deployments.folder import Deployment
from forerun.deployments.losses import CHANGES, LOSSES
from forerun.deployments.periods import is_origin_name, origin_name
from forerun.evaluation.arrays import Floats
from forerun.evaluation.losses import METRICS
from forerun.runs.tables import read_plain

GROUP = ["origin", "run_id", "model", "role", "kind"]
_META = b"forerun"


@dataclass(frozen=True)
class State:
    """The inputs of an origin's scores.

    Attributes
    ----------
    origin : name of the origin
    as_of, rows : newest vintage of its values, and number of values of all vintages
    adjusted : sha256 of its adjustments; empty without any
    before : name of the previous origin
    form : format version of the files
    """

    origin: str
    as_of: str
    rows: int
    adjusted: str
    before: str
    form: int


@dataclass(frozen=True)
class Means:
    """Rows of one origin for both summaries."""

    state: State
    by_step: pd.DataFrame
    by_series: pd.DataFrame


def of(table: pd.DataFrame, state: State) -> Means:
    """Return the means of an origin from its rows with losses, in their newest vintage."""
    whole = means(table, GROUP).assign(step=0)
    both = pd.concat([whole, means(table, [*GROUP, "step"])], ignore_index=True)
    by_series = means(table, [*GROUP, "unique_id"])
    newest = table["as_of"].max() if len(table) else state.as_of
    return Means(
        state, _ordered(both.assign(as_of=newest), "step"),
        _ordered(by_series.assign(as_of=newest), "unique_id"),
    )  # fmt: skip


def means(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the means of all metrics and the number of values ``n``, grouped by `keys`."""
    codes = table.groupby(keys, sort=True, observed=True).ngroup().to_numpy()
    groups, first = np.unique(codes, return_index=True)

    def mean(column: str) -> Floats:
        """Return the means of a column over the values that are not missing."""
        values = table[column].to_numpy(float)
        present = ~np.isnan(values)
        sums = np.bincount(codes[present], values[present], len(groups))
        counts = np.bincount(codes[present], minlength=len(groups))
        return sums / np.where(counts, counts, np.nan)

    result = table[keys].iloc[first].reset_index(drop=True)
    result["n"], result["bias"] = np.bincount(codes, minlength=len(groups)), mean("error")
    steps = {loss: mean(f"{loss}_step") for loss in dict.fromkeys(LOSSES.values())}
    for name, loss in LOSSES.items():
        result[name] = np.sqrt(steps[loss]) if METRICS[name].root else steps[loss]
    for column in [str(c) for c in table if str(c).startswith(("inside_", "width_"))]:
        result[column.replace("inside_", "coverage_")] = mean(column)
    for name in CHANGES:
        if f"{name}_step" in table:
            result[name] = mean(f"{name}_step")
    return result


def _ordered(table: pd.DataFrame, last: str) -> pd.DataFrame:
    front = [*GROUP, last, "n"]
    return table[[*front, *(name for name in table if name not in front)]]


# -- By series: a file for each origin ------------------------------------------------------------


def folder(deployment: Deployment) -> Path:
    """Return the folder ``scores.parquet``."""
    return deployment.folder / "scores.parquet"


def _files(deployment: Deployment) -> list[Path]:
    try:
        names = os.listdir(folder(deployment))
    except OSError:
        return []
    named = [name for name in names if name.endswith(".parquet") and is_origin_name(name[:-8])]
    return [folder(deployment) / name for name in sorted(named)]


def states(deployment: Deployment) -> dict[str, State]:
    """Return the state of each scored origin by name; empty without ``scores.csv``."""
    if _read_again(deployment) is None:
        return {}
    return {path.stem: found for path in _files(deployment) if (found := _state(path))}


def _state(path: Path) -> State | None:
    try:
        return State(**json.loads((parquet.read_schema(path).metadata or {})[_META]))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None


def write(deployment: Deployment, new: Sequence[Means]) -> None:
    """Replace the rows of some origins in both summaries.

    ``scores.csv`` is written first: an origin with a file in ``scores.parquet`` is in both.
    """
    _write_csv(deployment, new)
    place = folder(deployment)
    if place.is_file():  # written by an earlier version
        place.unlink()
    columns = _columns(deployment, new)
    for one in new:
        packed = _packed(one.by_series, columns)
        mark = {_META: json.dumps(asdict(one.state)).encode()}
        packed = packed.replace_schema_metadata(mark)
        _write_part(place / f"{one.state.origin}.parquet", packed)


def _columns(deployment: Deployment, new: Sequence[Means]) -> list[str]:
    """Return the columns of all origins' files, and add new columns to existing files.

    Readers take the columns of the first file. It is written last, so the next call completes an
    interrupted one.
    """
    files = _files(deployment)
    first = next((path for path in files if _state(path)), None)  # others are rewritten
    existing = parquet.read_schema(first).names if first else []
    columns = list(dict.fromkeys([*existing, *(str(c) for one in new for c in one.by_series)]))
    if existing and len(columns) > len(existing):
        for path in (path for path in reversed(files) if _state(path)):
            table = parquet.read_table(path, partitioning=None)
            for name in columns:
                if name not in table.column_names:
                    table = table.append_column(name, pa.nulls(len(table), pa.float32()))
            _write_part(path, table.select(columns))
    return columns


def _packed(table: pd.DataFrame, columns: Sequence[str]) -> pa.Table:
    """Return a table with these columns and 32-bit numbers, which save space."""
    packed = pa.Table.from_pandas(table.reindex(columns=list(columns)), preserve_index=False)
    types = {pa.float64(): pa.float32(), pa.large_string(): pa.string()}
    fields = [pa.field(field.name, types.get(field.type, field.type)) for field in packed.schema]
    return packed.cast(pa.schema(fields))


def _write_part(path: Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


# -- By step --------------------------------------------------------------------------------------


def _write_csv(deployment: Deployment, new: Sequence[Means]) -> None:
    names = {one.state.origin for one in new}
    parts = [one.by_step for one in new if len(one.by_step)]
    old = _read_again(deployment)
    if old is not None and len(old):
        codes, times = pd.factorize(old["origin"])
        kept = old[np.array([origin_name(time) not in names for time in times])[codes]]
        parts = [kept, *parts] if len(kept) else parts
    table = pd.concat(parts, ignore_index=True) if parts else _nothing()
    order = [*GROUP, "step"]
    write_csv(deployment.folder / "scores.csv", table.sort_values(order, ignore_index=True))


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=[*GROUP, "step", "n"])


def _read_again(deployment: Deployment) -> pd.DataFrame | None:
    try:
        return read(deployment.folder / "scores.csv")
    except (UserError, OSError, ValueError):
        return None  # rewritten from the scores of all origins


def read(path: Path) -> pd.DataFrame:
    """Read ``scores.csv``."""
    frame = read_plain(path, ("origin", "step", "model", "run_id", "mae"))
    texts = ("model", "run_id", "role", "kind", "as_of")
    strings = {name: frame[name].fillna("").astype(str) for name in texts if name in frame}
    empty = [name for name in frame if frame[name].isna().all() and name not in strings]
    frame = frame.assign(**strings, **{str(name): np.nan for name in empty})
    if not pd.api.types.is_integer_dtype(frame["origin"]):
        frame["origin"] = pd.to_datetime(frame["origin"]).astype("datetime64[ns]")
    return frame


def by_step(deployment: Deployment) -> pd.DataFrame:
    """Read ``scores.csv``; return a table without rows if no origin is scored yet."""
    path = deployment.folder / "scores.csv"
    return read(path) if path.is_file() else _nothing()


def whole_origins(table: pd.DataFrame, run_id: str, model: str) -> pd.DataFrame:
    """Return the rows of :func:`by_step` with means over all steps of a model, newest last."""
    own = (table["run_id"] == run_id) & (table["model"] == model) & (table["step"] == 0)
    return table[own].sort_values("origin")
