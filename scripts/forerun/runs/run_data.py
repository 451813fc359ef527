"""Reading ``data.parquet``, the frozen data of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forerun.base.bounded import Damaged

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow import Array


def read_data(
    path: str | Path, columns: list[str] | None = None, groups: Sequence[int] | None = None
) -> pd.DataFrame:
    """Read rows and columns of the table: ``unique_id``, ``ds``, ``y`` and exogenous columns.

    Parameters
    ----------
    groups : row groups of the file to read; all by default

    Raises
    ------
    Damaged
        The file is not a valid table.
    """
    from pyarrow import ArrowException, default_memory_pool, parquet

    try:
        if groups is None:
            table = parquet.read_table(path, columns=columns, read_dictionary=["unique_id"])
        else:
            with parquet.ParquetFile(path, read_dictionary=["unique_id"]) as file:
                table = file.read_row_groups(list(groups), columns=columns)
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
    frame = read_categories(path, columns)
    observed = frame["y"].notna()
    return frame if observed.all() else frame[observed].reset_index(drop=True)


def read_categories(
    path: str | Path, columns: Sequence[str] = ("unique_id", "ds", "y")
) -> pd.DataFrame:
    """Read columns of all rows, the names as categories."""
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
    return frame


def until_last_value(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows up to the last value of each series; the frame itself if these are all.

    Later rows have only known future values.
    """
    observed = frame["y"].notna()
    if observed.all():
        return frame
    return frame[observed[::-1].groupby(frame["unique_id"], observed=True).cummax()[::-1]]


def names_by_group(path: str | Path) -> Iterator[list[str]]:
    """Yield the names of the series of each row group, in order, one group in memory at a time.

    Raises
    ------
    Damaged
        The file is not a valid table, or a row has no name.
    """
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path, read_dictionary=["unique_id"]) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=["unique_id"], use_threads=False)
                column = table.column("unique_id")
                if column.null_count:
                    raise _nameless(path)
                yield list(dict.fromkeys(name for part in column.chunks for name in _names(part)))
    except ArrowException as error:
        raise _damaged(path, error) from None


def _names(column: Array) -> list[str]:
    """Return the distinct values of a column in order of appearance."""
    import numpy as np
    from pyarrow import DictionaryArray

    if isinstance(column, DictionaryArray) and len(column):
        codes = column.indices.to_numpy()
        steps = np.diff(codes)
        last = len(column.dictionary) - 1
        if codes[0] == 0 and codes[-1] == last and ((steps == 0) | (steps == 1)).all():
            return list(column.dictionary.to_pylist())  # as in a sorted table
    return list(column.unique().to_pylist())


#: The columns of a history that errors and their scales depend on.
VALUES = ("unique_id", "y")


def _check_names(path: str | Path, ids: pd.Series) -> None:
    """Refuse rows without a name: as codes of categories they would count as the last name."""
    if (ids.cat.codes < 0 if ids.dtype == "category" else ids.isna()).any():
        raise _nameless(path)


def _nameless(path: str | Path) -> Damaged:
    return Damaged(f"{path}: has rows without unique_id; restore it")


def _damaged(path: str | Path, error: Exception) -> Damaged:
    reason = " ".join(str(error).split())[:150]
    return Damaged(f"{path}: is not the table of a run ({reason}); restore it")
