"""Reading ``data.parquet``, the frozen data of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.bounded import Damaged

if TYPE_CHECKING:
    import pandas as pd


def read_data(
    path: str | Path,
    columns: list[str] | None = None,
    filters: list[tuple[str, str, Any]] | None = None,
) -> pd.DataFrame:
    """Read rows and columns of the table: ``unique_id``, ``ds``, ``y`` and exogenous columns.

    Raises
    ------
    Damaged
        The file is not a valid table.
    """
    from pyarrow import ArrowException, default_memory_pool, parquet

    try:
        table = parquet.read_table(
            path, columns=columns, filters=filters, read_dictionary=["unique_id"]
        )
    except ArrowException as error:
        raise _damaged(path, error) from None
    frame = table.to_pandas(self_destruct=True)  # each column is freed when it is converted
    del table
    default_memory_pool().release_unused()
    if "unique_id" in frame:
        _check_names(path, frame["unique_id"])
        if frame["unique_id"].dtype == "category":
            ids = frame["unique_id"].cat  # rows of a series share its name
            frame["unique_id"] = ids.categories.to_numpy(dtype=object)[ids.codes.to_numpy()]
    return frame


def read_history(
    path: str | Path, columns: Sequence[str] = ("unique_id", "ds", "y")
) -> pd.DataFrame:
    """Read ``unique_id``, ``ds`` and ``y`` of the rows with a target, or some of these columns.

    Names are categories, which takes a tenth of the time and less than half of the memory.
    """
    from pyarrow import ArrowException, default_memory_pool, parquet

    try:
        table = parquet.read_table(
            path, columns=list(columns), read_dictionary=["unique_id"], use_threads=False
        )
    except ArrowException as error:
        raise _damaged(path, error) from None
    frame = table.to_pandas(use_threads=False, self_destruct=True)
    del table
    default_memory_pool().release_unused()
    _check_names(path, frame["unique_id"])
    observed = frame["y"].notna()
    return frame if observed.all() else frame[observed].reset_index(drop=True)


#: The columns of a history that errors and their scales depend on.
VALUES = ("unique_id", "y")


def _check_names(path: str | Path, ids: pd.Series) -> None:
    """Refuse rows without a name: as codes of categories they would count as the last name."""
    if (ids.cat.codes < 0 if ids.dtype == "category" else ids.isna()).any():
        raise Damaged(f"{path}: has rows without unique_id; restore it")


def _damaged(path: str | Path, error: Exception) -> Damaged:
    reason = " ".join(str(error).split())[:150]
    return Damaged(f"{path}: is not the table of a run ({reason}); restore it")
