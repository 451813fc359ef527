"""Other layouts and file formats: read, or refused with the code that converts them."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.data import load, prepare, read_table, split

DAYS = pd.date_range("2021-01-01", periods=8)
TABLE = pd.DataFrame({"unique_id": "A", "ds": DAYS.strftime("%Y-%m-%d"), "y": np.arange(8.0)})


def settings(**changed: Any) -> dict[str, Any]:
    files = {key: str(value) for key, value in changed.items() if isinstance(value, Path)}
    small = {"horizon": 2, "input_size": 1, "n_windows": 1, "models": ["Naive"]}
    return resolve(small | changed | files)


def refused(path: Path, **changed: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(settings(data_file=path, **changed))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# --- one series without a column of names ---------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_a_single_series_needs_no_id_column(tmp_path: Path, form: str) -> None:
    table = TABLE.drop(columns="unique_id").rename(columns={"y": "sales"}).assign(x=1.5, z=3)
    later = pd.DataFrame({"ds": ["2021-01-09", "2021-01-10"], "x": 2.5})
    static = pd.DataFrame({"z": [4.5]})
    for name, frame in {"data": table, "futr": later, "static": static}.items():
        path = tmp_path / f"{name}.{form}"
        frame.to_csv(path, index=False) if form == "csv" else getattr(frame, f"to_{form}")(path)
    asked = settings(
        id_col=None, target_col="sales", futr_exog=["x"], stat_exog=["z"],
        **{f"{name}_file": tmp_path / f"{name}.{form}" for name in ("data", "futr", "static")},
    )  # fmt: skip
    prepared = load(asked)
    history, futr, stat = split(prepared.frame, asked)
    assert history["unique_id"].unique().tolist() == ["sales"]
    assert history["y"].tolist() == [*range(8)]
    assert futr is not None
    assert futr["x"].tolist() == [2.5, 2.5]
    assert stat is not None
    assert stat["z"].tolist() == [4.5]
    assert "the table was read as one series, named 'sales'" in prepared.notes


def test_the_key_for_a_single_series_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    TABLE.drop(columns="unique_id").to_csv(path, index=False)
    assert "id_col: null" in refused(path)
    TABLE.to_csv(path, index=False)
    assert "id_col: null" not in refused(path, target_col="sales")


def test_several_series_are_not_one() -> None:
    table = pd.concat([TABLE, TABLE.assign(unique_id="B")])
    with pytest.raises(UserError, match=r"8 rows repeat a time.*name the column of the series"):
        prepare(table, settings(id_col=None))


# --- other shapes ---------------------------------------------------------------------------------


def converted(words: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Run the conversion code of a message; return the table that it writes."""
    monkeypatch.chdir(folder)
    line = words[words.index("pd.read_") :]
    exec(line, {"pd": pd, "sqlite3": sqlite3})
    return pd.read_csv(folder / "table.csv")


