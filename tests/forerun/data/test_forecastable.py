"""Models that lack future values are refused or skipped before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.data import forecastable, load
from forerun.forecasting.freeze import freeze, read_data

LENGTH, HORIZON = 30, 3
MODELS = ["NHITS", "NBEATS", "AutoARIMA", "Ridge"]  # NBEATS takes no exogenous columns


def table(future: dict[str, list[int]]) -> pd.DataFrame:
    """Two daily series with `promo` and `price`; `future` are the later steps of each one."""
    frames = []
    for number, (name, steps) in enumerate(future.items()):
        rows = [*range(LENGTH), *(LENGTH + step - 1 for step in steps)]
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rows, unit="D")
        y = [float(number + row % 7) if row < LENGTH else np.nan for row in rows]
        promo = [float(row % 2) for row in rows]
        frame = {"unique_id": name, "ds": days, "y": y, "promo": promo, "price": 1.0}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def resolved(path: Path, frame: pd.DataFrame, **asked: Any) -> dict[str, Any]:
    frame.to_csv(path / "table.csv", index=False)
    given = {"models": MODELS, "baselines": ["SeasonalNaive"], "horizon": HORIZON, "input_size": 6}
    given |= {"n_windows": 2, "futr_exog": ["promo", "price"]}
    return resolve({**given, "data_file": str(path / "table.csv"), **asked})


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            {"a": [], "b": []},
            "the values of promo, price for the 3 steps after each series' end, none are given "
            "(from 2024-01-31 on)",
        ),
        (
            {"a": [1, 2, 3], "b": []},
            "missing for series 'b' of 2 (0 of 3 given, first missing: 2024-01-31)",
        ),
        (
            {"a": [1, 2], "b": [1, 3, 4]},
            "missing for 2 series, e.g. 'a' of 2 (2 of 3 given, first missing: 2024-02-02)",
        ),
        (
            {"a": [1, 2, 3], "b": [2, 3, 4]},
            "missing for series 'b' of 2 (2 of 3 given, first missing: 2024-01-31)",
        ),
    ],
)
def test_missing_future_values_are_refused_before_training(
    steps: dict[str, list[int]], message: str, tmp_path: Path
) -> None:
    settings = resolved(tmp_path, table(steps))
    targets = {name: str(tmp_path / name) for name in ("data", "provenance", "config")}
    with pytest.raises(UserError) as caught:
        freeze(settings, settings["data_file"], targets, "demo")
    text = str(caught.value)
    assert text.startswith("future values are missing: NHITS, AutoARIMA, Ridge need the values")
    assert message in text
    assert "futr_file" in text
    assert "on_missing_future: skip" in text
    assert len(text.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_only_the_column_that_is_missing_is_named(tmp_path: Path) -> None:
    frame = table({"a": [1, 2, 3], "b": [1, 2, 3]})
    frame.loc[frame.index[-1], "price"] = np.nan
    with pytest.raises(UserError, match=r"needs? the values of price for the 3 steps") as caught:
        read_data(resolved(tmp_path, frame), tmp_path)
    assert "series 'b' of 2 (2 of 3 given, first missing: 2024-02-02)" in str(caught.value)


def test_skip_lists_the_models_and_missing_values_are_found_later(tmp_path: Path) -> None:
    settings = resolved(tmp_path, table({"a": [1, 2, 3], "b": []}), on_missing_future="skip")
    prepared = read_data(settings, tmp_path)
    (note,) = [note for note in prepared.notes if note.startswith("back-test only")]
    assert "no forecasts of NHITS, AutoARIMA, Ridge" in note
    assert "series 'b'" in note
    prepared.frame.to_parquet(tmp_path / "data.parquet")
    completed = settings | {"freq": prepared.freq}
    found = forecastable.without_forecasts(completed, tmp_path / "data.parquet")
    assert list(found) == ["NHITS", "AutoARIMA", "Ridge"]
    assert "series 'b'" in found["NHITS"]


@pytest.mark.parametrize(
    "asked", [{"exogenous": False}, {"models": ["NBEATS"]}, {"futr_exog": []}, {"gap": 0}]
)
def test_unneeded_future_values_are_optional(asked: dict[str, Any], tmp_path: Path) -> None:
    whole = asked == {"gap": 0}
    steps = [1, 2, 3] if whole else []
    settings = resolved(tmp_path, table({"a": steps, "b": steps}), **asked)
    if not settings["futr_exog"]:
        settings["hist_exog"] = ["promo"]
    prepared = read_data(settings, tmp_path)
    assert not [note for note in prepared.notes if "back-test only" in note]
    assert load(settings).frame.equals(prepared.frame)


def test_the_gap_needs_future_values_too(tmp_path: Path) -> None:
    steps = {"a": [1, 2, 3], "b": [1, 2, 3]}
    with pytest.raises(UserError, match="for the 5 steps after each series' end"):
        read_data(resolved(tmp_path, table(steps), gap=2), tmp_path)
