"""Large tables as CSV text: what pandas' ``to_csv`` writes, in a fraction of its time.

pandas turns each number into an object and writes row by row; here Arrow makes the text of whole
columns and joins them. The text is the same, to the byte (a test compares both), so that it does
not matter which of the two wrote a file.

``pyarrow.csv`` is faster (docs/performance.md), but its text differs: whole numbers lose their
point, so that other readers take a column of them for integers; every name is in quotes; and times
have nine digits of a second, unless they are dates.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

#: Rows whose text is in memory at once.
ROWS = 100_000
#: Between these sizes neither Python nor Arrow writes numbers with an exponent.
SMALL, LARGE = 1e-4, 1e9


def can_write(frame: pd.DataFrame) -> bool:
    """Return whether all columns are of kinds that are written here: numbers, times, text."""
    unique = frame.columns.is_unique and len(frame.columns) > 1
    return unique and all(_is_known(frame[name]) for name in frame.columns)


def _is_known(column: pd.Series) -> bool:
    if column.dtype == object:
        return pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")
    return str(column.dtype) in ("float64", "int64", "datetime64[ns]")


def write(file: IO[bytes], frame: pd.DataFrame, header: bool = True) -> None:
    """Write a frame that :func:`can_write` allows, without its index."""
    if header:
        file.write((",".join(_quoted(frame.columns)) + "\n").encode())
    repeated = _repeated(frame)
    for start in range(0, len(frame), ROWS):
        rows = slice(start, start + ROWS)
        columns = []
        for name in frame.columns:
            if name in repeated:
                codes, texts = repeated[name]
                columns.append(texts.take(pa.array(codes[rows])))
            else:
                columns.append(_numbers(frame[name].to_numpy()[rows]))
        file.write(_lines(columns))


def _repeated(frame: pd.DataFrame) -> dict[str, tuple[npt.NDArray[Any], pa.Array]]:
    """Return, for all columns but those of floats, each row's place in the texts of the column."""
    found = {}
    for name in frame.columns:
        if frame[name].dtype == float:
            continue
        codes, uniques = pd.factorize(frame[name])
        texts = _times(uniques) if frame[name].dtype.kind == "M" else _quoted(uniques)
        places = np.where(codes < 0, len(texts), codes)  # a missing value is an empty text
        found[name] = places, pa.array([*texts, ""], pa.string())
    return found


def _times(times: Any) -> list[str]:
    """Return times as text; pandas leaves out the time of day if it is midnight everywhere."""
    text = pd.Series(times).to_csv(index=False, header=False, lineterminator="\n")
    return text.splitlines()


def _quoted(values: Iterable[Any]) -> list[str]:
    """Return each value as text, in quotes where CSV needs them."""
    buffer, texts = io.StringIO(), []
    writer = csv.writer(buffer, lineterminator="\n")
    for value in values:
        writer.writerow([value, ""])
        texts.append(buffer.getvalue()[:-2])
        buffer.seek(0)
        buffer.truncate()
    return texts


def _numbers(values: npt.NDArray[np.float64]) -> pa.Array:
    """Return the shortest texts that give the same numbers again, as Python's ``repr`` does."""
    texts = pc.cast(pa.array(values), pa.string())
    size = np.abs(values)
    whole = (values == np.trunc(values)) & (size < LARGE)
    if whole.any():
        with_point = pc.binary_join_element_wise(texts, ".0", "")
        texts = pc.if_else(pa.array(whole), with_point, texts)
    other = ~(whole | ((size >= SMALL) & (size < LARGE)))
    if other.any():
        own = ["" if np.isnan(value) else repr(value) for value in values[other].tolist()]
        texts = pc.replace_with_mask(texts, pa.array(other), pa.array(own, pa.string()))
    return texts


def _lines(columns: list[pa.Array]) -> memoryview:
    """Return the rows of some columns of text as CSV, encoded."""
    joined = pc.binary_join_element_wise(*columns, ",")
    ended = pc.binary_join_element_wise(joined, "", "\n")
    _, offsets, data = ended.buffers()
    end = np.frombuffer(offsets, dtype=np.int32)[len(ended)]
    return memoryview(data)[:end]
