"""Frequencies: inference, refusals and arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from utilsforecast.data import generate_series

from forerun.data import season_length
from forerun.data.grid import add_steps, check_freq, infer_freq, make_grid
from forerun.data.panel import Panel


def panel_of(*series: pd.DatetimeIndex | list[int]) -> Panel:
    times = [np.asarray(one).astype(np.int64) for one in series]
    code = np.repeat(np.arange(len(series)), [len(one) for one in times])
    labels = np.array([f"series_{n}" for n in range(len(series))], dtype=object)
    time = np.concatenate(times)
    dated = isinstance(series[0], pd.DatetimeIndex)
    return Panel(labels, code, time, dated, {"y": np.ones(len(time))}, np.zeros(len(labels), bool))


FREQUENCIES = [
    "ms",
    "10s",
    "min",
    "5min",
    "30min",
    "h",
    "6h",
    "36h",
    "D",
    "3D",
    "B",
    "W-TUE",
    "2W-MON",
    "MS",
    "ME",
    "BMS",
    "BME",
    "2MS",
    "QS-OCT",
    "QS-NOV",
    "QE-DEC",
    "QE-OCT",
    "BQE-DEC",
    "YS-JAN",
    "YS-APR",
    "YE-JUN",
]


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_frequency_found_and_positions(freq: str) -> None:
    times = pd.date_range("2020-01-01", periods=40, freq=freq)
    panel = panel_of(times, times[5:])
    assert infer_freq(panel) == (freq, "")
    grid = make_grid(freq, panel.time)
    position, fits = grid.positions(panel)
    assert fits.all()
    assert position.tolist() == [*range(40), *range(35)]
    rows = np.arange(len(panel))
    np.testing.assert_array_equal(grid.times(panel, rows, position), panel.time)
    assert add_steps(int(panel.time[0]), 39, freq) == times[-1].value


@pytest.mark.parametrize("freq", ["h", "D", "MS", "W-SUN", "B"])
def test_frequency_found_with_a_third_of_the_rows_lost(freq: str) -> None:
    times = pd.date_range("2020-01-01", periods=60, freq=freq)
    kept = np.random.default_rng(0).random(60) > 0.33
    assert infer_freq(panel_of(times[kept], times[~kept], times)) == (freq, "")


def test_frequency_of_generated_series() -> None:
    for freq in ("D", "h", "MS", "W-SUN"):
        frame = generate_series(20, freq=freq, min_length=30, max_length=60)
        groups = [pd.DatetimeIndex(one) for _, one in frame.groupby("unique_id", observed=True).ds]
        assert infer_freq(panel_of(*groups)) == (freq, "")


def test_phases_within_a_panel() -> None:
    five = pd.date_range("2020-01-01 00:02:17", periods=20, freq="5min")
    assert infer_freq(panel_of(five, five + pd.Timedelta("73s"))) == ("5min", "")
    tuesdays = pd.date_range("2020-01-07", periods=20, freq="7D")
    assert infer_freq(panel_of(tuesdays, tuesdays + pd.Timedelta("1D"))) == ("7D", "")
    quarters = pd.date_range("2020-01-01", periods=20, freq="QS-JAN")
    shifted = pd.date_range("2020-02-01", periods=20, freq="QS-FEB")
    assert infer_freq(panel_of(quarters, shifted)) == ("3MS", "")
    assert make_grid("3MS", panel_of(quarters, shifted).time).positions(
        panel_of(quarters, shifted)
    )[0].tolist() == [*range(20), *range(20)]


def test_whole_number_times() -> None:
    assert infer_freq(panel_of([1, 2, 3])) == (1, "")
    assert infer_freq(panel_of([0, 5, 10], [3, 8])) == (5, "")
    assert infer_freq(panel_of([7])) == (1, "")


def test_no_frequency() -> None:
    single = panel_of(pd.DatetimeIndex(["2020-01-01"]))
    assert infer_freq(single) == (None, "freq cannot be inferred from series of one row (set freq)")
    mid_month = pd.date_range("2020-01-01", periods=24, freq="MS") + pd.Timedelta(days=14)
    freq, trouble = infer_freq(panel_of(mid_month))
    assert freq is None
    assert "2020-01-15, 2020-02-15" in trouble


def test_business_days_by_hand() -> None:
    times = pd.DatetimeIndex(["1969-12-30", "1970-01-01", "1970-01-02", "1970-01-05", "1970-01-12"])
    panel = panel_of(times)
    grid = make_grid("B", panel.time)
    position, fits = grid.positions(panel)
    assert fits.all()
    assert position.tolist() == [0, 2, 3, 4, 9]
    saturday = panel_of(pd.DatetimeIndex(["1970-01-02", "1970-01-03"]))
    assert grid.positions(saturday)[1].tolist() == [True, False]


@pytest.mark.parametrize(
    ("freq", "season"),
    [
        ("MS", 12), ("ME", 12), ("BME", 12), ("3MS", 4), ("QE-DEC", 4), ("QS", 4), ("YS", 1),
        ("W", 52), ("2W", 26), ("7D", 52), ("D", 7), ("2D", 1), ("B", 5), ("h", 24), ("2h", 12),
        ("24h", 7), ("7h", 1), ("30min", 48), ("15min", 96), ("5min", 288), ("min", 60),
        ("2min", 30), ("s", 60), ("10s", 6), ("ms", 1), (1, 1), (7, 1),
    ],
)  # fmt: skip
def test_season_length(freq: str | int, season: int) -> None:
    assert season_length(freq) == season


@pytest.mark.parametrize(
    ("freq", "dated", "spelling", "trouble"),
    [
        ("MS", True, "MS", ""),
        ("W", True, "W", ""),
        ("M", True, "M", ""),
        ("H", True, "H", ""),
        ("3", False, 3, ""),
        (3, False, 3, ""),
        (3, True, 3, "time stamps, but freq is the number 3"),
        ("D", False, "D", "whole numbers, but freq is 'D'"),
        (0, False, 0, "at least 1"),
        ("-1D", True, "-1D", "cannot be used"),
        ("0D", True, "0D", "cannot be used"),
        ("bh", True, "bh", "cannot be used"),
        ("Dd", True, "Dd", "did you mean 'D'"),
        ("", True, "", "not a pandas frequency"),
    ],
)
def test_check_freq(freq: str | int, dated: bool, spelling: str | int, trouble: str) -> None:
    found, message = check_freq(freq, dated)
    assert found == spelling
    assert trouble in message
    assert bool(trouble) == bool(message)
