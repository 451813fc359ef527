"""Errors of back-tests, compared with utilsforecast and with numbers computed by hand."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import utilsforecast.losses as reference
from synthetic import metrics_table
from utilsforecast.evaluation import evaluate

from forerun.base.errors import UserError
from forerun.config import schema
from forerun.config.settings import resolve
from forerun.evaluation import arrays, losses, metrics, scales
from forerun.runs.outcome import Failure, ModelStatus

METRICS = ["mae", "mse", "rmse", "mape", "smape", "mase", "rmsse", "wape", "bias", "rmsle"]


def settings(**asked: Any) -> dict[str, Any]:
    given = {"models": [], "horizon": 3, "n_windows": 3, "season_length": 4, "freq": 1}
    return resolve({**given, **asked})


def back_tests(
    series: int = 4, length: int = 40, step: int = 3, gap: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return history and results of three windows of three steps, with intervals."""
    random = np.random.default_rng(1)
    history = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{n}" for n in range(series)], length),
            "ds": np.tile(np.arange(length), series),
            "y": random.normal(10, 3, series * length).round(2),
        }
    )
    history.loc[history["unique_id"] == "s1", "y"] = 7.0  # constant: nothing to scale by
    history.loc[history.index[-2], "y"] = 0.0  # no percentage of it
    frames = []
    for window in range(3):
        first = length - 3 - step * (2 - window)
        part = history[history["ds"].between(first, first + 2)].assign(cutoff=first - 1 - gap)
        frames.append(part)
    cv = pd.concat(frames).sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    cv["m"] = cv["y"] + random.normal(0, 2, len(cv))
    for level, width in ((80, 1.5), (95, 3.0)):
        cv[f"m-lo-{level}"] = cv["m"] - width
        cv[f"m-hi-{level}"] = cv["m"] + width + 0.1
    return history, cv


@pytest.mark.parametrize(("step", "gap"), [(3, 0), (1, 0), (5, 2)])
def test_scores_are_those_of_utilsforecast(step: int, gap: int) -> None:
    history, cv = back_tests(step=step, gap=gap)
    run = settings(levels=[80, 95], step_size=step, gap=gap, metrics=METRICS)
    scores = metrics.score(cv, "m", history, run).set_index(["unique_id", "metric"])["m"]
    wanted: list[Any] = [getattr(reference, name) for name in METRICS[:5]]
    wanted += [partial(getattr(reference, name), seasonality=4) for name in METRICS[5:7]]
    wanted += [reference.wape, reference.bias]
    wanted += [reference.coverage, reference.mqloss, reference.scaled_crps]
    wanted += [reference.winkler_score]
    expected = evaluate(cv, metrics=wanted, models=["m"], train_df=history, level=[80, 95])
    expected["m"] = expected["m"].astype(float).replace([np.inf, -np.inf], np.nan)
    expected = expected.groupby(["unique_id", "metric"])["m"].mean()
    expected = expected.rename(
        lambda name: name.replace("winkler_score", "winkler"), level="metric"
    )
    own = scores.index.get_level_values(1).str.startswith(("width", "wql", "rmsle"))
    expected = expected.reindex(scores.index[~own])
    pd.testing.assert_series_equal(scores.loc[expected.index], expected, rtol=1e-12)
    assert scores["s1", "mase"] != scores["s1", "mase"]  # NaN
    assert scores["s0", "width_level95"] == pytest.approx(6.1)
    order = [*METRICS, "coverage_level80", "coverage_level95", "width_level80", "width_level95"]
    order += ["winkler_level80", "winkler_level95", "mqloss", "scaled_crps", "wql"]
    assert list(scores.loc["s2"].index) == order
    losses_of_all = scores.xs("mqloss", level=1).mean()
    wql = scores.xs("wql", level=1).mean()
    assert wql == pytest.approx(2 * losses_of_all / cv["y"].abs().mean())


