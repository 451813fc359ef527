"""Reading CSV in its dialects: separators, encodings, decimal marks."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from forerun.data.formats import SAVE, refuse_others
from forerun.data.numbers import MISSING_WORDS, Evidence, without_blanks
from forerun.data.problems import count, show
from forerun.errors import UserError

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 300
BLOCK_BYTES = 1 << 24
SEPARATORS = ",;\t|"
#: The decimal mark that a separator lets expect: where a comma is one, semicolons separate.
PRIORS = {",": ".", ";": ","}
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
MISSING = ("", "#N/A", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-nan", "-NaN")
TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    header : tuple of str
        Column names as they stand in the file.
    decimals : dict
        Column -> its decimal mark, where the beginning of the file leaves no doubt.
    """

    encoding: str
    separator: str
    decimal: str
    header: tuple[str, ...]
    quoted: bool
    compression: str | None
    types: dict[str, pa.DataType] = field(default_factory=dict)
    decimals: dict[str, str] = field(default_factory=dict)


def read_csv(
    path: Path, start: bytes, wanted: set[str] | None, text: tuple[str | None, ...]
) -> tuple[pa.Table, dict[str, Any]]:
    """Read a CSV file.

    Parameters
    ----------
    wanted : set of str, optional
        The columns to read; all if None.
    text : tuple of str
        Columns that stay text whatever they hold.

    Returns
    -------
    table : pyarrow.Table
        Columns of numbers whose decimal mark is open are text.
    about : dict
        ``columns``, ``notes``, ``separator``, ``prior`` and ``decimals`` as
        :func:`forerun.data.numbers.writings` asks for.
    """
    compression = next((c for magic, c in COMPRESSIONS.items() if start.startswith(magic)), None)
    dialect = _sniff(path, compression, wanted)
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
        raise UserError(f"{show(path, 200)} is no text in a known encoding (use UTF-8)")
    notes = []
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"the file was read as {dialect.encoding}, it is not UTF-8")
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


def _sniff(path: Path, compression: str | None, wanted: set[str] | None) -> Dialect:
    """Look at the first megabyte of a CSV file."""
    with pa.input_stream(str(path), compression=compression) as stream:
        sample = bytes(stream.read(SAMPLE_BYTES))
    whole = len(sample) < SAMPLE_BYTES
    encoding = "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif re.search(rb"[\x00-\x08\x0e-\x1a]", sample):
        raise UserError(f"{show(path, 200)} is neither a CSV nor a Parquet file (binary content)")
    refuse_others(path, sample[:64])
    try:
        content = codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        encoding = "cp1252"
        content = sample.decode("latin-1")
    lines = content.splitlines()
    lines = lines if whole else lines[:-1] or lines
    numbered = [(number, line) for number, line in enumerate(lines) if line.strip()]
    numbered = numbered[:SAMPLE_LINES]
    if not numbered:
        raise UserError(f"the file {show(path, 200)} is empty")
    lines = [line for _, line in numbered]
    separator = _separator(lines)
    _refuse_preamble(path, numbered, separator, wanted)
    rows = list(csv.reader(lines, delimiter=separator))
    header = tuple(rows[0])
    decimals = _decimals(header, rows[1:])
    decimal = "," if separator != "," and set(decimals.values()) == {","} else "."
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    quoted = '"' in content
    return Dialect(encoding, separator, decimal, header, quoted, compression, decimals=decimals)


def _separator(lines: list[str]) -> str:
    """Return the separator that cuts the header into most parts, and the lines into as many."""

    def quality(separator: str) -> tuple[bool, bool, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        alike = sum(width == widths[0] for width in widths)
        usual, times = Counter(widths).most_common(1)[0]
        whole = widths[0] > 1 and 2 * alike > len(widths)
        # Lines before the header are cut into another number of parts than the table.
        mostly = usual > 1 and 2 * times > len(widths)
        return (whole, mostly, widths[0] if whole or not mostly else usual)

    return max(SEPARATORS, key=quality)


def _refuse_preamble(
    path: Path, lines: list[tuple[int, str]], separator: str, wanted: set[str] | None
) -> None:
    """Refuse a file in which a title or comments stand before the names of the columns."""
    reader = csv.reader((line for _, line in lines), delimiter=separator)
    rows = [(lines[reader.line_num - 1][0], row) for row in reader]
    widths = Counter(len(row) for _, row in rows)
    usual, times = widths.most_common(1)[0]
    if usual < 2 or len(rows[0][1]) == usual or 2 * times <= len(rows) - len(widths):
        return
    number, names = next((number, row) for number, row in rows if len(row) == usual)
    cells = {name.strip() for name in names}
    if cells & (wanted or set()) or not any(re.search(r"\d", cell) for cell in cells):
        options = "" if separator == "," else f", sep={separator!r}"
        raise UserError(
            f"{show(path, 200)}: the names of the columns are in line {number + 1}, what is before "
            "them is no part of the table: leave it out, "
            f"pd.read_csv({str(path)!r}{options}, skiprows={number}){SAVE}"
        )


def _decimals(header: tuple[str, ...], rows: list[list[str]]) -> dict[str, str]:
    """Return the decimal mark of each column in which it is certain."""
    found = {}
    for place, name in enumerate(header):
        cells = {without_blanks(row[place].strip()) for row in rows if place < len(row)}
        marked = {cell for cell in cells if "," in cell or "." in cell}
        mark = Evidence.of(cells).alone() if marked else None
        if mark:
            found[name] = mark
    return found


def _convert(
    path: Path, dialect: Dialect, wanted: set[str] | None
) -> tuple[pa.Table, dict[str, str]]:
    """Read the file; return the table and the decimal marks of its columns that are certain."""
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
    if doubtful:  # as text they tell more: 1.020 is another writing of 1.02
        texts = _arrow(path, dialect, doubtful, dict.fromkeys(doubtful, TEXT))
        for name in doubtful:
            table = _with(table, name, texts.column(name))
    for name in numbers:
        column = table.column(name)
        if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
            column, mark = _numbers(column)
            table = _with(table, name, column)
            if mark:
                decimals[name] = mark
    return table, decimals


def _read(path: Path, dialect: Dialect, chosen: list[str]) -> pa.Table:
    """Read some columns; one whose kind changes on the way is read as text."""
    types = dict(dialect.types)
    while True:
        try:
            return _arrow(path, dialect, chosen, types)
        except pa.ArrowInvalid as error:
            found = re.search(r"In CSV column #(\d+): CSV conversion error", str(error))
            name = dialect.header[int(found[1])] if found else None
            if name is None or name in types:
                raise
            # One column after the other would be slow in a file with thousands of them.
            late = [name] if len(types) < len(dialect.types) + 8 else chosen
            types.update({n: TEXT for n in late if n not in types})


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def _certain(column: pa.ChunkedArray) -> bool:
    """Return whether some number has too many or too few digits to be one of grouped thousands."""
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
    """Return a column of text as numbers, with their mark, if it holds nothing else.

    A column in which the mark is open, or which holds other text as well, stays text.
    """
    column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return column, None
    words = column.chunk(0).dictionary
    trimmed = pc.utf8_trim_whitespace(words)
    evidence = Evidence.of(trimmed.to_pylist())
    mark = evidence.alone()
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
    """Say in a user's words what the CSV reader stumbled over."""
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
