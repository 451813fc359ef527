"""Reading tables as users have them: CSV in its dialects, and Parquet."""

from __future__ import annotations

import codecs
import csv
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from forerun.data.problems import count, show
from forerun.errors import UserError

SAMPLE_BYTES = 1 << 20
BLOCK_BYTES = 1 << 24
SEPARATORS = ",;\t|"
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
    """

    encoding: str
    separator: str
    decimal: str
    header: tuple[str, ...]
    quoted: bool
    compression: str | None
    types: dict[str, pa.DataType] = field(default_factory=dict)


def read_table(
    path: str | Path,
    id_col: str | None = "unique_id",
    time_col: str | None = "ds",
    columns: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Read a CSV or Parquet file; what kind it is, its content says, not its name.

    CSV may be UTF-8 (with or without BOM), UTF-16 with BOM or Windows-1252, separated by ``,``
    ``;`` tab or ``|``, with a decimal point or (where the separator is not a comma) a decimal
    comma, plain or compressed with gzip, bzip2 or zstandard.

    Parameters
    ----------
    path : str or Path
        The file.
    id_col, time_col : str, optional
        Columns that are kept as text in a CSV file, so that ``007`` stays ``007`` and ``NA`` is a
        name. They come back as categories.
    columns : iterable of str, optional
        The columns wanted; others are not loaded. Those that do not exist are left to `prepare`.

    Returns
    -------
    pandas.DataFrame
        One row per line. ``attrs["columns"]`` holds all column names of the file and
        ``attrs["notes"]`` what was unusual about it.

    Raises
    ------
    UserError
        The file is missing, not a file, empty, damaged or of another kind.
    """
    path = Path(path)
    start = _first_bytes(path)
    wanted = None if columns is None else set(columns)
    try:
        if start.startswith(b"PAR1"):
            table, header, notes = _read_parquet(path, wanted)
        else:
            table, header, notes = _read_csv(path, start, wanted, (id_col, time_col))
    except UnicodeError as error:
        raise UserError(f"{show(path, 200)} is no text in a known encoding (use UTF-8)") from error
    except (pa.ArrowException, OSError, EOFError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{show(path, 200)} cannot be read as CSV or Parquet: {reason}") from error
    _refuse_duplicates(path, header, wanted)
    # The pandas metadata of a Parquet file would turn columns into an index.
    frame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    frame.attrs = {"columns": header, "notes": notes}
    return frame


def _first_bytes(path: Path) -> bytes:
    """Return the beginning of a file after making sure that it is one, with something in it."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(
                f"{show(path, 200)} is a folder; give the path of a CSV or Parquet file"
            )
        if not stat.S_ISREG(mode):
            raise UserError(f"{show(path, 200)} is not a regular file")
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise UserError(f"the file {show(path, 200)} does not exist") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"the file {show(path, 200)} cannot be opened: {reason}") from error
    if not start:
        raise UserError(f"the file {show(path, 200)} is empty")
    if start.startswith(b"PK\x03\x04"):
        raise UserError(
            f"{show(path, 200)} is an Excel file or a zip archive; save the table as CSV"
        )
    return start


def _refuse_duplicates(path: Path, header: list[str], wanted: set[str] | None) -> None:
    seen: set[str] = set()
    for name in header:
        if name in seen and (wanted is None or name in wanted) and name:
            raise UserError(f"{show(path, 200)} has two columns named {show(name)}; rename one")
        seen.add(name)


def _read_parquet(path: Path, wanted: set[str] | None) -> tuple[pa.Table, list[str], list[str]]:
    with pq.ParquetFile(path) as file:
        names = list(file.schema_arrow.names)
        chosen = [n for n in dict.fromkeys(names) if wanted is None or n.strip() in wanted]
        return file.read(columns=chosen), [name.strip() for name in names], []


def _read_csv(
    path: Path, start: bytes, wanted: set[str] | None, text: tuple[str | None, ...]
) -> tuple[pa.Table, list[str], list[str]]:
    compression = next((c for magic, c in COMPRESSIONS.items() if start.startswith(magic)), None)
    dialect = _sniff(path, compression)
    dialect = replace(dialect, types={n: TEXT for n in dialect.header if n.strip() in text})
    table = None
    for encoding in dict.fromkeys((dialect.encoding, "cp1252", "latin-1")):
        dialect = replace(dialect, encoding=encoding)
        try:
            table = _convert(path, dialect, wanted)
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
    if dialect.decimal == ",":
        notes.append("numbers were read with a decimal comma")
    return table, [name.strip() for name in dialect.header], notes


def _sniff(path: Path, compression: str | None) -> Dialect:
    """Look at the first megabyte of a CSV file."""
    with pa.input_stream(str(path), compression=compression) as stream:
        sample = bytes(stream.read(SAMPLE_BYTES))
    whole = len(sample) < SAMPLE_BYTES
    encoding = "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif re.search(rb"[\x00-\x08\x0e-\x1a]", sample):
        raise UserError(f"{show(path, 200)} is neither a CSV nor a Parquet file (binary content)")
    try:
        content = codecs.getincrementaldecoder(encoding)().decode(sample, final=whole)
    except UnicodeDecodeError:
        encoding = "cp1252"
        content = sample.decode("latin-1")
    lines = content.splitlines()
    lines = [line for line in (lines if whole else lines[:-1] or lines) if line.strip()][:300]
    if not lines:
        raise UserError(f"the file {show(path, 200)} is empty")
    separator = _separator(lines)
    rows = list(csv.reader(lines, delimiter=separator))
    header = tuple(rows[0])
    decimal = "," if separator != "," and _decimal_comma(rows[1:]) else "."
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    return Dialect(encoding, separator, decimal, header, '"' in content, compression)


def _separator(lines: list[str]) -> str:
    """Return the separator that cuts the header into most parts, and the lines into as many."""

    def quality(separator: str) -> tuple[bool, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        alike = sum(width == widths[0] for width in widths)
        return (widths[0] > 1 and 2 * alike > len(widths), widths[0])

    return max(SEPARATORS, key=quality)


def _decimal_comma(rows: list[list[str]]) -> bool:
    cells = {cell.strip() for row in rows for cell in row}
    commas = any(re.fullmatch(r"[+-]?\d*,\d+", cell) for cell in cells)
    return commas and not any(re.fullmatch(r"[+-]?\d*\.\d+", cell) for cell in cells)


def _convert(path: Path, dialect: Dialect, wanted: set[str] | None) -> pa.Table:
    """Read the file; a column whose kind changes on the way is read as text, then as numbers."""
    chosen = [n for n in dict.fromkeys(dialect.header) if wanted is None or n.strip() in wanted]
    if not chosen:
        return pa.table({})
    types = dict(dialect.types)
    late: list[str] = []
    while True:
        try:
            table = _arrow(path, dialect, chosen, types)
            break
        except pa.ArrowInvalid as error:
            found = re.search(r"In CSV column #(\d+): CSV conversion error", str(error))
            name = dialect.header[int(found[1])] if found else None
            if name is None or name in types:
                raise
            # One column after the other would be slow in a file with thousands of them.
            late = [name] if len(late) < 8 else [n for n in chosen if n not in dialect.types]
            types.update(dict.fromkeys(late, pa.string()))
    for name in types.keys() - dialect.types.keys():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, _numbers(table.column(name), dialect.decimal))
    return table


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


def _numbers(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Return a column of text as numbers if it holds nothing else, otherwise as it is."""
    empty = pc.is_in(pc.utf8_trim_whitespace(column), pa.array(MISSING))
    values = pc.if_else(empty, pa.scalar(None, pa.string()), pc.utf8_trim_whitespace(column))
    if decimal == ",":
        values = pc.replace_substring(values, ",", ".")
    try:
        return pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return column


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