def test_metrics_by_hand() -> None:
    history = pd.DataFrame({"unique_id": "a", "ds": range(5), "y": [1.0, 3.0, 2.0, 4.0, 10.0]})
    cv = pd.DataFrame(
        {"unique_id": "a", "ds": [3, 4], "cutoff": [2, 2], "y": [4.0, 10.0], "m": [5.0, 7.0]}
    )
    run = settings(horizon=2, n_windows=1, season_length=1, metrics=METRICS)
    scores = metrics.score(cv, "m", history, run).set_index("metric")["m"]
    assert scores["mae"] == 2.0  # (1 + 3) / 2
    assert scores["mse"] == 5.0  # (1 + 9) / 2
    assert scores["mase"] == pytest.approx(2.0 / 1.5)  # in sample: (2 + 1) / 2
    assert scores["rmsse"] == pytest.approx(np.sqrt(5.0 / 2.5))  # (4 + 1) / 2
    assert scores["mape"] == pytest.approx((1 / 4 + 3 / 10) / 2)
    assert scores["smape"] == pytest.approx((1 / 9 + 3 / 17) / 2)
    assert scores["wape"] == pytest.approx(4 / 14)  # (1 + 3) / (4 + 10)
    assert scores["bias"] == -1.0  # (1 - 3) / 2
    assert scores["rmsle"] == pytest.approx(np.sqrt((np.log(6 / 5) ** 2 + np.log(8 / 11) ** 2) / 2))


def test_metrics_without_logarithm_or_scale() -> None:
    history = pd.DataFrame({"unique_id": "a", "ds": range(5), "y": [1.0, 3.0, 2.0, 0.0, 0.0]})
    cv = pd.DataFrame(
        {"unique_id": "a", "ds": [3, 4], "cutoff": [2, 2], "y": [0.0, 0.0], "m": [-2.0, 1.0]}
    )
    run = settings(horizon=2, n_windows=1, season_length=1, metrics=["mae", "wape", "rmsle"])
    scores = metrics.score(cv, "m", history, run).set_index("metric")["m"]
    assert np.isnan(scores["wape"])
    assert scores["rmsle"] == pytest.approx(np.log(2))  # of the step whose forecast has one


def test_an_unknown_metric_is_refused() -> None:
    values = np.ones((1, 1, 3))
    with pytest.raises(UserError, match=r"there is no metric 'rmsl' .did you mean 'rms"):
        losses.errors(values, values, "rmsl")
    history, cv = back_tests()
    with pytest.raises(UserError, match="there is no metric 'medae'"):
        metrics.score(cv, "m", history, settings() | {"metrics": ["mae", "medae"]})
    with pytest.raises(UserError, match="there is no metric 'crps'"):
        losses.scales(arrays.WindowIndex.of(cv), history, settings(), "crps")


def test_the_schema_lists_all_metrics() -> None:
    rules = schema.properties()
    assert rules["metrics"]["items"]["enum"] == list(losses.METRICS)
    ordering = [name for name, metric in losses.METRICS.items() if not metric.signed]
    assert rules["sort_metric"]["enum"] == ordering


def test_adding_a_metric_as_in_contributing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(losses.METRICS, "mce", losses.Metric(lambda f, a: np.abs(f - a) ** 3))
    for enum in (schema.properties()[key] for key in ("metrics", "sort_metric")):
        rule = enum.get("items", enum)
        monkeypatch.setitem(rule, "enum", [*rule["enum"], "mce"])
    schema._validator.cache_clear()
    try:
        run = settings(metrics=["mae", "mce"], sort_metric="mce", horizon=2, n_windows=1)
    finally:
        schema._validator.cache_clear()
    history = pd.DataFrame({"unique_id": "a", "ds": range(5), "y": [1.0, 3.0, 2.0, 4.0, 10.0]})
    cv = pd.DataFrame(
        {"unique_id": "a", "ds": [3, 4], "cutoff": [2, 2], "y": [4.0, 10.0], "m": [5.0, 7.0]}
    )
    scores = metrics.score(cv, "m", history, run)
    assert scores.set_index("metric")["m"].to_dict() == {"mae": 2.0, "mce": 14.0}  # (1 + 27) / 2
    board = metrics.leaderboard(scores, {"m": ModelStatus(status="ok")}, run)
    assert board.loc[0, "mce"] == 14.0


