"""per_series and ensemble: chosen by out-of-fold results, scored on windows that did not choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.config import schema
from forerun.config.settings import resolve
from forerun.evaluation import combining, ensemble, recipes, selection
from forerun.evaluation.objective import Objective
from forerun.evaluation.scoring import score_all


def settings(windows: int = 3, **asked: Any) -> dict[str, Any]:
    given = {"models": [], "horizon": 2, "n_windows": windows, "season_length": 1, "freq": 1}
    return resolve({**given, "metrics": ["mae"], **asked})


def stacked(errors: dict[str, Any], run: dict[str, Any], series: int = 2) -> recipes.Stack:
    """Return forecasts of zeros; `errors` are each model's forecasts by series and window."""
    windows = run["n_windows"]
    keys = pd.DataFrame(
        [
            (f"s{s}", 10 + 2 * w + step, 9 + 2 * w, 0.0)
            for s in range(series)
            for w in range(windows)
            for step in range(2)
        ],
        columns=["unique_id", "ds", "cutoff", "y"],
    )
    history = pd.DataFrame({"unique_id": [f"s{s}" for s in range(series)], "ds": 0, "y": 1.0})
    columns = {
        model: np.repeat(
            np.broadcast_to(np.array(values, dtype=float), (series, windows)).ravel(), 2
        )
        for model, values in errors.items()
    }
    return recipes.stack(keys, columns, history, run)


def test_greedy_finds_the_weights_that_cancel() -> None:
    """One model forecasts -1, the other 3; only weights 3/4 and 1/4 give 0."""
    actual = np.zeros((1, 1, 4))
    forecasts = np.stack([np.full((1, 1, 4), -1.0), np.full((1, 1, 4), 3.0)])
    weights = ensemble.greedy(forecasts, actual, Objective("mae", np.ones((1, 1))), 25)
    assert weights.tolist() == [0.75, 0.25]
    assert ensemble.greedy(forecasts, actual, Objective("mae", np.ones((1, 1))), 1).tolist() == [
        1.0,
        0.0,
    ]


def test_per_series_is_scored_without_the_windows_that_chose() -> None:
    run = settings()
    # good at s0 but for its last window; good at s1
    stack = stacked({"A": [[1, 1, 9], [5, 5, 5]], "B": [[2, 2, 2], [1, 1, 1]]}, run)
    made = selection.combine(stack, run)
    frame = made.results["per_series"].drop_duplicates(["unique_id", "cutoff"])
    chosen = frame.set_index(["unique_id", "cutoff"])["chosen"]
    # Without its last window A's mean error at s0 is 1 < 2; with it 11/3 > 2.
    assert chosen["s0"].tolist() == ["B", "B", "A"]
    assert chosen["s1"].tolist() == ["B", "B", "B"]
    assert frame.set_index(["unique_id", "cutoff"])["per_series"]["s0"].tolist() == [2, 2, 9]
    assert made.record["per_series"] == {"overall": "B", "per_series": True}


def test_two_windows_are_too_few_for_a_choice_per_series() -> None:
    run = settings(2)
    stack = stacked({"A": [[1, 1], [8, 8]], "B": [[2, 2], [1, 1]]}, run)
    made = selection.combine(stack, run)
    assert set(made.results["per_series"]["chosen"]) == {"B"}


def test_ensemble_is_scored_with_weights_of_the_other_windows() -> None:
    run = settings(ensemble="greedy")
    stack = stacked({"A": [[1, 1, -8]], "B": [[3, 3, -8]], "C": [[-1, -1, 9]]}, run, series=1)
    made = selection.combine(stack, run)
    last = made.record["weights_by_window"][2]
    assert last == {"A": 0.5, "C": 0.5}  # exact on the first two windows
    assert made.results["ensemble"]["ensemble"].tolist()[-1] == pytest.approx(0.5)
    assert sum(made.record["weights"].values()) == pytest.approx(1, abs=1e-5)
    changed = stacked({"A": [[1, 1, 70]], "B": [[3, 3, 0]], "C": [[-1, -1, -90]]}, run, series=1)
    again = selection.combine(changed, run)
    assert again.record["weights_by_window"][2] == last  # the scored window was not used


def test_members_are_neither_weak_nor_much_worse_than_seasonal_naive() -> None:
    def members(windows: int = 1, **errors: float) -> list[bool]:
        by_window = np.array(list(errors.values())).reshape(-1, 1, 1).repeat(windows, axis=2)
        return ensemble.good_members(list(errors), by_window).tolist()

    assert members(A=1, B=2, C=2.1, SeasonalNaive=1.5) == [True, False, False, False]
    assert members(A=1, B=2, C=2.1, SeasonalNaive=9) == [True, True, False, False]
    assert members(A=1.2, B=1.3, C=2.1, SeasonalNaive=1) == [True, False, False, True]
    assert members(A=1, B=0, C=2.1, SeasonalNaive=0) == [False, True, False, True]
    assert members(A=float("nan"), B=2) == [False, True]
    # The reference is luckier in a single window than in several.
    assert members(A=1, B=1.2, C=1.3, SeasonalNaive=1.01) == [True, True, False, False]
    assert members(3, A=1, B=1.08, C=1.1, SeasonalNaive=1.01) == [True, True, False, False]


