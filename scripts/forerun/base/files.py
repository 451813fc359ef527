"""Atomic writing of files.

Everything is written under a temporary name next to its target, flushed to the disk and renamed, so
readers see either the old or the new content, even if a process is killed. Files may be replaced,
folders never are: see :mod:`forerun.base.publishing`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.bounded import Shape, open_regular, parse_json, read_text, shaped
from forerun.base.errors import UserError
from forerun.base.publishing import TEMPORARY, flush, new_file, new_folder, publish, temporary_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TEMPORARY", "new_file", "new_folder", "publish"]

#: Maximum size of a file to hash: no practical limit.
LARGEST = 2**62
#: Number of rows of a row group of Parquet files, that of pandas.
ROW_GROUP = 2**20


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it replaces `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def place(temporary: Path, path: str | Path) -> None:
    """Rename a finished temporary file, replacing an existing one atomically."""
    flush(temporary)
    os.replace(temporary, path)


@dataclass
class NewPath:
    """A file that is being written: its temporary and its final path."""

    temporary: Path
    path: Path


@contextmanager
def new_path(path: str | Path) -> Iterator[NewPath]:
    """Yield a temporary path to write to; on success it becomes `path`, or a numbered name.

    Existing files are not replaced: if ``comparison.html`` exists, the file becomes
    ``comparison_2.html``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = NewPath(temporary_name(path), path)
    try:
        yield new
        flush(new.temporary)
        number = 1
        while True:
            try:
                publish(new.temporary, new.path)
                break
            except FileExistsError:
                number += 1
                new.path = path.with_name(f"{path.stem}_{number}{path.suffix}")
    finally:
        new.temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def json_text(value: Any) -> str:
    """Return `value` as readable JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as readable JSON."""
    write_text(path, json_text(value))


def read_json(path: str | Path) -> Any:
    """Read a JSON file of a run; ``None`` if it is missing, damaged or not a regular file.

    Size and depth are bounded, see :mod:`forerun.base.bounded`.
    """
    try:
        return parse_json(read_text(path))
    except (UserError, ValueError):
        return None


def read_mapping(path: str | Path, shape: Shape | None = None) -> dict[str, Any]:
    """Read a JSON file with a mapping; empty if it is missing or damaged.

    Parameters
    ----------
    shape : expected types; other values are dropped (see :func:`forerun.base.bounded.shaped`)
    """
    value = read_json(path)
    if not isinstance(value, dict):
        return {}
    return value if shape is None else shaped(value, shape)


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV without its index, numbers in full precision."""
    from forerun.base import csv_text

    with replacing(path) as temporary:
        if csv_text.can_write(frame):
            with temporary.open("wb") as file:
                csv_text.write(file, frame)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n")


def write_parquet(path: str | Path, frame: pd.DataFrame, rows: int = ROW_GROUP) -> None:
    """Write a frame as Parquet without its index, converting one row group at a time.

    Parameters
    ----------
    rows : number of rows of a group; by default, the file is the same as pandas'
    """
    with replacing(path) as temporary:
        if len(frame) <= rows:
            frame.to_parquet(temporary, index=False)
            return
        import pyarrow as pa
        from pyarrow import parquet

        schema = pa.Schema.from_pandas(_typical_rows(frame), preserve_index=False)
        with parquet.ParquetWriter(temporary, schema) as writer:
            for first in range(0, len(frame), rows):
                some = frame.iloc[first : first + rows]
                table = pa.Table.from_pandas(some, schema=schema, preserve_index=False)
                writer.write_table(table, row_group_size=rows)


def _typical_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of which Arrow infers the types of a table; all rows if it might need them.

    Arrow would convert all strings to find that they are strings.
    """
    from pandas.api.types import infer_dtype

    objects = [frame[name] for name in frame if frame[name].dtype == object]
    if any(infer_dtype(column, skipna=True) != "string" for column in objects):
        return frame
    rows = {int(column.notna().to_numpy().argmax()) for column in objects}
    return frame.iloc[sorted(rows)]


def put_in_order(path: str | Path) -> None:
    """Sort the keys in the header of a safetensors file, so that equal models are equal files.

    The order of keys that the library writes differs between processes.
    """
    content = Path(path).read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(
        json.loads(content[8:end]), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    header += b" " * (-len(header) % 8)  # keeps tensors aligned
    with replacing(path) as temporary:
        temporary.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


def modified_at(path: Path) -> float:
    """Return when a file was modified, in seconds since 1970; 0.0 if it does not exist."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def states_below(folder: str | Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each path below a folder with its state; links are not followed.

    What another process removes in the meantime, such as a temporary file, is skipped.
    """
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = os.path.join(place, name)
            with suppress(FileNotFoundError):
                yield path, os.lstat(path)


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with open_regular(path, LARGEST, follow=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
