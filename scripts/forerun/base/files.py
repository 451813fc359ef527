"""Files and folders that are written completely or not at all.

Everything is written under a temporary name beside its target, flushed to the disk, and renamed:
a reader sees the old content or the new one, and a process that is killed leaves nothing half done.
Files may be replaced, folders never are: see :mod:`forerun.base.publishing`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.bounded import Shape, open_regular, parse_json, read_text, shaped
from forerun.base.errors import UserError
from forerun.base.publishing import TEMPORARY, flush, new_file, new_folder, publish, temporary_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TEMPORARY", "new_file", "new_folder", "publish"]

#: Maximum size of a file whose sum is taken: any that a disk holds.
LARGEST = 2**62


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
    """Give a finished file its name at once, in the place of one that has it."""
    flush(temporary)
    os.replace(temporary, path)


@dataclass
class NewPath:
    """A file that is being written under a temporary name, and what it is called in the end."""

    temporary: Path
    path: Path


@contextmanager
def new_path(path: str | Path) -> Iterator[NewPath]:
    """Yield a temporary path to write to; on success it becomes `path`, or a numbered name.

    Nothing is replaced: where ``comparison.html`` exists it becomes ``comparison_2.html``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = NewPath(temporary_name(path), path)
    try:
        yield made
        flush(made.temporary)
        number = 1
        while True:
            try:
                publish(made.temporary, made.path)
                break
            except FileExistsError:
                number += 1
                made.path = path.with_name(f"{path.stem}_{number}{path.suffix}")
    finally:
        made.temporary.unlink(missing_ok=True)


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
    """Read a JSON file of a run; ``None`` if it is missing, damaged or no regular file.

    It is bounded in size and depth: see :mod:`forerun.base.bounded`.
    """
    try:
        return parse_json(read_text(path))
    except (UserError, ValueError):
        return None


def read_mapping(path: str | Path, shape: Shape | None = None) -> dict[str, Any]:
    """Read a JSON file that holds a mapping; empty if it is missing or damaged.

    Parameters
    ----------
    shape : the types of its values; others are left out (see :func:`forerun.base.bounded.shaped`)
    """
    value = read_json(path)
    if not isinstance(value, dict):
        return {}
    return value if shape is None else shaped(value, shape)


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV without its index, numbers to the last digit."""
    from forerun.base import csv_text

    with replacing(path) as temporary:
        if csv_text.can_write(frame):
            with temporary.open("wb") as file:
                csv_text.write(file, frame)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n")


def write_parquet(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet without its index."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False)


def put_in_order(path: str | Path) -> None:
    """Write the header of a safetensors file with its keys sorted: the same model, the same bytes.

    The library that writes it takes its keys in an order that differs from process to process.
    """
    content = Path(path).read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(
        json.loads(content[8:end]), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    with replacing(path) as temporary:
        temporary.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with open_regular(path, LARGEST, follow=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
