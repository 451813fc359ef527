"""Reading CSV dialects and Parquet."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.data import load, prepare, read_table

TABLE = "unique_id,ds,y\n007,2020-01-01,1.5\nNA,2020-01-02,\n"
UMLAUT = "unique_id,ds,y\nZürich,2020-01-01,1\n"
WIDE_HEADER = ",".join(["unique_id", "ds", "y", *(f"column_{n}" for n in range(5000))])
WIDE_ROW = ",".join(["a", "2020-01-01", *["1.25"] * 5001])


def save(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TABLE.encode(), id="plain"),
        pytest.param(b"\xef\xbb\xbf" + TABLE.encode(), id="byte order mark"),
        pytest.param(TABLE.encode("utf-16"), id="utf-16"),
        pytest.param(TABLE.replace(",", ";").encode(), id="semicolon"),
        pytest.param(TABLE.replace(",", "\t").encode(), id="tab"),
        pytest.param(TABLE.replace(",", "|").encode(), id="bar"),
        pytest.param(TABLE.replace(",", ";").replace("1.5", "1,5").encode(), id="decimal comma"),
        pytest.param(TABLE.replace("\n", "\r\n").encode(), id="windows line ends"),
        pytest.param(b"\n\n" + TABLE.encode() + b"\n\n", id="empty lines"),
        pytest.param(gzip.compress(TABLE.encode()), id="gzip"),
        pytest.param(TABLE.replace("unique_id,ds,y", " unique_id, ds ,y ").encode(), id="spaces"),
    ],
)
def test_dialects_read_alike(tmp_path: Path, content: bytes) -> None:
    frame = read_table(save(tmp_path, content))
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert frame["unique_id"].tolist() == ["007", "NA"]
    assert frame["ds"].tolist() == ["2020-01-01", "2020-01-02"]
    np.testing.assert_array_equal(frame["y"], [1.5, np.nan])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    frame = read_table(save(tmp_path, UMLAUT.encode(encoding)))
    assert frame["unique_id"].tolist() == ["Zürich"]
    assert bool(frame.attrs["notes"]) == (encoding != "utf-8")


def test_odd_byte_far_into_the_file(tmp_path: Path) -> None:
    rows = b"a,2020-01-01,1\n" * 100_000
    frame = read_table(save(tmp_path, b"unique_id,ds,y\n" + rows + b"Z\xfcrich,2020-01-01,2\n"))
    assert frame["unique_id"].iloc[-1] == "Zürich"
    assert len(frame) == 100_001


def test_column_that_turns_from_whole_numbers_to_others(tmp_path: Path) -> None:
    rows = "a,2020-01-01,1,7\n" * 1_100_000  # more than one block of the reader
    path = save(tmp_path, f"unique_id,ds,y,x\n{rows}a,2020-01-02,2.5,seven\n")
    frame = read_table(path)
    assert frame["y"].dtype == np.float64
    assert frame["y"].iloc[[0, -1]].tolist() == [1.0, 2.5]
    assert frame["x"].iloc[[0, -1]].tolist() == ["7", "seven"]


def test_quoted_fields(tmp_path: Path) -> None:
    frame = read_table(save(tmp_path, 'unique_id,ds,y\n"a\nb",1,2\n"c,""d""",2,3\n'))
    assert frame["unique_id"].tolist() == ["a\nb", 'c,"d"']


def test_own_column_names(tmp_path: Path) -> None:
    path = save(tmp_path, "shop,day,sales\n007,01,5\n")
    frame = read_table(path, id_col="shop", time_col="day")
    assert frame["shop"].tolist() == ["007"]
    assert frame["day"].tolist() == ["01"]
    assert frame["sales"].tolist() == [5]


def test_thousands_of_columns(tmp_path: Path) -> None:
    path = save(tmp_path, "\n".join([WIDE_HEADER, *[WIDE_ROW] * 50]))
    assert read_table(path).shape == (50, 5003)
    few = read_table(path, columns=["unique_id", "ds", "y", "nowhere"])
    assert list(few.columns) == ["unique_id", "ds", "y"]
    assert len(few.attrs["columns"]) == 5003


def test_parquet_with_any_file_name(tmp_path: Path) -> None:
    table = pd.DataFrame({"unique_id": ["007"], "ds": pd.to_datetime(["2020-01-01"]), "y": [1.5]})
    path = tmp_path / "table.csv"
    table.to_parquet(path)
    found = read_table(path)
    assert found["unique_id"].dtype == "category"
    pd.testing.assert_frame_equal(found.astype({"unique_id": object}), table)
    assert list(read_table(path, columns=["y", "nowhere"]).columns) == ["y"]