def test_a_window_in_which_all_but_one_are_just_worse_than_naive_keeps_them() -> None:
    """One model was the whole ensemble there, 11 % worse in the next window than the mean."""
    run = settings(n_windows=1)
    generator = np.random.default_rng(1)
    values = {"A": 2.08, "B": 2.12, "C": 2.15, "SeasonalNaive": 2.1}
    forecasts = {
        model: value + 0.01 * generator.standard_normal((120, 1)) for model, value in values.items()
    }
    made = selection.combine(stacked(forecasts, run, series=120), run)
    assert made.record["members"] == ["A", "B", "C"]
    assert min(made.record["weights"].get(model, 0.0) for model in "ABC") > 0.2


def test_blend_of_three_parts_forecasts_as_it_is_scored() -> None:
    run = settings(ensemble="blend")
    forecasts = {"A": -1.0, "B": 3.0, "C": 2.0, "D": 1.5, "SeasonalNaive": 9.0}
    stack = stacked({model: np.full((2, 3), value) for model, value in forecasts.items()}, run)
    made = selection.combine(stack, run)
    record = made.record
    # Members are A, C and D: B is three times as far off as A.
    assert record["method"] == "blend"
    assert record["shares"] == {"by_series": 0.5, "greedy": 0.25, "robust": 0.25}
    assert record["members"] == ["A", "C", "D"]
    greedy = sum(forecasts[model] * weight for model, weight in record["weights"].items())
    powers = {
        model: abs(value) ** -3 for model, value in forecasts.items()
    }  # own and overall error
    own = sum(forecasts[model] * power for model, power in powers.items()) / sum(powers.values())
    expected = own / 2 + greedy / 4 + (-1.0 + 2.0 + 1.5) / 3 / 4
    frame = made.results["ensemble"]
    assert frame["ensemble"].to_numpy() == pytest.approx(expected, abs=1e-5)
    keys = pd.DataFrame({"unique_id": ["s0", "new"], "ds": [20, 20]})
    frames = {model: keys.assign(**{model: value}) for model, value in forecasts.items()}
    metrics = pd.DataFrame({"unique_id": ["s0", "s1"], "metric": "mae"})
    metrics = metrics.assign(**{model: abs(value) for model, value in forecasts.items()})
    future = combining.ensemble_forecasts(frames, record, metrics, run)["ensemble"]
    assert future.to_numpy() == pytest.approx(expected, abs=1e-5)
    for method, value in (("trimmed_mean", 2.5 / 3), ("median", 1.5), ("by_series", own)):
        made = selection.combine(stack, run | {"ensemble": method})
        assert made.results["ensemble"]["ensemble"].to_numpy() == pytest.approx(value)
        future = combining.ensemble_forecasts(frames, made.record, metrics, run)["ensemble"]
        assert future.to_numpy() == pytest.approx(value)


def test_where_one_model_is_much_better_the_ensemble_is_near_it() -> None:
    run = settings(4)
    forecasts = {"A": 1.0, "B": 1.9, "C": 1.9, "D": 1.9}
    stack = stacked(
        {model: np.full((3, 4), value) for model, value in forecasts.items()}, run, series=3
    )
    made = selection.combine(stack, run)
    assert made.record["method"] == "adaptive"
    assert made.record["shares"]["greedy"] == pytest.approx(1, abs=1e-3)
    assert made.results["ensemble"]["ensemble"].to_numpy() == pytest.approx(1, abs=1e-3)
    fixed = selection.combine(stack, run | {"ensemble": "blend"})
    assert fixed.results["ensemble"]["ensemble"].min() > 1.3


def test_runs_of_earlier_versions_keep_the_fixed_shares() -> None:
    assert schema.earlier()["ensemble"] == "blend"
    assert settings()["ensemble"] == "adaptive"


def test_equal_parts_keep_the_shares_of_the_blend() -> None:
    run = settings(4)
    made = selection.combine(stacked({"A": np.full((2, 4), 1.0)}, run), run)
    assert made.record["shares"] == pytest.approx(
        {"by_series": 0.5, "greedy": 0.25, "robust": 0.25}
    )


