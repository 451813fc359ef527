"""The history of a fit: without the last steps of each series."""

from __future__ import annotations

import pandas as pd
import pytest

from forerun.data.panel import without_last
from forerun.data.splitting import only

HISTORY = pd.DataFrame({"unique_id": list("aaabcc"), "ds": [1, 2, 3, 1, 1, 2], "y": 1.0})


@pytest.mark.parametrize("kind", ["object", "category"])
@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (0, ["a1", "a2", "a3", "b1", "c1", "c2"]),
        (1, ["a1", "a2", "c1"]),
        (2, ["a1"]),
        (3, []),
    ],
)
def test_the_last_steps_of_each_series_are_left_out(steps: int, kept: list[str], kind: str) -> None:
    found = without_last(HISTORY.astype({"unique_id": kind}), steps)
    assert [
        f"{name}{step}" for name, step in zip(found["unique_id"], found["ds"], strict=True)
    ] == kept
    assert found.index.tolist() == list(range(len(kept)))


def test_no_row_is_left_out_of_none() -> None:
    assert not len(without_last(HISTORY.iloc[:0], 2))


def test_a_table_with_no_other_columns_is_not_copied() -> None:
    assert only(HISTORY, ["unique_id", "ds", "y"]) is HISTORY
    assert list(only(HISTORY, ["unique_id", "y"]).columns) == ["unique_id", "y"]