LAYOUTS: dict[str, Callable[[pa.Table], tuple[pa.Table, dict[str, Any]]]] = {
    "small row groups": lambda table: (table, {"row_group_size": 7}),
    "no dictionaries": lambda table: (table, {"use_dictionary": False, "row_group_size": 50}),
    "other pages": lambda table: (table, {"data_page_size": 100, "dictionary_pagesize_limit": 50}),
    "unsorted": lambda table: (
        table.take(pa.array(np.random.default_rng(1).permutation(len(table)))),
        {"row_group_size": 11},
    ),
    "dictionary columns": lambda table: (_as_dictionaries(table, ()), {"row_group_size": 9}),
    "unused values": lambda table: (_as_dictionaries(table, ("31/12/2024", "nothing")), {}),
    "large strings": lambda table: (
        table.cast(pa.schema({"id": pa.large_string(), "day": pa.large_string(), "y": "float64"})),
        {"row_group_size": 13},
    ),
}


def _as_dictionaries(table: pa.Table, more: tuple[str, ...]) -> pa.Table:
    for number, name in enumerate(("id", "day")):
        encoded = table[name].combine_chunks().dictionary_encode()
        values = pa.concat_arrays([encoded.dictionary, pa.array(more, pa.string())])
        column = pa.DictionaryArray.from_arrays(encoded.indices, values)
        table = table.set_column(number, name, column)
    return table


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_a_parquet_file_does_not_change_what_is_frozen(
    layout: str, tmp_path: Path
) -> None:
    days = pd.date_range("2026-01-30", periods=30, freq="D").strftime("%d/%m/%Y")
    values = np.arange(90) % 7 + 0.5
    frame = pd.DataFrame({"id": np.repeat(["b", "a", "c"], 30), "day": [*days] * 3, "y": values})
    names = {"id_col": "id", "time_col": "day", "target_col": "y"}
    settings = resolve({**names, "horizon": 3, "models": [], "baselines": ["Naive"]})
    expected = prepare(frame, settings)
    table, options = LAYOUTS[layout](pa.Table.from_pandas(frame, preserve_index=False))
    pq.write_table(table, tmp_path / "table.parquet", **options)
    found = load(settings | {"data_file": tmp_path / "table.parquet"})
    pd.testing.assert_frame_equal(found.frame, expected.frame)
    assert (found.freq, found.notes) == (expected.freq, expected.notes)
    read = read_table(tmp_path / "table.parquet", "id", "day")
    assert {read[name].dtype.name for name in ("id", "day")} == {"category"}


@pytest.mark.parametrize("column", ["unique_id", "ds"])
def test_a_parquet_file_without_names_or_times_is_refused_in_one_line(
    column: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"unique_id": ["a"] * 20, "ds": range(20), "y": range(20)})
    settings = resolve({"horizon": 2, "models": [], "baselines": ["Naive"]})
    settings |= {"data_file": tmp_path / "table.parquet"}
    frame.drop(columns=column).to_parquet(settings["data_file"])
    with pytest.raises(UserError, match=f"column '{column}' .* is missing"):
        load(settings)
    nested = frame.assign(**{column: [{"a": number} for number in range(20)]})
    nested.to_parquet(settings["data_file"])
    read_table(settings["data_file"])


def test_parquet_index_becomes_columns(tmp_path: Path) -> None:
    table = pd.DataFrame({"unique_id": ["a"], "ds": [1], "y": [1.5]}).set_index(["unique_id", "ds"])
    table.to_parquet(tmp_path / "table.parquet")
    assert set(read_table(tmp_path / "table.parquet").columns) == {"unique_id", "ds", "y"}


BAD_FILES = {
    "empty": (b"", "is empty"),
    "only line ends": (b"\n \n\n", "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "binary": (bytes(range(256)) * 20, "binary content"),
    "damaged parquet": (b"PAR1 and nothing else", "cannot be read"),
    "excel": (b"PK\x03\x04 something", "Excel"),
    "damaged gzip": (gzip.compress(TABLE.encode() * 50)[:-12], "cannot be read"),
    "nothing but gzip's name": (b"\x1f\x8b", "cannot be read"),
    "too many fields": (
        TABLE.encode() + b"a,2020-01-03,1,2,3\n",
        "line 4 has 5 fields, the header has 3",
    ),
    "too few fields": (TABLE.encode() + b"a\n", "line 4 has 1 field, the header has 3"),
    "column twice": (b"unique_id,ds,y,y\na,1,2,3\n", "two columns named 'y'"),
    "open quote": (b'unique_id,ds,y\n"a,1,2\nb,1,2\n', "has 1 field, the header has 3"),
    "not text": (b"\xff\xfe\xfd", "is not a text file|cannot be read|is empty"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path: Path, name: str) -> None:
    content, message = BAD_FILES[name]
    with pytest.raises(UserError, match=message) as caught:
        read_table(save(tmp_path, content))
    assert len(str(caught.value).splitlines()) == 1


def test_bad_paths(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "about")
    (tmp_path / "about").symlink_to(tmp_path / "round")
    for path, message in [
        (tmp_path / "none.csv", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "round", "cannot be opened"),
        (Path("/dev/null"), "not a regular file"),
        (Path("zero\0byte"), "cannot be opened"),
        (Path("x" * 5000), "cannot be opened"),
    ]:
        with pytest.raises(UserError, match=message) as caught:
            read_table(path)
        assert len(str(caught.value).splitlines()) == 1
