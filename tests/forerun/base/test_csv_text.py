"""Tables written as CSV: byte for byte the output of pandas."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forerun.base import csv_text
from forerun.base.files import write_csv
from forerun.runs.tables import read_cv_results


def text(frame: pd.DataFrame) -> str:
    file = io.BytesIO()
    csv_text.write(file, frame)
    return file.getvalue().decode()


def same(frame: pd.DataFrame) -> None:
    assert csv_text.can_write(frame)
    assert text(frame) == frame.to_csv(index=False, lineterminator="\n")


@given(st.lists(st.floats(), max_size=30))
def test_any_number(values: list[float]) -> None:
    same(pd.DataFrame({"unique_id": "a", "value": np.array(values, dtype=float)}))


def test_numbers_where_python_and_arrow_differ() -> None:
    edges = [*(10.0**power for power in range(-9, 23)), 123456789012345680.0, 0.0, 5e-324, 0.1]
    values = [*edges, *(-edge for edge in edges), np.nan, np.inf, -np.inf]
    values += [np.nextafter(edge, toward) for edge in edges for toward in (0, np.inf)]
    same(pd.DataFrame({"unique_id": "a", "value": values}))


@given(st.lists(st.text(max_size=8) | st.none(), max_size=20))
def test_any_name(names: list[str | None]) -> None:
    names = [name for name in names if name is None or name.isprintable() or "\n" in name]
    frame = pd.DataFrame({"unique_id": pd.Series(names, dtype=object), "y": 1.5})
    same(frame)


def test_names_that_need_quotes() -> None:
    names = ["a,b", 'say "x"', "two\nlines", "cr\r", "", None, "é", " space ", "#", "NA"]
    same(pd.DataFrame({'na"me': names, "y,": np.arange(10.0)}))


@pytest.mark.parametrize(
    ("ds", "cutoff"),
    [
        (["2024-01-01", "2024-01-02"], ["2023-12-31", "2023-12-31"]),
        (["2024-01-01 01:00", "2024-01-01 02:00"], ["2024-01-01", "2024-01-01"]),
        (["2024-01-01 00:00:00.5", "2024-01-02"], ["2024-01-01", None]),
        (["2024-01-01 00:00:00.000000001", "1700-01-02"], [None, None]),
    ],
)
def test_times(ds: list[str], cutoff: list[str]) -> None:
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": ds, "cutoff": cutoff, "y": [1.0, 2.5]})
    times = frame[["ds", "cutoff"]].apply(pd.to_datetime, format="mixed")
    same(frame.assign(ds=times["ds"], cutoff=times["cutoff"]))


def test_whole_number_times_many_rows_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "ROWS", 7)
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 25), "ds": np.arange(50)})
    frame = frame.assign(y=random.normal(0, 1e6, 50), z=random.integers(0, 9, 50).astype(float))
    same(frame)
    same(frame.iloc[:0])


def test_other_columns_are_left_to_pandas(tmp_path: Path) -> None:
    ranks = pd.Series([1, None], dtype="Int64")
    frame = pd.DataFrame({"model": ["a", "b"], "rank": ranks, "skill": [0.5, np.nan]})
    assert not csv_text.can_write(frame)
    assert not csv_text.can_write(pd.DataFrame({"a": [1, "b"], "y": 0.5}))
    write_csv(tmp_path / "table.csv", frame)
    assert (tmp_path / "table.csv").read_text() == "model,rank,skill\na,1,0.5\nb,,\n"


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(["NA", "1", "a,b"], 20),
            "ds": np.tile(pd.date_range("2024-01-01", periods=20, freq="h"), 3),
            "cutoff": pd.to_datetime(["2024-01-01"] * 60),
            "y": random.integers(0, 9, 60).astype(float),
            "m": random.normal(0, 1, 60) * 10.0 ** random.integers(-20, 20, 60),
            "m-lo-90": np.where(np.arange(60) % 7, random.normal(0, 1, 60), np.nan),
            "chosen": np.where(np.arange(60) % 2, "m", None),
        }
    )
    write_csv(tmp_path / "cv.csv", frame)
    pd.testing.assert_frame_equal(read_cv_results(tmp_path / "cv.csv"), frame)
    write_csv(tmp_path / "none.csv", frame.iloc[:0])
    assert list(read_cv_results(tmp_path / "none.csv").columns) == list(frame.columns)
    numbers = frame.assign(ds=np.arange(60), cutoff=np.arange(60) // 20)
    write_csv(tmp_path / "numbers.csv", numbers)
    pd.testing.assert_frame_equal(read_cv_results(tmp_path / "numbers.csv"), numbers)
