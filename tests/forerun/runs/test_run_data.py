"""Reading the frozen data of a run: rows, columns, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forerun.base.bounded import Damaged
from forerun.base.files import write_parquet
from forerun.runs.run_data import names_by_group, read_data, read_history


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = pd.DataFrame(
        {"unique_id": ["a", "a", "b"], "ds": [1, 2, 1], "y": [5.0, np.nan, 7.0], "x": [1, 2, 3]}
    )
    write_parquet(tmp_path / "data.parquet", frame)
    return tmp_path / "data.parquet"


def test_rows_and_columns_can_be_chosen(table: Path) -> None:
    assert read_data(table)["x"].tolist() == [1, 2, 3]
    read_data(table).to_parquet(table, row_group_size=2)
    some = read_data(table, ["unique_id", "x"], groups=[1])
    assert some.to_dict("list") == {"unique_id": ["b"], "x": [3]}


def test_the_history_has_values_only(table: Path) -> None:
    found = read_history(table)
    assert found["unique_id"].astype(str).tolist() == ["a", "b"]
    assert found["y"].tolist() == [5.0, 7.0]


@pytest.mark.parametrize("names", ["aabbccc", "ccabbaa", "aabacca"])
def test_names_are_listed_by_row_group_in_order(tmp_path: Path, names: str) -> None:
    frame = pd.DataFrame({"unique_id": list(names), "y": range(7)})
    frame.to_parquet(tmp_path / "data.parquet", row_group_size=3)
    expected = [list(dict.fromkeys(names[first : first + 3])) for first in (0, 3, 6)]
    assert list(names_by_group(tmp_path / "data.parquet")) == expected
    # Categories of any order and without rows are not names of the table.
    frame["unique_id"] = pd.Categorical(frame["unique_id"], categories=list("zcbady"))
    frame.to_parquet(tmp_path / "data.parquet", row_group_size=3)
    assert list(names_by_group(tmp_path / "data.parquet")) == expected


def list_names(path: Path) -> list[list[str]]:
    return list(names_by_group(path))


@pytest.mark.parametrize("read", [read_data, read_history, list_names])
def test_a_damaged_table_is_named(table: Path, read) -> None:
    table.write_bytes(table.read_bytes()[:50])
    with pytest.raises(Damaged, match=r"data\.parquet: is not the table of a run .*; restore it"):
        read(table)


@pytest.mark.parametrize("names", [["a", None, "b"], [1.0, np.nan, 2.0]])
@pytest.mark.parametrize("read", [read_data, read_history, list_names])
def test_rows_without_a_name_are_refused(tmp_path: Path, read, names) -> None:
    frame = pd.DataFrame({"unique_id": names, "ds": [1, 2, 1], "y": [5.0, 6.0, 7.0]})
    frame.to_parquet(tmp_path / "data.parquet")
    with pytest.raises(Damaged, match=r"data\.parquet: has rows without unique_id; restore it"):
        read(tmp_path / "data.parquet")
