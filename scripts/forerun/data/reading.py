"""Reading users' tables: CSV, Parquet and Feather."""

from __future__ import annotations

import csv
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from forerun.base.errors import UserError
from forerun.data.csv_tables import read_csv
from forerun.data.formats import FEATHER, refuse_others
from forerun.data.problems import show

_STRINGS = (pa.string(), pa.large_string())


def read_table(
    path: str | Path,
    id_col: str | None = "unique_id",
    time_col: str | None = "ds",
    columns: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Read a CSV, Parquet or Feather file; the format is detected from the content.

    CSV may be UTF-8 (with or without BOM), UTF-16 with BOM or Windows-1252, separated by ``,``
    ``;`` tab or ``|``, with a decimal point or (unless the separator is a comma) a decimal comma,
    plain or compressed with gzip, bzip2 or zstandard.

    Parameters
    ----------
    path : str or Path
        Path of the file.
    id_col, time_col : str, optional
        Columns of a CSV file to keep as strings, so that ``007`` stays ``007`` and ``NA`` is a
        name. They are returned as categories, and so are such columns of strings in Parquet files.
    columns : iterable of str, optional
        Columns to load; `prepare` reports missing ones.

    Returns
    -------
    pandas.DataFrame
        One row per line. ``attrs["columns"]`` has all column names of the file,
        ``attrs["notes"]`` notes on its format; other entries are for
        :func:`forerun.data.numbers.writings`. Ambiguous numbers of a CSV file are strings.

    Raises
    ------
    UserError
        The file is missing, not a regular file, empty, damaged or in another format.
    """
    path = Path(path)
    start = _first_bytes(path)
    wanted = None if columns is None else set(columns)
    try:
        if start.startswith(b"PAR1"):
            table, about = _read_parquet(path, wanted, (id_col, time_col))
        elif start.startswith(FEATHER):
            table, about = _read_feather(path, wanted)
        else:
            table, about = read_csv(path, start, wanted, (id_col, time_col))
    except UnicodeError as error:
        raise UserError(f"{show(path, 200)} is not text in a known encoding (use UTF-8)") from error
    except (pa.ArrowException, OSError, EOFError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{show(path, 200)} cannot be read as CSV or Parquet: {reason}") from error
    _refuse_duplicates(path, about["columns"], wanted)
    # The pandas metadata of a Parquet file would turn columns into an index.
    frame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    frame.attrs = about | {"path": path}
    del table
    pa.default_memory_pool().release_unused()  # of decoding
    return frame


def _first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file; refuse what is not a regular file with content."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(
                f"{show(path, 200)} is a folder; give the path of a CSV or Parquet file"
            )
        if not stat.S_ISREG(mode):
            raise UserError(f"{show(path, 200)} is not a regular file")
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError as error:
        raise UserError(f"the file {show(path, 200)} does not exist") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"the file {show(path, 200)} cannot be opened: {reason}") from error
    if not start:
        raise UserError(f"the file {show(path, 200)} is empty")
    refuse_others(path, start)
    return start


def _refuse_duplicates(path: Path, header: list[str], wanted: set[str] | None) -> None:
    seen: set[str] = set()
    for name in header:
        if name in seen and (wanted is None or name in wanted) and name:
            raise UserError(f"{show(path, 200)} has two columns named {show(name)}; rename one")
        seen.add(name)


def _read_parquet(
    path: Path, wanted: set[str] | None, texts: tuple[str | None, ...]
) -> tuple[pa.Table, dict[str, Any]]:
    schema = pq.read_schema(path)
    names = list(schema.names)
    # Categories take a third of the memory of strings, and one thread decodes one column at a time.
    # Reading by row groups does not lower the peak (docs/performance.md).
    kept = [n for n in names if n.strip() in texts and schema.types[names.index(n)] in _STRINGS]
    with pq.ParquetFile(path, read_dictionary=kept) as file:
        return file.read(columns=_chosen(names, wanted), use_threads=False), _about(names)


def _read_feather(path: Path, wanted: set[str] | None) -> tuple[pa.Table, dict[str, Any]]:
    table = feather.read_table(path, memory_map=False)
    names = list(table.column_names)
    return table.select(_chosen(names, wanted)), _about(names) | {"reader": "read_feather"}


def _chosen(names: list[str], wanted: set[str] | None) -> list[str]:
    return [name for name in dict.fromkeys(names) if wanted is None or name.strip() in wanted]


def _about(names: list[str]) -> dict[str, Any]:
    return {"columns": [name.strip() for name in names], "notes": []}
