"""Detection of a CSV file's dialect: separator, encoding, header, decimal marks."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from forerun.base.errors import UserError
from forerun.data.formats import SAVE, refuse_others
from forerun.data.numbers import surely, without_blanks
from forerun.data.problems import show

SAMPLE_BYTES = 1 << 20
SAMPLE_LINES = 300
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Dialect:
    """Format of a CSV file.

    Attributes
    ----------
    header : tuple of str
        Column names as in the file.
    decimals : dict
        Column -> decimal mark, if unambiguous at the beginning of the file.
    """

    encoding: str
    separator: str
    decimal: str
    header: tuple[str, ...]
    quoted: bool
    compression: str | None
    types: dict[str, pa.DataType] = field(default_factory=dict)
    decimals: dict[str, str] = field(default_factory=dict)


def sniff(path: Path, compression: str | None, wanted: set[str] | None) -> Dialect:
    """Detect the dialect from the first megabyte of a CSV file."""
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
    decimals = _decimals(header, rows[1:], wanted)
    decimal = "," if separator != "," and set(decimals.values()) == {","} else "."
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    quoted = '"' in content
    return Dialect(encoding, separator, decimal, header, quoted, compression, decimals=decimals)


def _separator(lines: list[str]) -> str:
    """Return the separator that gives the most columns in the header, and as many in most lines."""

    def quality(separator: str) -> tuple[bool, bool, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        alike = sum(width == widths[0] for width in widths)
        usual, times = Counter(widths).most_common(1)[0]
        whole = widths[0] > 1 and 2 * alike > len(widths)
        # Lines before the header have another number of fields than the table.
        mostly = usual > 1 and 2 * times > len(widths)
        return (whole, mostly, widths[0] if whole or not mostly else usual)

    return max(SEPARATORS, key=quality)


def _refuse_preamble(
    path: Path, lines: list[tuple[int, str]], separator: str, wanted: set[str] | None
) -> None:
    """Refuse a file with a title or comments before its header."""
    reader = csv.reader((line for _, line in lines), delimiter=separator)
    rows = [(lines[reader.line_num - 1][0], row) for row in reader]
    widths = Counter(len(row) for _, row in rows)
    usual, times = widths.most_common(1)[0]
    filled = [{cell.strip() for cell in row} - {""} for _, row in rows]
    asked = [len(cells & (wanted or set())) for cells in filled]
    place = next((place for place, found in enumerate(asked) if found > 1), 0)
    if asked[0] or not place:  # otherwise a title with as many fields as the table
        if usual < 2 or len(rows[0][1]) == usual or 2 * times <= len(rows) - len(widths):
            return
        place = next(place for place, (_, row) in enumerate(rows) if len(row) == usual)
    number = rows[place][0]
    if asked[place] or not any(re.search(r"\d", cell) for cell in filled[place]):
        options = "" if separator == "," else f", sep={separator!r}"
        raise UserError(
            f"{show(path, 200)}: the column names are in line {number + 1}; remove the lines "
            f"before it: pd.read_csv({str(path)!r}{options}, skiprows={number}){SAVE}"
        )


def _decimals(
    header: tuple[str, ...], rows: list[list[str]], wanted: set[str] | None
) -> dict[str, str]:
    """Return the decimal mark of each wanted column in which it is unambiguous."""
    found = {}
    for place, name in enumerate(header):
        if wanted is not None and name.strip() not in wanted:
            continue
        cells = {without_blanks(row[place].strip()) for row in rows if place < len(row)}
        mark = surely(cells)
        if mark:
            found[name] = mark
    return found