def test_the_shares_do_not_depend_on_a_window_that_is_not_chosen() -> None:
    run, found = settings(3), []
    forecasts = {
        "A": [[1, 2, 3], [2, 1, 4]],
        "B": [[-2, 1, 1], [1, 3, -1]],
        "C": [[3, -2, 2], [2, 2, 1]],
    }
    first = np.array([True, True, False])
    for last in ("as they are", "changed"):
        each = {
            m: np.where(first, v, v if last == "as they are" else 50) for m, v in forecasts.items()
        }
        stack = stacked(each, run)
        found.append(recipes.recipe_of(stack, np.abs(stack.forecasts).mean(axis=3), [0, 1], run))
    assert found[0].shares == found[1].shares
    assert found[0].shares != ensemble.METHODS["blend"]


def test_weights_of_a_series_follow_its_own_errors_and_those_of_all() -> None:
    weights = ensemble.series_weights(np.array([[1.0, 4.0, np.nan], [2.0, 2.0, 1.0]]))
    assert weights.sum(axis=0).tolist() == pytest.approx([1, 1, 1])
    assert weights[0, 0] > 0.5 > weights[0, 1]
    assert weights[0, 2] == 0
    assert ensemble.series_weights(np.full((2, 1), np.nan))[:, 0].tolist() == [0.5, 0.5]
    assert ensemble.series_weights(np.zeros((2, 1)))[:, 0].tolist() == [0.5, 0.5]


def test_trimmed_mean_leaves_out_a_quarter_on_each_side() -> None:
    forecasts = np.array([[-50.0], [1.0], [2.0], [3.0], [90.0]])
    assert ensemble.trimmed_mean(forecasts).tolist() == [2.0]
    assert ensemble.trimmed_mean(forecasts[:3]).tolist() == [-47 / 3]


def test_one_window_finds_members_for_each_half_of_the_series_on_the_other() -> None:
    run = settings(1)
    stack = stacked({"A": [[1], [1]], "B": [[9], [1]]}, run)
    made = selection.combine(stack, run)
    # Both are good at s1; B is bad at s0.
    assert made.results["ensemble"]["ensemble"].tolist() == [5, 5, 1, 1]


def test_one_window_gives_equal_weights_and_a_note() -> None:
    run = settings(1)
    made = selection.combine(stacked({"A": [[1], [1]], "B": [[2], [0.5]]}, run), run)
    assert made.record["weights"] == {"A": 0.5, "B": 0.5}
    assert "one window" in made.record["note"]
    assert made.results["ensemble"]["ensemble"].tolist() == [1.5, 1.5, 0.75, 0.75]
    assert made.results["per_series"].empty


def test_one_window_of_many_series_weights_each_half_by_the_other() -> None:
    """A forecasts 1 and B -1 in one half of the series; A 2 and B -1 in the other."""
    run = settings(1, ensemble="greedy")
    half = recipes.MANY_SERIES // 2
    forecasts = {"A": [[1], [2]] * half, "B": [[-1], [-1]] * half}
    made = selection.combine(stacked(forecasts, run, series=2 * half), run)
    mixed = made.results["ensemble"]["ensemble"].to_numpy()[::2]
    assert mixed[0::2] == pytest.approx(1 / 3 - 2 / 3, abs=0.03)  # weights 1/3 and 2/3
    assert mixed[1::2] == pytest.approx(2 / 2 - 1 / 2)  # weights 1/2 and 1/2
    assert made.record["shares"] == {"by_series": 0.0, "greedy": 1.0, "robust": 0.0}


def test_one_window_of_many_series_is_blended_from_mean_median_and_shrunk_weights() -> None:
    """C is three times off, but no member is left out; A and B cancel where both are weighted."""
    run, series = settings(1), recipes.MANY_SERIES
    forecasts = {"A": np.full((series, 1), 1.0), "B": np.full((series, 1), -1.0)}
    forecasts["C"] = np.full((series, 1), 1.5)
    made = selection.combine(stacked(forecasts, run, series=series), run)
    record = made.record
    assert record["robust"] == "median"
    assert record["shares"]["by_series"] == 0
    assert record["shares"]["greedy"] + record["shares"]["robust"] == pytest.approx(1)
    # The mean is 0.5, the median 1; weights near B make 0.
    assert np.abs(made.results["ensemble"]["ensemble"]).max() < 0.5
    keys = pd.DataFrame({"unique_id": ["s0", "new"], "ds": [20, 20]})
    frames = {model: keys.assign(**{model: value[0, 0]}) for model, value in forecasts.items()}
    future = combining.ensemble_forecasts(frames, record, pd.DataFrame(), run)["ensemble"]
    assert future.to_numpy() == pytest.approx(made.results["ensemble"]["ensemble"][0], abs=1e-4)


