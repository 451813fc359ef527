"""Reading CSV files with any separator, encoding and decimal mark."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from forerun.base.errors import UserError
from forerun.data.dialects import Dialect, sniff
from forerun.data.numbers import MISSING_WORDS, Evidence
from forerun.data.problems import count, show

BLOCK_BYTES = 1 << 24
#: Separator -> the likely decimal mark: files with decimal commas use semicolons.
PRIORS = {",": ".", ";": ","}
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
MISSING = ("", "#N/A", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-nan", "-NaN")
TEXT = pa.dictionary(pa.int32(), pa.string())


def read_csv(
    path: Path, start: bytes, wanted: set[str] | None, text: tuple[str | None, ...]
) -> tuple[pa.Table, dict[str, Any]]:
    """Read a CSV file.

    Parameters
    ----------
    wanted : set of str, optional
        Columns to read; all if None.
    text : tuple of str
        Columns to keep as strings.

    Returns
    -------
    table : pyarrow.Table
        Numeric columns with an ambiguous decimal mark are strings.
    about : dict
        ``columns``, ``notes``, ``separator``, ``prior`` and ``decimals``; see
        :func:`forerun.data.numbers.writings`.
    """
    compression = next((c for magic, c in COMPRESSIONS.items() if start.startswith(magic)), None)
    dialect = sniff(path, compression, wanted)
    dialect = replace(dialect, types={n: TEXT for n in dialect.header if n.strip() in text})
    table = None
    for encoding in dict.fromkeys((dialect.encoding, "cp1252", "latin-1")):
        dialect = replace(dialect, encoding=encoding)
        try:
            table, decimals = _convert(path, dialect, wanted)
            break
        except UnicodeError:
            continue
        except pa.ArrowInvalid as error:
            if "invalid UTF8" not in str(error):
                raise _explain(path, dialect, error) from error
    if table is None:
        raise UserError(f"{show(path, 200)} is not text in a known encoding (use UTF-8)")
    notes = []
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"the file is not UTF-8 and was read as {dialect.encoding}")
    if dialect.separator != ",":
        named = {"\t": "tabs"}.get(dialect.separator, f"'{dialect.separator}'")
        notes.append(f"columns are separated by {named}")
    return table, {
        "columns": [name.strip() for name in dialect.header],
        "notes": notes,
        "separator": dialect.separator,
        "prior": PRIORS.get(dialect.separator),
        "decimals": {name.strip(): mark for name, mark in decimals.items()},
    }


def _convert(
    path: Path, dialect: Dialect, wanted: set[str] | None
) -> tuple[pa.Table, dict[str, str]]:
    """Read the file; return the table and the unambiguous decimal marks of its columns."""
    chosen = [n for n in dict.fromkeys(dialect.header) if wanted is None or n.strip() in wanted]
    if not chosen:
        return pa.table({}), {}
    table = _read(path, dialect, chosen)
    numbers = [name for name in chosen if name not in dialect.types]
    decimals, doubtful = {}, []
    for name in numbers:
        column = table.column(name)
        if pa.types.is_floating(column.type):
            sure = dialect.decimals.get(name) == dialect.decimal or _certain(column)
            if sure:
                decimals[name] = dialect.decimal
            else:
                doubtful.append(name)
    if doubtful:  # strings are more informative: 1.020 and 1.02 are the same float
        texts = _arrow(path, dialect, doubtful, dict.fromkeys(doubtful, TEXT))
        prior = PRIORS.get(dialect.separator)
        for name in doubtful:
            column = texts.column(name).unify_dictionaries()
            words = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string())
            if prior == dialect.decimal and prior not in Evidence.of(words).grouped:
                decimals[name] = prior
            else:
                table = _with(table, name, column)
    for name in numbers:
        column = table.column(name)
        if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
            column, mark = _numbers(column)
            table = _with(table, name, column)
            if mark:
                decimals[name] = mark
    return table, decimals


def _read(path: Path, dialect: Dialect, chosen: list[str]) -> pa.Table:
    """Read some columns; a column whose type changes within the file is read as strings."""
    types = dict(dialect.types)
    while True:
        try:
            return _arrow(path, dialect, chosen, types)
        except pa.ArrowInvalid as error:
            found = re.search(r"In CSV column #(\d+): CSV conversion error", str(error))
            name = dialect.header[int(found[1])] if found else None
            if name is None or name in types:
                raise
            # Retrying for each column would be slow in a file with thousands of them.
            late = [name] if len(types) < len(dialect.types) + 8 else chosen
            types.update({n: TEXT for n in late if n not in types})


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def _certain(column: pa.ChunkedArray) -> bool:
    """Return whether the digits of some number rule out that the mark groups thousands."""
    size = np.abs(column.to_numpy())
    size = size[np.isfinite(size) & (size != np.floor(size))]
    finer = np.abs(size * 1000 - (size * 1000).round()) > 1e-6
    return bool(((size < 1) | (size >= 1000) | finer).any())


def _arrow(
    path: Path,
    dialect: Dialect,
    chosen: list[str],
    types: dict[str, pa.DataType],
    threads: bool = True,
) -> pa.Table:
    with pa.input_stream(str(path), compression=dialect.compression) as stream:
        return pacsv.read_csv(
            stream,
            read_options=pacsv.ReadOptions(
                encoding=dialect.encoding, block_size=BLOCK_BYTES, use_threads=threads
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=dialect.separator, newlines_in_values=dialect.quoted
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types,
                include_columns=chosen,
                null_values=list(MISSING),
                decimal_point=dialect.decimal,
            ),
        )


def _numbers(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str | None]:
    """Convert a column of strings to numbers; return it with its decimal mark.

    A column with an ambiguous mark or other strings is returned unchanged, with None.
    """
    column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return column, None
    words = column.chunk(0).dictionary
    trimmed = pc.utf8_trim_whitespace(words)
    mark = Evidence.of(trimmed).alone()
    if mark is None:
        return column, None
    empty = pc.is_in(pc.utf8_lower(trimmed), pa.array(sorted(MISSING_WORDS)))
    values = pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)
    if mark == ",":
        if pc.any(pc.match_substring(values, ".")).as_py():
            return column, None
        values = pc.replace_substring(values, ",", ".")
    try:
        numbers = pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return column, None
    chunks = [numbers.take(chunk.indices) for chunk in column.chunks]
    return pa.chunked_array(chunks, pa.float64()), mark


def _explain(path: Path, dialect: Dialect, error: pa.ArrowInvalid) -> UserError:
    """Describe an error of the CSV reader for users."""
    try:  # only a single thread counts the lines
        _arrow(path, dialect, list(dialect.header[:1]), {}, threads=False)
    except pa.ArrowInvalid as again:
        error = again
    text = " ".join(str(error).split())
    found = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns?, got (\d+): ?(.*)", text)
    if not found:
        return UserError(f"{show(path, 200)} cannot be read as CSV: {text[:200]}")
    line = f"line {found[1]}" if found[1] else "a line"
    fields = count(int(found[3]), "field")
    return UserError(
        f"{show(path, 200)}: {line} has {fields}, the header has {found[2]} (fields are "
        f"separated by {show(dialect.separator)}): {show(found[4])}"
    )
