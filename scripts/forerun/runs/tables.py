"""Reading the CSV files of a run: names stay strings, numbers keep full precision.

Series may be named ``NA``, ``null`` or ``007``, so the type of name columns is never inferred.
Models with former names get their current ones (:mod:`forerun.config.names`). Files may be
untrusted: sizes are bounded, and invalid content is :class:`~forerun.base.bounded.Damaged`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forerun.base.bounded import LARGE, SMALL, Damaged, open_regular, read_text
from forerun.config.names import current, current_columns

if TYPE_CHECKING:
    import pandas as pd

#: String columns of the leaderboard; all others are numeric.
LEADERBOARD_TEXTS = ("model", "status", "reason")
#: Maximum number of rows of a small table.
MOST_ROWS = 20_000

Row = dict[str, str]


def read_rows(path: str | Path, needed: Sequence[str] = (), separator: str = ",") -> list[Row]:
    """Read a small table as rows of strings, without pandas.

    Parameters
    ----------
    needed : required columns

    Raises
    ------
    Damaged
        The file is missing, not a table, lacks a column, or has rows of unequal lengths.
    """
    lines = csv.reader(io.StringIO(read_text(path, SMALL), newline=""), delimiter=separator)
    try:
        head, *rows = [line for line in lines if line]
    except csv.Error as error:
        raise Damaged(f"{path}: is not a table ({error})") from None
    except ValueError:
        raise Damaged(f"{path}: is empty") from None
    _check_header(path, head, needed)
    if len(rows) > MOST_ROWS:
        raise Damaged(f"{path}: has {len(rows):,} rows; at most {MOST_ROWS:,}")
    if any(len(row) != len(head) for row in rows):
        raise Damaged(f"{path}: has rows of unequal lengths")
    return [dict(zip(head, row, strict=True)) for row in rows]


def _check_header(path: str | Path, head: Sequence[str], needed: Sequence[str]) -> None:
    for name in needed:
        if name not in head:
            raise Damaged(f"{path}: has no column '{name}'")
    if len(set(head)) < len(head):
        raise Damaged(f"{path}: has duplicate columns")


def read_columns(path: str | Path) -> list[str]:
    """Read the column names of a table of any size."""
    with open_regular(path, LARGE) as file:
        return _header(path, file.readline(SMALL))


def read_leaderboard_rows(path: str | Path) -> list[Row]:
    """Read a ``leaderboard.csv`` as strings, one row for each model, best first."""
    rows = read_rows(path, needed=("model", "status"))
    models = {row["model"] for row in rows}
    return [row | {"model": current(row["model"], models)} for row in rows]


def read_leaderboard(path: str | Path) -> pd.DataFrame:
    """Read a ``leaderboard.csv``: one row for each model, best first."""
    import pandas as pd

    rows = read_leaderboard_rows(path)
    head = list(rows[0]) if rows else list(LEADERBOARD_TEXTS)
    columns: dict[str, pd.Series] = {}
    for name in head:
        cells = [row[name] for row in rows]
        if name in LEADERBOARD_TEXTS:
            columns[name] = pd.Series([cell or None for cell in cells], dtype=object)
            continue
        try:
            numbers = [float(cell) if cell else float("nan") for cell in cells]
        except ValueError:
            raise Damaged(f"{path}: column '{name}' is not numeric") from None
        columns[name] = pd.Series(numbers, dtype=float)
    frame = pd.DataFrame(columns)
    if "rank" in frame and frame["rank"].between(1, MOST_ROWS).all():
        frame["rank"] = frame["rank"].astype(int)
    return frame


def read_metrics(path: str | Path) -> pd.DataFrame:
    """Read a ``metrics.csv``: ``unique_id``, ``metric`` and one numeric column for each model."""
    return read_frame(path, texts=("unique_id", "metric"), times=("cutoff",), needed=("metric",))


def read_cv_results(path: str | Path) -> pd.DataFrame:
    """Read a ``cv_results_<model>.csv``; integer times stay integers, others become datetimes."""
    times = ("ds", "cutoff")
    return read_frame(path, ("unique_id", "chosen"), times, needed=times)


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a ``predictions/<model>.csv``; times as in :func:`read_cv_results`."""
    return read_frame(path, ("unique_id", "chosen"), ("ds",), needed=("ds",))


def read_frame(
    path: str | Path,
    texts: Sequence[str],
    times: Sequence[str] = (),
    needed: Sequence[str] = (),
    strict: bool = True,
) -> pd.DataFrame:
    """Read a table of series of any size in full precision.

    Parameters
    ----------
    texts, times : columns of strings and of times; all others are numeric
    needed : required columns besides ``unique_id``
    strict : refuse other columns that are not numeric; otherwise their type is inferred

    Raises
    ------
    Damaged
        The file is missing, not a table, lacks a column, or has strings in numeric columns.
    """
    import pandas as pd
    from pyarrow import ArrowException, default_memory_pool, float64, string
    from pyarrow import csv as arrow_csv

    with open_regular(path, LARGE) as file:
        names = _header(path, file.readline(SMALL))
        _check_header(path, names, ("unique_id", *needed))
        types = dict.fromkeys((name for name in names if name not in times), float64())
        if not strict:
            types = {}
        types |= {name: string() for name in texts if name in names}
        file.seek(0)
        try:
            table = arrow_csv.read_csv(
                file,
                read_options=arrow_csv.ReadOptions(use_threads=False),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=types, null_values=[""], strings_can_be_null=True
                ),
            )
            frame = table.to_pandas(use_threads=False, date_as_object=False, self_destruct=True)
            del table
            default_memory_pool().release_unused()
            for column in (name for name in times if name in names):
                if pd.api.types.is_datetime64_dtype(frame[column]):  # Arrow has read times
                    frame[column] = frame[column].astype("datetime64[ns]")
                elif not pd.api.types.is_integer_dtype(frame[column]):
                    frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
        except (ArrowException, ValueError, TypeError, OverflowError) as error:
            reason = " ".join(str(error).split())[:150]
            raise Damaged(f"{path}: is not a table of a run ({reason})") from None
    renamed = current_columns(names)
    return frame.rename(columns=renamed) if renamed else frame


def read_plain(path: str | Path, needed: Sequence[str]) -> pd.DataFrame:
    """Read a table without series and with inferred types; refuse it if a column is missing."""
    from pyarrow import ArrowException
    from pyarrow import csv as arrow_csv

    with open_regular(path, LARGE) as file:
        try:
            frame = arrow_csv.read_csv(file).to_pandas()
        except (ArrowException, ValueError) as error:
            reason = " ".join(str(error).split())[:150]
            raise Damaged(f"{path}: is not a table ({reason})") from None
    _check_header(path, list(map(str, frame.columns)), needed)
    return frame


def _header(path: str | Path, line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8").rstrip("\r\n")]), [])
    except (UnicodeDecodeError, csv.Error):
        raise Damaged(f"{path}: is not a table in UTF-8") from None