def test_leaderboard_ranks_with_failed_models_last(tmp_path: Path) -> None:
    history, cv = back_tests()
    paths = {}
    for model, error in (("NHITS", 1.0), ("SeasonalNaive", 2.0)):
        paths[model] = str(tmp_path / f"cv_results_{model}.csv")
        cv[["unique_id", "ds", "cutoff", "y"]].assign(**{model: cv["y"] + error}).to_csv(
            paths[model], index=False
        )
    run = settings(models=["NHITS", "LSTM"], baselines=["SeasonalNaive"])
    table = metrics_table(paths, history, run)
    assert list(table.columns) == ["unique_id", "metric", "NHITS", "SeasonalNaive"]
    ok = ModelStatus(status="ok", train_seconds=1.0, cv_seconds=2.0)
    failed = ModelStatus(status="failed", error=Failure("E", "it broke"))
    states = {"SeasonalNaive": ok, "LSTM": failed, "NHITS": ok}
    board = metrics.leaderboard(table, states, run).set_index("model")
    assert list(board.index) == ["NHITS", "SeasonalNaive", "LSTM"]
    assert board.loc["NHITS", "skill"] == pytest.approx(0.5)
    assert board.loc["LSTM", "reason"] == "it broke"
    assert pd.isna(board.loc["LSTM", "rank"])
    assert board["mae"].tolist()[:2] == pytest.approx([1.0, 2.0])


def test_skill_is_measured_against_the_untransformed_seasonal_naive_forecast() -> None:
    """A better variant of the class is another model; without a plain one there is no skill."""
    table = pd.DataFrame({"unique_id": ["a"], "metric": ["mae"]})
    table = table.assign(Log=1.0, SeasonalNaive=4.0, Weekly=2.0)
    variants = [
        {"name": "Log", "model": "SeasonalNaive", "transform": "log"},
        {"name": "Weekly", "model": "SeasonalNaive", "params": {"season_length": 7}},
    ]
    states = {name: ModelStatus(status="ok") for name in table.columns[2:]}

    def skill(baselines: list[Any]) -> dict[str, float]:
        run = settings(models=[], baselines=baselines, metrics=["mae"])
        kept = {item["name"]: states[item["name"]] for item in run["baselines"]}
        board = metrics.leaderboard(table, kept, run).set_index("model")
        return board["skill"].to_dict()

    every = skill([*variants, "SeasonalNaive"])
    assert every == {"Log": 0.75, "Weekly": 0.5, "SeasonalNaive": 0.0}
    assert skill(variants) == {"Log": 0.5, "Weekly": 0.0}
    assert np.isnan(list(skill(variants[:1]).values())).all()


def test_scales_do_not_depend_on_the_size_of_the_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(1)
    lengths = random.integers(1, 40, 50)
    names = [f"s{number:02d}" for number in range(50)]
    history = pd.DataFrame(
        {"unique_id": np.repeat(names, lengths), "y": random.normal(0, 5, lengths.sum())}
    )
    ids = np.array(["unknown", *names[::-1]], dtype=object)
    whole = scales.naive_scales(history, ids, [0, 3], 7)
    assert np.isnan(whole[0]).all()
    assert not np.isnan(whole[1:]).all()
    monkeypatch.setattr(scales, "ROWS", 30)
    parts = scales.naive_scales(history.astype({"unique_id": "category"}), ids, [0, 3], 7)
    np.testing.assert_allclose(parts, whole, rtol=1e-9)
