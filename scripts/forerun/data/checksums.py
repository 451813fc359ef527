"""Checksums of the rows that a fit uses and of the history that models are scored on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from forerun.base.bounded import Damaged

if TYPE_CHECKING:
    import pandas as pd


def rows(data: str | Path | pd.DataFrame, columns: list[str], left_out: int = 0) -> dict[str, str]:
    """Return the sha256 of each column that a fit uses, over the rows with a target.

    Always computed from the data: a recorded checksum may be wrong.

    Parameters
    ----------
    data : the run's ``data.parquet`` or its content
    left_out : steps at the end of each series that the fit does not use
    """
    import pandas as pd

    frame = data[columns] if isinstance(data, pd.DataFrame) else _read(data, columns)
    frame = frame[frame["y"].notna()]
    if left_out:
        from_end = frame.groupby("unique_id", observed=True).cumcount(ascending=False)
        frame = frame[from_end >= left_out]
    return columns_sha256(frame)


def _read(data: str | Path, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(data, columns=columns)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Damaged(f"{data}: is not the data of a run ({error})") from None


def columns_sha256(frame: pd.DataFrame) -> dict[str, str]:
    """Return the sha256 of the values of each column, in their order."""
    from pandas.util import hash_pandas_object

    sums = {}
    for name in map(str, frame.columns):
        found = hashlib.sha256(str(frame[name].dtype).encode())
        found.update(hash_pandas_object(frame[name], index=False).to_numpy().data)
        sums[name] = found.hexdigest()
    return sums


def history_sha256(data: str | Path) -> str:
    """Return the sha256 of series, times and targets in a run's ``data.parquet``."""
    sums = rows(data, ["unique_id", "ds", "y"])
    return hashlib.sha256("".join(sums.values()).encode()).hexdigest()
