"""The arithmetic of plots, compared with numbers computed by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from forerun.base.text import duration
from forerun.evaluation.arrays import ORDER, sorted_by
from forerun.plots.axes import spread, value_limits
from forerun.plots.diagnostics import by_step
from forerun.plots.figures import coverage, file_name, file_names
from forerun.plots.frames import by_model, in_order, intervals, observed
from forerun.plots.names import choose_series, order_models, series_errors
from forerun.plots.page import grid_of
from forerun.plots.series import shown_steps
from forerun.plots.text import Numbers, fit_text, number, text_width, wrap_text
from forerun.plots.times import time_axis

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("positions", "gap", "expected"),
    [
        ([], 0.1, []),
        ([0.5], 0.1, [0.5]),
        ([0.2, 0.8], 0.1, [0.2, 0.8]),
        ([0.5, 0.5], 0.2, [0.4, 0.6]),
        ([0.5, 0.4], 0.2, [0.55, 0.35]),
        ([0.0, 0.0, 0.0], 0.1, [0.0, 0.1, 0.2]),
        ([1.0, 1.0], 0.3, [0.7, 1.0]),
        ([0.1, 0.9, 0.5], 2.0, [0.0, 1.0, 0.5]),
    ],
)
def test_labels_move_as_little_as_they_must(
    positions: list[float], gap: float, expected: list[float]
) -> None:
    assert spread(positions, gap, 0.0, 1.0) == pytest.approx(expected)


def test_spread_labels_never_touch() -> None:
    rng = np.random.default_rng(7)
    for count in range(2, 20):
        places = sorted(spread(list(rng.random(count)), 0.05, 0.0, 1.0))
        assert min(np.diff(places)) > 0.05 - 1e-9
        assert places[0] >= -1e-12
        assert places[-1] <= 1 + 1e-12


def test_value_limits() -> None:
    core = [np.array([0.0, np.nan, 10.0])]
    assert value_limits(core, []) == pytest.approx((-0.6, 10.6))
    low, high = value_limits(core, [np.array([20.0])])  # within one and a half ranges
    assert (low, high) == pytest.approx((-1.2, 21.2))
    low, high = value_limits(core, [np.array([1e9, np.inf])])  # stopped at 25
    assert high == pytest.approx(25 + 0.06 * 25)
    assert value_limits([], [np.array([np.nan])]) == pytest.approx((-0.06, 1.06))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (0.012345, "0.0123"), (-5, f"{MINUS}5.00"),
        (2.5e6, "2.50 M"), (3e9, "3.00 B"), (1e-6, "1.00e" + MINUS + "06"), (math.nan, "\u2013"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 500, 1000], ["0", "500", "1,000"]),
        ([0, 2.5, 5], ["0.0", "2.5", "5.0"]),
        ([-0.25, 0, 0.25], [MINUS + "0.25", "0.00", "0.25"]),
        ([0, 5e5, 1e6], ["0.0 M", "0.5 M", "1.0 M"]),
        ([1000036, 1000040], ["1,000,036", "1,000,040"]),
        ([], []),
        ([0, 1e-9], ["0", "1e" + MINUS + "09"]),
    ],
)
def test_tick_labels(ticks: list[float], labels: list[str]) -> None:
    assert Numbers().format_ticks(ticks) == labels


def test_tick_labels_in_percent() -> None:
    assert Numbers(percent=True).format_ticks([0, 0.5, 1]) == ["0 %", "50 %", "100 %"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (7260, "2 h 01 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_text_is_shortened_in_the_middle_to_fit() -> None:
    long = "the same beginning of a name, " * 3 + "end 1"
    short = fit_text(long, 2.0, 9)
    assert text_width(short, 9) <= 2.0
    assert short.startswith("the same")
    assert short.endswith("end 1")
    assert "…" in short
    assert fit_text("short", 2.0, 9) == "short"
    assert len(fit_text("W" * 100_000, 1.0, 9)) < 20


def test_text_is_wrapped() -> None:
    lines = wrap_text("many words " * 30, 3.0, 9, lines=2)
    assert len(lines) == 2
    assert all(text_width(line, 9) <= 3.0 for line in lines)
    assert wrap_text("two words", 3.0, 9, lines=2) == ["two words"]


@pytest.mark.parametrize(
    ("count", "grid"),
    [(1, (1, 1)), (2, (1, 2)), (3, (2, 2)), (6, (2, 3)), (7, (2, 4)), (9, (3, 3)), (40, (10, 4))],
)
def test_grids(count: int, grid: tuple[int, int]) -> None:
    assert grid_of(count) == grid


@pytest.mark.parametrize(
    ("horizon", "season", "steps"),
    [(12, 12, 36), (1, None, 24), (1, 365, 24), (14, 365, 140), (24, 24, 72), (7, 30, 60)],
)
def test_history_is_a_few_horizons_or_seasons(horizon: int, season: int | None, steps: int) -> None:
    assert shown_steps(horizon, season) == steps


def cv_table() -> pd.DataFrame:
    """Two series, two windows of two steps; the errors at step 1 are 1, 2, 3, 4, at step 2 10."""
    return pd.DataFrame({
        "unique_id": ["a"] * 4 + ["b"] * 4, "ds": [3, 4, 5, 6] * 2, "cutoff": [2, 2, 4, 4] * 2,
        "y": 100.0, "M": 100.0 + np.array([1, 10, 2, -10, -3, 10, 4, 10]),
        "M-lo-80": 95.0, "M-hi-80": 105.0, "M-lo-95": 101.0, "M-hi-95": 120.0,
        "M-lo-50": 1.0,
    })  # fmt: skip


def test_error_by_step() -> None:
    table = cv_table()
    assert by_step(table, "M", "mae", None, None).to_dict() == {1: 2.5, 2: 10.0}
    assert by_step(table, "M", "bias", None, None).to_dict() == {1: 1.0, 2: 5.0}
    rmse = by_step(table.sample(frac=1, random_state=1), "M", "rmse", None, None)
    assert rmse.to_dict() == pytest.approx({1: math.sqrt(30 / 4), 2: 10.0})


def test_only_tables_out_of_order_are_sorted_and_copied() -> None:
    table = cv_table()
    history = table[["unique_id", "ds", "y"]]
    history = history.astype({"unique_id": "category"}).sort_values(["unique_id", "ds"])
    assert in_order(history) is history
    swapped = history.iloc[::-1]
    pd.testing.assert_frame_equal(in_order(swapped.assign(more=1)), history)
    ordered = sorted_by(table, ORDER)
    assert sorted_by(ordered, ORDER) is ordered
    pd.testing.assert_frame_equal(sorted_by(ordered.iloc[::-1], ORDER), ordered)


def test_scaled_error_by_step() -> None:
    """Before the first cutoff series a moves by 2 a step, series b by 4."""
    history = pd.DataFrame({"unique_id": list("aaabbb"), "ds": [0, 1, 2] * 2,
                            "y": [0.0, 2.0, 4.0, 0.0, 4.0, 0.0]})  # fmt: skip
    later = pd.DataFrame({"unique_id": ["a", "b"], "ds": 3, "y": 1e9})
    scaled = by_step(cv_table(), "M", "mase", {"season_length": 1}, pd.concat([history, later]))
    assert scaled.to_dict() == pytest.approx(
        {1: (0.5 + 1 + 0.75 + 1) / 4, 2: (5 + 5 + 2.5 + 2.5) / 4}
    )


def test_missing_values_count_for_no_step() -> None:
    table = cv_table()
    table.loc[0, "y"] = np.nan
    table.loc[6, "M"] = np.inf
    assert by_step(table, "M", "mae", None, None).to_dict() == {1: 2.5, 2: 10.0}
    table.loc[2, "M"] = np.nan
    assert by_step(table, "M", "mae", None, None).to_dict() == {1: 3.0, 2: 10.0}


def test_coverage() -> None:
    table = coverage(cv_table()).set_index("level")
    assert table["coverage"].to_dict() == {95.0: 0.0, 80.0: 1.0}
    some = cv_table()
    some.loc[[0, 1], "y"] = [94.0, np.nan]
    assert coverage({"M": some}).set_index("level").loc[80.0, "coverage"] == pytest.approx(6 / 7)


def test_intervals_are_found_widest_first() -> None:
    table = cv_table()
    assert intervals(table, "M") == {
        95.0: ("M-lo-95", "M-hi-95"), 80.0: ("M-lo-80", "M-hi-80"),
    }  # fmt: skip
    assert list(by_model(table)) == ["M"]
    assert by_model({"M": table.iloc[:0], "N": table.assign(N=np.nan)}) == {}


def test_observed_ends_with_the_last_value() -> None:
    table = pd.DataFrame(
        {"unique_id": [1, 1, 1, 1], "ds": [4, 3, 2, 1], "y": [np.nan, 3, np.nan, 1]}
    )
    assert observed(table, "1")["ds"].tolist() == [1, 2, 3]


def test_series_are_ranked_by_scaled_error() -> None:
    """Mean errors 5.75 and 6.75; series b, with ten times the scale, has the lower scaled error."""
    history = pd.DataFrame(
        {"unique_id": list("aabb"), "ds": [1, 2] * 2, "y": [0.0, 1.0, 0.0, 10.0]}
    )
    found = series_errors(cv_table(), "M", history, 1)
    assert found.to_dict() == pytest.approx({"b": 0.675, "a": 5.75})
    assert list(found.index) == ["b", "a"]


def test_best_worst_and_others_between_are_chosen() -> None:
    errors = pd.Series(range(101), index=[f"s{i:03d}" for i in range(101)], dtype=float)
    chosen = choose_series(errors, list(errors.index), 3)
    assert [one.unique_id for one in chosen] == ["s000", "s050", "s100"]
    assert [one.role for one in chosen] == [
        "best of 101 series", "rank 51 of 101 series by error", "worst of 101 series",
    ]  # fmt: skip
    assert len(choose_series(errors, list(errors.index), 1000)) == 101
    assert [one.unique_id for one in choose_series(errors, list(errors.index), 1)] == ["s050"]
    assert choose_series(errors, list(errors.index), 0) == []


def test_series_without_validation_are_chosen_when_there_is_room() -> None:
    chosen = choose_series(pd.Series({"b": 1.0}), ["a", "b", "c"], 12)
    assert [(one.unique_id, one.role) for one in chosen] == [
        ("b", "the only series"), ("a", "not validated"), ("c", "not validated"),
    ]  # fmt: skip
    assert choose_series(pd.Series(dtype=float), [], 12) == []


def test_models_are_in_the_order_of_the_leaderboard() -> None:
    board = pd.DataFrame({"model": ["C", "ensemble", "A", "X"], "rank": [2, 1, 3, None]})
    order = order_models(board, {"A": 0, "B": 0}, {"per_series": 0})
    assert order == ["C", "A", "X", "B", "ensemble", "per_series"]
    assert order_models(None, {"B": 0, "A": 0}) == ["B", "A"]


def test_plain_names_are_kept_as_file_names() -> None:
    assert file_name("Retail_trade-2.0") == "Retail_trade-2.0"
    assert file_name(17) == "17"


@pytest.mark.parametrize(
    "name",
    ["a/b", "../../etc/passwd", "ü", "日本", "", ".", "..", ".hidden", "a b", "x" * 200, "nul\x00",
     "\ud800", "a:b*c?", "tab\t", "end.", "-rf"],
)  # fmt: skip
def test_file_names_are_safe(name: str) -> None:
    result = file_name(name)
    assert len(result) <= 75
    assert result.isascii()
    assert set(result) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert result[0] not in ".-"
    assert result != name


def test_no_two_series_share_a_file() -> None:
    names = ["A", "a", "a/b", "a-b", "a\\b", "ä", "x" * 61, "x" * 62, "straße", "STRASSE", "Á"]
    made = file_names(names)
    assert len({name.casefold() for name in made.values()}) == len(names)
    assert made["a-b"] == "a-b"
    assert file_names(["a"]) == {"a": "a"}


@pytest.mark.parametrize("freq", ["s", "5min", "h", "D", "B", "W-MON", "MS", "QS", "YS"])
@pytest.mark.parametrize("count", [5, 24, 50, 130])
def test_time_ticks_are_few_and_apart(freq: str, count: int) -> None:
    times = pd.date_range("2024-02-03 07:00", periods=count, freq=freq).to_series()
    for width in (1.6, 4.0, 8.0):
        axes = Figure().add_subplot()
        axes.set_xlim(times.iloc[0], times.iloc[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            time_axis(axes, times, width)
            low, high = axes.get_xlim()
            ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert 1 <= len(ticks) <= max(2, width / 0.72) + 1
        if len(ticks) > 2:
            gaps = np.diff(ticks)
            assert gaps.min() > 0.6 * gaps.max()


def test_integer_ticks_are_integers() -> None:
    axes = Figure().add_subplot()
    axes.set_xlim(1_000_000, 1_000_007)
    time_axis(axes, pd.Series([1, 2]), 8.0)
    labels = axes.xaxis.get_major_formatter().format_ticks(axes.get_xticks())
    assert "1,000,002" in labels
    assert not any("." in label for label in labels)
