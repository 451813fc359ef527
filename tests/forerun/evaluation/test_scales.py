"""The in-sample error of the seasonal naive forecast, computed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forerun.evaluation.losses import inside
from forerun.evaluation.scales import naive_error, naive_scales, scale_by_series


def test_missing_values_are_ignored() -> None:
    table = pd.DataFrame({"unique_id": list("aaaabb"), "y": [1.0, 3.0, np.nan, 9.0, 5.0, 6.0]})
    ids = np.array(["a", "b"], dtype=object)
    assert naive_scales(table, ids, [0], 1).tolist() == [[2.0], [1.0]]
    assert naive_scales(table, ids, [0], 2)[:, 0].tolist()[0] == 6.0  # 9 against 3


def test_each_series_may_stop_elsewhere() -> None:
    table = pd.DataFrame({"unique_id": list("aaaabbb"), "y": [0.0, 1, 3, 6, 0, 4, 0]})
    ids = np.array(["b", "a"], dtype=object)
    found = naive_scales(table, ids, np.array([[0, 1], [1, 2]]), 1)
    assert found.tolist() == [[4.0, 4.0], [1.5, 1.0]]  # a: (1 + 2) / 2, then 1


def test_a_scale_for_every_series() -> None:
    """Series b is constant and c too short: the median of the others."""
    table = pd.DataFrame({"unique_id": list("aaaabbc"), "y": [1.0, 5, 3, 9, 6, 6, 0]})
    assert scale_by_series(table, 2).to_dict() == {"a": 3.0, "b": 3.0, "c": 3.0}
    assert scale_by_series(table[4:], 2).to_dict() == {"b": 1.0, "c": 1.0}
    assert scale_by_series(table.iloc[[0, 1]], 2).to_dict() == {"a": 4.0}  # the step before


def test_the_error_of_one_series() -> None:
    values = np.array([1.0, 5, 3, 9])
    assert naive_error(values, 2) == 3.0  # (2 + 4) / 2
    assert naive_error(values, 4) == 4.0  # too short for a season: (4 + 2 + 6) / 3
    assert naive_error(values[:1], 2) == 0.0


def test_a_value_on_the_border_is_inside() -> None:
    actual = np.array([1.0, 2.0, 3.0, np.nan, 2.0])
    found = inside(actual, np.array([1.0, 2.5, 2.0, 0.0, np.nan]), np.full(5, 3.0))
    np.testing.assert_array_equal(found, [1.0, 0.0, 1.0, np.nan, np.nan])
