"""Statistical models get conformal intervals: their own cover far less than they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forerun.base.resources import PROJECT
from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.config.settings import dump, resolve
from forerun.data.preparing import prepare
from forerun.data.splitting import split
from forerun.evaluation.intervals import columns, complete_results
from forerun.forecasting import freeze
from forerun.forecasting.engines.base import Data, get_engine

MODEL = "DynamicOptimizedTheta"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(PROJECT / "data" / "us_employment_monthly.csv", parse_dates=["ds"])


def settled(table: pd.DataFrame, **asked: Any) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the settings as a run freezes them, and the prepared table."""
    given = {"models": [], "baselines": [MODEL], "horizon": 12, "n_windows": 3, "levels": [80]}
    settings = resolve(given | asked)
    prepared = prepare(table, settings)
    return freeze.settled(settings, prepared), prepared.frame


def covered(settings: dict[str, Any], frame: pd.DataFrame) -> float:
    """Return the share of actual values inside the intervals of the cross-validation."""
    (spec,), engine = specs(settings), get_engine("statsforecast")
    data = Data(*split(frame, settings))
    results = engine.cross_validate(spec, settings, data, settings["n_windows"], lambda *_: None)
    results = results.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    results = complete_results(results, spec.name, data.history, settings)
    low, high = columns(spec.name, 80)
    return float(results["y"].between(results[low], results[high]).mean())


def test_conformal_intervals_cover_what_they_say_and_own_ones_do_not(table: pd.DataFrame) -> None:
    assert covered(*settled(table)) == pytest.approx(0.8, abs=0.06)
    assert covered(*settled(table, statistical_intervals="own")) < 0.6


@pytest.mark.parametrize(
    ("series", "windows", "expected"), [(1, 1, "own"), (1, 2, "conformal"), (2, 1, "conformal")]
)
def test_one_window_of_one_series_has_nothing_to_calibrate_with(
    table: pd.DataFrame, series: int, windows: int, expected: str
) -> None:
    some = table[table["unique_id"].isin(table["unique_id"].unique()[:series])]
    settings, _ = settled(some, n_windows=windows)
    assert settings["statistical_intervals"] == expected
    given, _ = settled(some, n_windows=windows, statistical_intervals="own")
    assert given["statistical_intervals"] == "own"


def test_runs_that_are_older_than_the_key_keep_their_intervals(tmp_path: Path) -> None:
    lines = dump(resolve({"models": []})).splitlines(keepends=True)
    older = "".join(line for line in lines if not line.startswith("statistical_intervals"))
    (tmp_path / "old.yaml").write_text(older)
    assert read_frozen(tmp_path / "old.yaml")["statistical_intervals"] == "own"