SHAPES = {
    "a column for each series": (
        "ds,shop_1,shop_2\n2021-01-01,1,2\n2021-01-02,3,4\n",
        "if each series has a column",
    ),
    "a column for each series, its own name of time": (
        "date;shop_1;shop_2\n2021-01-01;1;2\n2021-01-02;3;4\n",
        "if each series has a column",
    ),
    "a column for each day": (
        "unique_id,2021-01-01,2021-01-02,2021-01-03\nA,1,2,3\nB,4,5,6\n",
        "a column for each time",
    ),
    "a column for each month": (
        "unique_id\tJan 2021\tFeb 2021\tMar 2021\nA\t1\t2\t3\n",
        "a column for each time",
    ),
    "a column for each year": ("country,2001,2002,2003\nA,1,2,3\n", "a column for each time"),
    "year and month": ("unique_id,Year,Month,y\nA,2021,1,5\nA,2021,2,6\n", "parts of the date"),
    "year, month, day": (
        "unique_id,year,month,day,y\nA,2021,1,5,5\nA,2021,1,6,6\n",
        "parts of the date",
    ),
    "blanks between columns": (
        "unique_id  ds  y\nA  2021-01-01  5\nA  2021-01-02  6\n",
        "columns must be separated by",
    ),
    "no names": ("A,2021-01-01,5\nA,2021-01-02,6\n", "the first line looks like data"),
    "a title": ("Sales of all shops\n\nunique_id,ds,y\nA,2021-01-01,5\n", "in line 3"),
    "a title with separators": (
        "Sales of all shops,,\nmade,2021,\nunique_id,ds,y\nA,2021-01-01,5\n",
        "in line 3",
    ),
    "comments": (
        "# made by hand, 2021\n# in EUR\nunique_id;ds;y\nA;2021-01-01;5\nA;2021-01-02;6\n",
        "in line 3",
    ),
    "a hint to Excel": ("sep=;\nunique_id;ds;y\nA;2021-01-01;5\nA;2021-01-02;6\n", "in line 2"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_other_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    content, words = SHAPES[name]
    path = tmp_path / "wide.csv"
    path.write_text(content)
    output = refused(path)
    assert words in output
    table = converted(output, tmp_path, monkeypatch)
    if name != "no names":
        assert {"ds", "y"} <= set(table.columns)
        pd.to_datetime(table["ds"], format="mixed")
        assert table["y"].dtype.kind in "if"


def test_columns_of_other_names(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("store,date,sales\nA,2021-01-01,5\nA,2021-01-02,6\n")
    words = refused(path)
    assert "give them as id_col, time_col, target_col; if each series has a column" in words
    assert ".rename(columns={'date': 'ds'})" in words


def test_wide_feather_is_read_as_feather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = {day: [1.0] for day in TABLE["ds"]}
    pd.DataFrame({"unique_id": ["A"]} | days).to_feather(tmp_path / "wide.feather")
    table = converted(refused(tmp_path / "wide.feather", time_col="day"), tmp_path, monkeypatch)
    assert table["day"].tolist() == TABLE["ds"].tolist()


def test_shapes_of_data_frames() -> None:
    wide = pd.DataFrame({"ds": DAYS, "a": 1.0, "b": 2.0})
    with pytest.raises(UserError, match=r"table\.melt\('ds', var_name='unique_id'"):
        prepare(wide, settings())


# --- other files ----------------------------------------------------------------------------------


def zipped(**members: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return buffer.getvalue()


def other_file(kind: str, path: Path) -> None:
    """Write the table as a file of another kind."""
    if kind == "JSON lines":
        TABLE.to_json(path, orient="records", lines=True)
    elif kind == "JSON":
        TABLE.to_json(path, orient="records", indent=1)
    elif kind == "zip":
        path.write_bytes(zipped(table_DOT_csv=TABLE.to_csv(index=False)))
    elif kind == "xz":
        TABLE.to_csv(path, index=False, compression="xz")
    elif kind == "pickle":
        TABLE.to_pickle(path)
    elif kind == "JSON in gzip":
        TABLE.to_json(path, orient="records", lines=True, compression="gzip")


CONVERTED = {"JSON lines": "a JSON file", "zip": "a zip archive", "xz": "compressed with xz",
             "pickle": "a pickle", "JSON": "a JSON file"}  # fmt: skip


@pytest.mark.parametrize("kind", CONVERTED)
def test_other_files_are_converted_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "other"
    other_file(kind, path)
    output = refused(path)
    assert f"is {CONVERTED[kind]}" in output
    converted(output, tmp_path, monkeypatch)
    assert load(settings(data_file=tmp_path / "table.csv")).frame["y"].tolist() == [*range(8)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped(xl__workbook_DOT_xml="<a/>"), "is an Excel file; save it as CSV: pd.read_excel("),
        (zipped(content_DOT_xml="<a/>"), "engine='odf'"),
        (zipped(a_DOT_csv="1", b_DOT_csv="2"), "a zip archive of 2 files; unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "is an Excel file"),
        (b"<!DOCTYPE html><table></table>", "is a web page"),
        (b"SQLite format 3\0" + bytes(80), "is an SQLite database"),
        (b"\x89HDF\r\n\x1a\n" + bytes(80), "is an HDF5 file"),
        (b"ORC" + bytes(80), "is an ORC file"),
        (json.dumps({"a": [1]}).encode(), "is a JSON file"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    assert words in refused(path)


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_is_read(tmp_path: Path, compression: str) -> None:
    TABLE.to_feather(tmp_path / "table", compression=compression)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table"), TABLE)
    assert list(read_table(tmp_path / "table", columns=["y", "nowhere"]).columns) == ["y"]
    assert load(settings(data_file=tmp_path / "table")).frame["y"].tolist() == [*range(8)]


def test_damaged_feather_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(b"ARROW1 and nothing else")
    assert "cannot be read" in refused(tmp_path / "table")


# --- static columns, and tables that cannot be written to -----------------------------------------


@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
@pytest.mark.parametrize("values", [[200.25, 10.5], [2, 1], [np.inf, 1.5]])
def test_static_decimals(tmp_path: Path, form: str, values: list[float]) -> None:
    """Arrays of Arrow are read-only: an error is reported, everything else is read."""
    data = pd.concat([TABLE, TABLE.assign(unique_id="B")])
    data.to_csv(tmp_path / "data.csv", index=False)
    static, path = pd.DataFrame({"unique_id": ["A", "B"], "lv": values}), tmp_path / f"s.{form}"
    static.to_csv(path, index=False) if form == "csv" else getattr(static, f"to_{form}")(path)
    asked = settings(data_file=tmp_path / "data.csv", static_file=path, stat_exog=["lv"])
    if np.isinf(values).any():
        with pytest.raises(UserError, match="'lv' is infinite"):
            load(asked)
        before = static.copy()
        with pytest.raises(UserError, match="'lv' is infinite"):
            prepare(data, asked, static)
        pd.testing.assert_frame_equal(static, before)
    else:
        assert load(asked).frame["lv"].unique().tolist() == values


@pytest.mark.parametrize("column", ["y", "x"])
@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_infinite_values_of_files(tmp_path: Path, form: str, column: str) -> None:
    table, path = TABLE.assign(**({"x": 0.5} | {column: [np.inf, *range(7)]})), tmp_path / "data"
    table.to_csv(path, index=False) if form == "csv" else getattr(table, f"to_{form}")(path)
    assert f"column '{column}': 1 value is infinite" in refused(path, hist_exog=["x"])


# --- clock changes in local hours -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "words"),
    [("2021-10-31", "1 row repeats a time.*that clocks show twice"),
     ("2021-03-28", "1 time step is missing.*that clocks skip")],
)  # fmt: skip
def test_local_hours_across_a_clock_change(day: str, words: str) -> None:
    hours = pd.date_range(day, periods=24, freq="h", tz="Europe/Berlin").tz_localize(None)
    table = pd.DataFrame({"unique_id": "A", "ds": hours, "y": range(24)})
    with pytest.raises(UserError, match=f"{words}.*write times in UTC"):
        prepare(table, settings())


# --- a table of static features -------------------------------------------------------------------


def test_series_of_the_static_table_that_are_not_in_the_data(tmp_path: Path) -> None:
    data, static = tmp_path / "data.csv", tmp_path / "static.csv"
    TABLE.to_csv(data, index=False)
    asked = {"static_file": static, "stat_exog": ["size"]}
    static.write_text("unique_id,size\nA,1.5\nZ,2\n")
    notes = load(settings(data_file=data, **asked)).notes
    assert "static_file: series 'Z' not in the data, ignored" in notes
    static.write_text("unique_id,size\nX,1.5\nZ,2\n")
    words = refused(data, **asked)
    assert words == "the data: static_file has other series than the data (2 series, e.g. 'X')"
    static.write_text("unique_id,height\nA,1.5\n")
    assert "'size' (stat_exog) is missing in static_file (there are 'unique_id', 'height')" in (
        refused(data, **asked)
    )
    static.write_text("unique_id,size\nA,inf\n")
    assert "is infinite for series 'A'" in refused(data, **asked)