def test_missing_models_are_left_out_of_the_ensemble() -> None:
    keys = pd.DataFrame({"unique_id": ["a", "b", "new"], "ds": [1, 1, 1]})
    frames = {"A": keys.assign(A=[1.0, 1.0, 1.0]), "B": keys.assign(B=[5.0, 5.0, 5.0])}
    table = pd.DataFrame(
        {
            "unique_id": ["a", "b"] * 2,
            "metric": ["mae", "mae", "mse", "mse"],
            "A": [1.0, 4.0, 9.0, 0.0],
            "B": [2.0, 3.0, 0.0, 9.0],
            "per_series": 0.0,
        }
    )
    record = {"per_series": {"overall": "B", "per_series": True}}
    chosen, overall = combining.chosen_models(table, record, ["A", "B"], settings())
    best = combining.per_series_forecasts(frames, chosen, overall)
    assert best["chosen"].tolist() == ["A", "B", "B"]
    assert best["per_series"].tolist() == [1.0, 5.0, 5.0]
    mixed = combining.ensemble_forecasts(
        frames, {"weights": {"A": 0.25, "B": 0.25, "Lost": 0.5}}, table, settings()
    )
    assert mixed["ensemble"].tolist() == [3.0, 3.0, 3.0]


def test_large_data_are_weighted_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    actual = random.normal(size=(400, 2, 3))
    forecasts = actual + random.normal(size=(3, 400, 2, 3)) * np.array([1, 1.2, 5]).reshape(
        3, 1, 1, 1
    )
    whole = ensemble.greedy(forecasts, actual, Objective("mae", np.ones((400, 2))), 25)
    monkeypatch.setattr(ensemble, "MOST_VALUES", 600)
    some = ensemble.greedy(forecasts, actual, Objective("mae", np.ones((400, 2))), 25)
    assert whole == pytest.approx(some, abs=0.25)
    assert (
        some.tolist()
        == ensemble.greedy(forecasts, actual, Objective("mae", np.ones((400, 2))), 25).tolist()
    )


def test_score_all_adds_both_to_metrics_with_intervals(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    run = settings(levels=[80], metrics=["mae", "mase"])
    history = pd.DataFrame(
        {
            "unique_id": np.repeat(["a", "b"], 20),
            "ds": np.tile(np.arange(20), 2),
            "y": random.normal(size=40),
        }
    )
    cv = history[history["ds"] >= 14].reset_index(drop=True)
    cv.insert(2, "cutoff", 13 + (cv["ds"] - 14) // 2 * 2)
    paths = {}
    for model in ("A", "B"):
        paths[model] = str(tmp_path / f"{model}.csv")
        cv.assign(**{model: cv["y"] + random.normal(size=len(cv))}).to_csv(
            paths[model], index=False
        )
    scored = score_all(paths, history, run)
    assert list(scored.metrics.columns) == [
        "unique_id",
        "metric",
        "A",
        "B",
        "per_series",
        "ensemble",
    ]
    assert (
        scored.metrics.loc[scored.metrics["metric"] == "coverage_level80", "per_series"]
        .notna()
        .all()
    )
    assert {"per_series-lo-80", "chosen"} <= set(scored.results["per_series"].columns)
    assert scored.states["ensemble"].status == "ok"
    nothing = score_all({}, history, run)
    assert nothing.metrics.empty


def test_models_that_cannot_forecast_are_scored_but_not_combined(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    steps = np.tile(np.arange(20), 2)
    history = pd.DataFrame(
        {"unique_id": np.repeat(["a", "b"], 20), "ds": steps, "y": random.normal(size=40)}
    )
    cv = history[history["ds"] >= 14].reset_index(drop=True)
    cv.insert(2, "cutoff", 13 + (cv["ds"] - 14) // 2 * 2)
    paths = {}
    for model, error in (("A", 0.01), ("B", 1.0), ("C", 2.0)):
        paths[model] = str(tmp_path / f"{model}.csv")
        cv.assign(**{model: cv["y"] + error}).to_csv(paths[model], index=False)
    scored = score_all(paths, history, settings(), ["B", "C"])  # A, the best, cannot forecast
    assert {"A", "B", "C", "ensemble"} <= set(scored.metrics.columns)
    mean = scored.metrics.groupby("metric")[["A", "B", "ensemble"]].mean().loc["mae"]
    assert mean["A"] == pytest.approx(0.01)
    assert mean["ensemble"] >= mean["B"] - 1e-9
    assert "A" not in scored.record["weights"]
    assert "A" not in scored.record["members"]
    assert "A" not in (scored.record["weights_by_series"] or {})
    nothing = score_all(paths, history, settings(), [])
    assert list(nothing.metrics.columns) == ["unique_id", "metric", "A", "B", "C"]
    assert nothing.record == {}
