"""Conformal intervals: calibration, widths, and that they never cross."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.config.settings import differences, dump, read_frozen, resolve
from forerun.evaluation import fitted_widths, intervals, series_units
from forerun.evaluation.arrays import WindowIndex


def settings(**asked: Any) -> dict[str, Any]:
    given = {"models": [], "horizon": 4, "n_windows": 3, "season_length": 2, "freq": 1}
    return resolve({**given, "levels": [80, 95], **asked})


def results(
    series: int, windows: int, horizon: int = 4, seed: int = 0, scale: float = 10.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Normal errors that grow with the step; each series ten times as large as the one before."""
    random = np.random.default_rng(seed)
    length = 30 + windows * horizon
    size = scale ** np.arange(series)[:, None]
    y = random.normal(size=(series, length)) * size
    ids = [f"s{n}" for n in range(series)]
    history = pd.DataFrame(
        {"unique_id": np.repeat(ids, length), "ds": np.tile(range(length), series), "y": y.ravel()}
    )
    cv = history[history["ds"] >= 30].reset_index(drop=True)
    cv.insert(2, "cutoff", 29 + (cv["ds"] - 30) // horizon * horizon)
    step = (cv["ds"] - 30) % horizon
    own = cv["unique_id"].str[1:].astype(int)
    error = random.normal(size=len(cv)) * (1 + step) * scale**own
    return history, cv.assign(m=cv["y"] + error)


def coverage(frame: pd.DataFrame, level: int) -> float:
    return float(frame["y"].between(frame[f"m-lo-{level}"], frame[f"m-hi-{level}"]).mean())


@pytest.mark.parametrize(("series", "windows"), [(150, 3), (3, 60), (300, 1)])
def test_coverage_is_near_the_level(series: int, windows: int) -> None:
    history, cv = results(series, windows, scale=1.02)
    frame = intervals.complete_results(cv, "m", history, settings(n_windows=windows))
    assert coverage(frame, 80) == pytest.approx(0.8, abs=0.05)
    assert coverage(frame, 95) == pytest.approx(0.95, abs=0.03)
    # Wider where errors are larger: at later steps.
    width = (frame["m-hi-80"] - frame["m-lo-80"]).groupby((frame["ds"] - 30) % 4).median()
    assert width.is_monotonic_increasing


def test_width_follows_the_scale_of_the_series() -> None:
    history, cv = results(4, 3)
    frame = intervals.complete_results(cv, "m", history, settings())
    width = (frame["m-hi-95"] - frame["m-lo-95"]).groupby(frame["unique_id"]).mean()
    assert (width.to_numpy()[1:] / width.to_numpy()[:-1] > 4).all()


def test_a_window_is_not_calibrated_on_itself() -> None:
    history, cv = results(3, 3)
    other = cv.copy()
    last = other["cutoff"] == other["cutoff"].max()
    other.loc[last, "m"] += 1e6  # an error only the last window makes
    before, after = (
        intervals.complete_results(frame, "m", history, settings()) for frame in (cv, other)
    )
    half = [f["m-hi-95"] - f["m"] for f in (before, after)]
    np.testing.assert_allclose(half[0][last], half[1][last], rtol=1e-6)
    assert (half[1][~last] > 10 * half[0][~last]).any()


def test_overlapping_windows_do_not_calibrate_each_other() -> None:
    from forerun.config.windows import others

    run = settings(step_size=2)  # windows of 4 steps, 2 apart
    assert others(run, 2, 5) == [0, 4]
    assert others(run, 0, 2) == [1]  # nothing else is there
    assert others(settings(), 1, 3) == [0, 2]
    assert others(settings(), 0, 1) == []


def test_one_window_of_one_series_has_no_interval_but_forecasts_have() -> None:
    history, cv = results(1, 1)
    run = settings(n_windows=1)
    frame = intervals.complete_results(cv, "m", history, run)
    assert frame["m-lo-80"].isna().all()
    future = pd.DataFrame({"unique_id": "s0", "ds": range(34, 38), "m": 0.0})
    made = intervals.complete_forecasts(future, "m", frame, history, run)
    assert (made["m-hi-95"] >= made["m-hi-80"]).all()
    assert (made["m-hi-80"] > 0).all()


def test_many_windows_give_each_series_and_step_its_own_quantile() -> None:
    errors = np.arange(1.0, 25.0)  # 24 windows, one step, one series
    widths = intervals.calibrate(errors[None, :, None], np.ones(1), [80, 95])
    assert widths is not None
    assert widths.own is not None
    # ceil(25 * 0.8) = 20th and ceil(25 * 0.95) = 24th of 24
    assert widths.own[0, 0].tolist() == [20.0, 24.0]


def test_models_with_equal_cutoffs_share_units(monkeypatch: pytest.MonkeyPatch) -> None:
    history, cv = results(6, 3)
    shorter = cv[cv["cutoff"] > cv["cutoff"].min()].reset_index(drop=True)
    later = cv.assign(ds=cv["ds"] + 1, cutoff=cv["cutoff"] + 1)
    future = pd.DataFrame({"unique_id": np.repeat([f"s{n}" for n in range(6)], 2), "m": 0.0})
    future["ds"] = [60, 61] * 6
    expected = [
        intervals.complete_forecasts(future, "m", frame, history, settings())
        for frame in (cv, cv, shorter, later)
    ]
    computed = []
    of = series_units.Units.of
    monkeypatch.setattr(
        series_units.Units, "of", lambda *given: computed.append(given[2]) or of(*given)
    )
    past = series_units.Past(history)
    for frame, before in zip((cv, cv, shorter, later), expected, strict=True):
        made = intervals.complete_forecasts(future, "m", frame, history, settings(), past)
        pd.testing.assert_frame_equal(made, before)
    # Those of the forecasts, and of each set of cutoffs, once.
    assert len(computed) == 4


def test_series_that_were_never_seen_get_typical_intervals() -> None:
    history, cv = results(20, 3, scale=1.0)
    new = history[history["unique_id"] == "s3"].assign(unique_id="new", y=lambda f: f["y"] * 100)
    future = pd.DataFrame({"unique_id": "new", "ds": range(42, 46), "m": 0.0})
    made = intervals.complete_forecasts(future, "m", cv, new, settings())
    series = pd.DataFrame({"unique_id": "s3", "ds": range(42, 46), "m": 0.0})
    there = intervals.complete_forecasts(
        series, "m", cv, history[history["unique_id"] == "s3"], settings()
    )
    ratio = made["m-hi-80"] / there["m-hi-80"]
    assert ratio.between(30, 300).all()


def test_own_levels_stay_and_quantiles_do_not_cross() -> None:
    history, cv = results(3, 3)
    cv["m-lo-80"], cv["m-hi-80"] = cv["m"] + 1, cv["m"] - 1  # crossed by the model itself
    frame = intervals.complete_results(cv, "m", history, settings())
    names = ["m-lo-95", "m-lo-80", "m", "m-hi-80", "m-hi-95"]
    assert (np.diff(frame[names].to_numpy(), axis=1) >= 0).all()
    only = intervals.complete_results(cv, "m", history, settings(levels=[80]))
    np.testing.assert_allclose(only["m-hi-80"] - only["m-lo-80"], 2.0)
    assert list(intervals.levels_of(only, "m")) == [80.0]


def test_index_aligns_windows_at_the_end() -> None:
    frame = pd.DataFrame(
        {
            "unique_id": ["a"] * 4 + ["b"] * 2,
            "cutoff": [1, 1, 3, 3, 7, 7],
            "ds": [2, 3, 4, 5, 8, 9],
            "y": range(6),
        }
    )
    index = WindowIndex.of(frame)
    assert index.shape == (2, 2, 2)
    spread = index.spread(frame["y"])
    assert np.isnan(spread[1, 0]).all()
    assert spread[1, 1].tolist() == [4, 5]
    assert index.rows(spread).tolist() == list(range(6))


def test_runs_that_are_older_than_the_key_keep_the_naive_scale(tmp_path: Path) -> None:
    frozen = resolve({"models": []})
    (tmp_path / "new.yaml").write_text(dump(frozen))
    lines = dump(frozen).splitlines(keepends=True)
    older = "".join(line for line in lines if not line.startswith("interval_scale"))
    (tmp_path / "old.yaml").write_text(older)
    assert read_frozen(tmp_path / "new.yaml")["interval_scale"] == "fitted"
    old = read_frozen(tmp_path / "old.yaml")
    assert old["interval_scale"] == "naive"
    assert differences(old, {"interval_scale": "fitted"}) == [("interval_scale", "naive", "fitted")]
    assert not differences(old, {"interval_scale": "naive"})


def test_single_window_covers_in_cross_validation_and_later() -> None:
    """Errors relative to a level that is unrelated to the naive error."""
    random = np.random.default_rng(0)
    level = np.exp(random.normal(size=400) * 2)
    ids, steps = [f"s{n:03d}" for n in range(400)], np.arange(28)
    wave = np.outer(level * np.exp(random.normal(size=400) - 4), (-1.0) ** (steps // 2))
    history = pd.DataFrame({"unique_id": np.repeat(ids, 28), "ds": np.tile(steps, 400)}).assign(
        y=(level[:, None] + wave).ravel()
    )
    cv = history[history["ds"] >= 24].assign(cutoff=23).reset_index(drop=True)
    noise = np.exp(random.normal(size=(2, len(cv))) * 0.2)
    cv["m"] = cv["y"] * noise[0]
    run = settings(n_windows=1)
    for level_, accuracy in ((80, 0.04), (95, 0.02)):
        made = intervals.complete_results(cv, "m", history, run)
        assert coverage(made, level_) == pytest.approx(level_ / 100, abs=accuracy)
    future = cv.assign(ds=cv["ds"] + 4, m=cv["y"] * noise[1])
    made = intervals.complete_forecasts(
        future.drop(columns=["y", "cutoff"]), "m", cv, history, run
    ).assign(y=future["y"])
    assert coverage(made, 80) == pytest.approx(0.8, abs=0.04)
    assert (made["m-lo-95"] >= 0).all()
    assert (made["m-hi-95"] - made["m"] > made["m"] - made["m-lo-95"]).all()


def test_exponent_of_the_level() -> None:
    random = np.random.default_rng(0)
    naive, level = np.exp(random.normal(size=(2, 300, 1)))
    units = series_units.Units(naive, level, np.full((300, 1), False))
    noise = np.abs(random.normal(size=(300, 1)))
    for exponent in (0.0, 0.5, 1.0):
        size = noise * naive ** (1 - exponent) * level**exponent
        assert fitted_widths._exponent(size, units) == pytest.approx(exponent, abs=0.15)
    assert fitted_widths._exponent(size[:1], units.take([0], [0])) == 0.0


def test_limits_of_positive_series_by_hand() -> None:
    half, forecast = np.array([[[4.0, 1000.0]]]), np.array([[8.0]])
    below, above = fitted_widths.sides(half, forecast, np.array([True]))
    assert below.tolist() == [[[4 / (1 + 0.5 * 4 / 8), 8.0]]]  # 3.2; the limit is not negative
    assert above.tolist() == [[[4.0, 1000.0]]]
    below, _ = fitted_widths.sides(half, forecast, np.array([False]))
    assert below.tolist() == [[[4.0, 1000.0]]]
    found = fitted_widths.scores(
        np.array([[4.8, 12.0]]), np.array([[8.0, 8.0]]), np.array([[True]])
    )
    np.testing.assert_allclose(found, [[4.0, 4.0]])


def test_units_before_a_cutoff() -> None:
    history = pd.DataFrame(
        {"unique_id": ["a"] * 6 + ["b"] * 3, "y": [1.0, 2, 4, 2, 5, -9, 3, 3, 3]}
    )
    units = series_units.Units.of(history, np.array(["a", "b"]), np.array([1, 0]), 2)
    np.testing.assert_allclose(units.naive[0], [4 / 3, (3 + 0 + 1 + 11) / 4])
    np.testing.assert_allclose(units.level, [[3.5, 7.0], [3.0, 3.0]])
    assert units.positive.tolist() == [[True, False], [True, True]]
    assert (units.naive[1] > 0).all()
