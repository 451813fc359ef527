"""Recognition of unsupported file formats, with the pandas code that converts them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from forerun.base.errors import UserError
from forerun.data.problems import show

SAVE = ".to_csv('table.csv', index=False)"
FEATHER = (b"ARROW1", b"FEA1")
#: First bytes -> description of the format, and how pandas reads it ({} is the path).
_KINDS = {
    b"\xd0\xcf\x11\xe0": ("an Excel file", "pd.read_excel({})"),
    b"\xfd7zXZ\x00": ("compressed with xz", "pd.read_csv({}, compression='xz')"),
    b"ORC": ("an ORC file", "pd.read_orc({})"),
    b"\x89HDF": ("an HDF5 file", "pd.read_hdf({})"),
    b"SQLite format": ("an SQLite database", "pd.read_sql('SELECT ...', sqlite3.connect({}))"),
    b"\x80\x03": ("a pickle", "pd.read_pickle({})"),
    b"\x80\x04": ("a pickle", "pd.read_pickle({})"),
    b"\x80\x05": ("a pickle", "pd.read_pickle({})"),
}


def refuse_others(path: Path, start: bytes) -> None:
    """Refuse files other than CSV, Parquet and Feather with code that converts them.

    Parameters
    ----------
    start : bytes
        Beginning of the file.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PK\x03\x04"):
        kind, reader = _in_zip(path)
    elif re.match(rb"\{|\[\s*\{", text):
        lines = text.startswith(b"{")
        kind = "a JSON file"
        reader = "pd.read_json({}, lines=True)" if lines else "pd.read_json({})"
    elif text[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        kind, reader = "a web page or XML", "pd.read_html({})[0]"
    else:
        found = (value for magic, value in _KINDS.items() if start.startswith(magic))
        kind, reader = next(found, ("", ""))
    if kind:
        how = f"; save it as CSV: {reader.format(repr(str(path)))}{SAVE}" if reader else ""
        raise UserError(f"{show(path, 200)} is {kind}{how}")


def _in_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "an Excel file or a zip archive, and damaged", "pd.read_excel({})"
    if any(name.startswith("xl/") for name in names):
        return "an Excel file", "pd.read_excel({})"
    if "content.xml" in names:
        return "an OpenDocument file", "pd.read_excel({}, engine='odf')"
    if len(names) == 1:
        return "a zip archive", "pd.read_csv({}, compression='zip')"
    return f"a zip archive of {len(names)} files; unpack it and use one of them", ""
