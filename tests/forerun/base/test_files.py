"""Files that are written completely or not at all."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from forerun.base.files import new_folder, put_in_order, replacing, write_parquet, write_text

WRITE = """
import sys, numpy as np
from safetensors.numpy import save_file
metadata = {f"key {n}": f'{{"ä": {n}}}' for n in range(9)}
save_file({"b": np.arange(5.0), "a": np.eye(3, dtype="f4")}, sys.argv[1], metadata)
"""


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    """Each process writes the keys of the header in another order."""
    paths = [tmp_path / str(number) for number in range(4)]
    for path in paths:
        subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True)
    assert len({path.read_bytes() for path in paths}) > 1
    for path in paths:
        put_in_order(path)
    assert len({path.read_bytes() for path in paths}) == 1
    with safe_open(str(paths[0]), "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("b"), np.arange(5.0))
        np.testing.assert_array_equal(file.get_tensor("a"), np.eye(3))
        assert file.metadata()["key 8"] == '{"ä": 8}'


def test_a_file_without_metadata(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save_file({"x": np.ones(3)}, str(path))
    put_in_order(path)
    before = path.read_bytes()
    put_in_order(path)
    assert path.read_bytes() == before


def write_half(place: AbstractContextManager[Path], inside: str = "") -> None:
    with place as temporary:
        (temporary / inside if inside else temporary).write_text("half")
        raise RuntimeError


def test_failed_writes_keep_the_existing_target(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "old")
    with pytest.raises(RuntimeError):
        write_half(replacing(tmp_path / "t"))
    with pytest.raises(RuntimeError):
        write_half(new_folder(tmp_path / "f"), "x")
    assert (tmp_path / "t").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_large_tables_are_written_by_row_groups_as_pandas_writes_them(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "unique_id": ["a", "a", "b", "b", "b", "c", "é"],
            "ds": pd.date_range("2024-01-01", periods=7).astype("datetime64[ns]"),
            "y": [1.0, np.nan, 0.1, 2.0, 3.0, -0.0, 1e300],
            "n": np.arange(7),
            "late": [None] * 6 + ["text"],  # the first row groups do not tell the type
        }
    )
    frame["kind"] = frame["unique_id"].astype("category")
    other = frame.assign(empty=None, flags=[True, None] * 3 + [False])
    for rows, table in [(3, frame), (7, frame), (2, frame.iloc[2:]), (2, other), (3, frame[["n"]])]:
        write_parquet(tmp_path / "ours.parquet", table, rows)
        table.to_parquet(tmp_path / "pandas.parquet", index=False, row_group_size=rows)
        ours = (tmp_path / "ours.parquet").read_bytes()
        assert ours == (tmp_path / "pandas.parquet").read_bytes()
