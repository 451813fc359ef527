"""Weights of steps and series: errors, means, choices and weights of models, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.evaluation import (
    combining,
    comparable,
    ensemble,
    losses,
    metrics,
    recipes,
    selection,
    stacking,
)
from forerun.evaluation.arrays import mean
from forerun.evaluation.measures import Measures
from forerun.evaluation.objective import Objective
from forerun.evaluation.scoring import score_all
from forerun.runs.outcome import ModelStatus
from forerun.runs.reader import RunReader

STEPS = np.array([3.0, 1.0])


def settings(**asked: Any) -> dict[str, Any]:
    given = {"models": [], "horizon": 2, "n_windows": 2, "season_length": 1, "freq": 1}
    return resolve({**given, "metrics": ["mae", "wape", "rmse"], **asked})


def weights(**by_series: float) -> Measures:
    return Measures(series=pd.Series(by_series))


def results(forecasts: dict[str, list[float]]) -> pd.DataFrame:
    """Return forecasts of two series of zeros, with two windows of two steps each."""
    keys = [(f"s{s}", 10 + 2 * w + i, 9 + 2 * w, 0.0) for s in "ab" for w in (0, 1) for i in (0, 1)]
    frame = pd.DataFrame(keys, columns=["unique_id", "ds", "cutoff", "y"])
    return frame.assign(**forecasts)


HISTORY = pd.DataFrame({"unique_id": ["sa", "sb"], "ds": 0, "y": 1.0})


def test_weighted_means_ignore_missing_values() -> None:
    values = np.array([[1.0, 5.0], [np.nan, 4.0], [np.nan, np.nan]])
    found = mean(values, -1, STEPS)
    assert found[:2].tolist() == [2.0, 4.0]  # (3 x 1 + 5) / 4; the second value alone
    assert np.isnan(found[2])
    assert mean(values, 0, np.array([0.0, 1.0, 1.0]))[1] == 4.0


@pytest.mark.parametrize(
    ("metric", "error"),
    [
        ("mae", (3 * 2 + 4) / 4),
        ("rmse", ((3 * 4 + 16) / 4) ** 0.5),
        ("wape", (3 * 2 + 4) / (3 * 10 + 20)),
        ("bias", (3 * 2 - 4) / 4),
    ],
)
def test_steps_are_weighted_in_the_errors_of_a_window(metric: str, error: float) -> None:
    forecast, actual = np.array([[[12.0, 16.0]]]), np.array([[[10.0, 20.0]]])
    found = losses.errors(forecast, actual, metric, steps=STEPS)
    assert found[0, 0] == pytest.approx(error)


def test_interval_losses_are_weighted_but_not_coverage_and_width() -> None:
    actual = np.array([[[10.0, 20.0]], [[30.0, 40.0]]])
    lower, upper = {80.0: actual - 1}, {80.0: actual + np.array([1.0, 3.0])}
    found = losses.interval_errors(actual, lower, upper, STEPS, np.array([1.0, 3.0]))
    assert found["width_level80"][0, 0] == 3.0
    assert found["winkler_level80"][0, 0] == (3 * 2 + 4) / 4
    # Pinball losses of both quantiles (0.1 of each distance): 0.1 and 0.1, 0.1 and 0.3.
    assert found["mqloss"][0, 0] == pytest.approx((0.1 + (3 * 0.1 + 0.3) / 4) / 2)
    whole = (1 * (30 + 20) + 3 * (90 + 40)) / (4 * 4)
    ratio = mean(found["wql"][:, 0], 0, np.array([1.0, 3.0]))
    assert ratio == pytest.approx(2 * found["mqloss"][0, 0] / whole)


def test_leaderboard_and_winner_follow_the_weights_of_series(tmp_path: Path) -> None:
    """A is best for sa, B for sb; which is best overall depends on their weights."""
    forecasts = {"A": [1.0] * 4 + [6.0] * 4, "B": [5.0] * 4 + [1.0] * 4}
    paths = {}
    for name, values in forecasts.items():
        paths[name] = str(tmp_path / f"{name}.csv")
        results({name: values}).to_csv(paths[name], index=False)
    for given, overall, error in ((weights(sa=3, sb=1), "A", 2.25), (weights(sa=1, sb=3), "B", 2)):
        scored = score_all(paths, HISTORY, settings(), measures=given)
        assert scored.record["per_series"]["overall"] == overall
        states = {name: ModelStatus(status="ok") for name in forecasts}
        board = metrics.leaderboard(scored.metrics, states, settings(), given)
        assert board["model"].tolist()[0] == overall
        assert board["mae"].tolist()[0] == error
        assert metrics.means(scored.metrics, overall, given)["mae"] == error
        record = {"per_series": {"overall": "gone"}}
        chosen, found = combining.chosen_models(
            scored.metrics, record, ["A", "B"], settings(), given
        )
        assert (found, chosen["sa"]) == (overall, overall)


def test_steps_decide_the_winner_and_the_greedy_weights() -> None:
    forecasts = {"A": [1.0, 9.0] * 4, "B": [5.0, 1.0] * 4}
    frame = results(forecasts)
    for steps, overall in (([1, 1], "B"), ([3, 1], "A"), ([0, 1], "B")):
        run = settings(horizon_weight=steps)
        stacked = recipes.stack(frame, forecasts, HISTORY, run)
        made = selection.combine(stacked, run)
        assert made.record["per_series"]["overall"] == overall
    actual = np.zeros((1, 1, 2))
    forecasts = np.array([[[[1.0, 9.0]]], [[[-3.0, 9.0]]]])
    first = Objective("mae", np.ones((1, 1)), np.array([1.0, 0.0]))
    assert ensemble.greedy(forecasts, actual, first, 25).tolist() == [0.75, 0.25]


def test_weights_of_members_follow_the_weights_of_series() -> None:
    by_window = np.array([[[1.0], [9.0]], [[5.0], [1.0]]])
    first = np.array([1.0, 0.0])
    assert ensemble.good_members(["A", "B"], by_window).tolist() == [True, True]
    assert ensemble.good_members(["A", "B"], by_window, first).tolist() == [True, False]
    error = by_window[:, :, 0]
    equal, own = ensemble.series_weights(error), ensemble.series_weights(error, first)
    assert own[0, 1] > equal[0, 1]  # A is better where it counts


def test_regression_weights_and_shares_follow_the_weights_of_series() -> None:
    random = np.random.default_rng(1)
    actual = random.normal(size=(200, 1, 4))
    near, far = actual + 0.1 * random.normal(size=actual.shape), actual + 3
    half = np.arange(200)[:, None, None] < 100
    forecasts = np.stack([np.where(half, near, far), np.where(half, far, near)])
    objective = Objective("mae", np.ones((200, 1)), None, np.where(half[:, 0, 0], 1.0, 0.0))
    found = stacking.shrunk_weights(forecasts, actual, objective)
    assert found[0] > 0.7 > 0.3 > found[1]
    assert stacking.shares_by_error(list(forecasts), actual, objective)[0] > 0.99


def test_weights_of_a_run_are_in_its_data(tmp_path: Path) -> None:
    data = tmp_path / "data.parquet"
    frame = pd.DataFrame({"unique_id": ["a", "a", "b"], "ds": [1, 2, 1], "y": 1.0})
    frame.assign(series_weight=[2.0, 2.0, 0.5]).to_parquet(data)
    run = settings(weights_file="weights.csv", horizon_weight=[1, 2])
    found = Measures.of(run, tmp_path)
    assert found.series is not None
    assert found.series.to_dict() == {"a": 2.0, "b": 0.5}
    assert found.steps is not None
    assert found.steps.tolist() == [1.0, 2.0]
    assert Measures.of(settings(), tmp_path) == Measures()
    for damaged in (frame, frame.assign(series_weight=-1.0), frame.assign(series_weight="x")):
        damaged.to_parquet(data)
        with pytest.raises(Damaged, match=r"series_weight|weights of series"):
            Measures.of(run, tmp_path)
    with pytest.raises(Damaged, match="no valid weights"):
        Measures.of_steps(run | {"horizon_weight": [0.0, -1.0]})


def weighted_run(
    folder: Path, series: dict[str, float] | None = None, steps: list[float] | None = None
) -> RunReader:
    """Return a run with the series a and b and weights of these and of the steps."""
    run = RunReader(folder)
    run.folder.mkdir()
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": 1.0})
    if series:
        frame["series_weight"] = frame["unique_id"].map(series).fillna(9.0)
    frame.to_parquet(run.paths.data)
    run.config = settings(weights_file="weights.csv" if series else None, horizon_weight=steps)
    run.metrics = pd.DataFrame({"unique_id": list(series or "ab")})
    return run


def test_runs_with_other_weights_are_not_ranked(tmp_path: Path) -> None:
    even = weighted_run(tmp_path / "even", {"a": 1.0, "b": 1.0})
    other = weighted_run(tmp_path / "other", {"a": 1.0, "b": 2.0})
    none = weighted_run(tmp_path / "none")
    steep = weighted_run(tmp_path / "steep", steps=[2, 1])
    for differing in ([even, other], [other, none], [none, other], [none, even, other]):
        assert comparable.reasons(differing) == [
            "the weights of their series differ (weights_file)"
        ]
    assert comparable.reasons([steep, none]) == ["horizon_weight differs ([2, 1], [])"]
    assert comparable.reasons([even, even]) == []


def test_runs_whose_weights_differ_by_a_factor_are_ranked(tmp_path: Path) -> None:
    one = weighted_run(tmp_path / "one", {"a": 1.0, "b": 2.0}, [2, 1])
    scaled = weighted_run(tmp_path / "scaled", {"a": 0.3, "b": 0.6}, [0.2, 0.1])
    assert comparable.reasons([one, scaled]) == []
    even = weighted_run(tmp_path / "even", {"a": 7.0, "b": 7.0}, [3, 3])
    none = weighted_run(tmp_path / "none")
    assert comparable.reasons([even, none]) == comparable.reasons([none, even]) == []
    alone = weighted_run(tmp_path / "alone", {"b": 5.0}, [4, 2])  # one series in common
    assert comparable.reasons([one, alone]) == []


def test_horizon_weight_keeps_its_order_and_fits_the_horizon() -> None:
    assert settings(horizon_weight="2,1")["horizon_weight"] == [2, 1]
    for given, message in (
        ([1], "horizon_weight has 1 values; it must have 2 (horizon)"),
        ([0, 0], "horizon_weight is 0 for all steps"),
        ([1, 1e-320], "horizon_weight has 9.99989e-321; it must be 0 or in 1e-100 to 1e+100"),
        ([1, -1], "it must be a number of at least 0"),
        (["x", 1], "horizon_weight"),
    ):
        with pytest.raises(UserError, match="horizon_weight") as error:
            settings(horizon_weight=given)
        assert message in str(error.value)
