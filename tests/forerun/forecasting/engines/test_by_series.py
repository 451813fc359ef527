"""Statistical models divide their series among processes: equal results, progress by series."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lazily import lazily

from forerun.config.models import specs
from forerun.config.settings import dump, resolve
from forerun.forecasting.engines.base import Data
from forerun.runs.paths import RunPaths

training = lazily("forerun.forecasting.training")
statistical = lazily("forerun.forecasting.engines.statistical")
pytestmark = pytest.mark.filterwarnings("ignore")

SERIES = 7


def table() -> pd.DataFrame:
    random = np.random.default_rng(1)
    times = pd.date_range("2020-01-01", periods=40, freq="MS")
    season = 5 * np.sin(np.arange(40) * np.pi / 2)
    parts = [
        pd.DataFrame(
            {"unique_id": f"s{n}", "ds": times, "y": 50 + n + season + random.normal(size=40)}
        )
        for n in range(SERIES)
    ]
    return pd.concat(parts, ignore_index=True)


def given(model: str, threads: int) -> tuple[Any, dict[str, Any], Data]:
    asked = {"horizon": 3, "models": [], "baselines": [model], "levels": [80], "threads": threads}
    asked["statistical_intervals"] = "own"
    settings = resolve(asked) | {"freq": "MS", "season_length": 4}
    return next(iter(specs(settings))), settings, Data(table())


@pytest.mark.parametrize(
    "model",
    [
        "SeasonalNaive",
        "Theta",
        *(pytest.param(n, marks=pytest.mark.long) for n in ("AutoETS", "AutoMFLES")),
    ],
)
def test_series_may_be_divided_in_any_way(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for chunk, threads in ((1e9, 1), (0.0, 1), (0.0, 3)):
        monkeypatch.setattr("forerun.forecasting.engines.statistical.CHUNK", chunk)
        spec, settings, data = given(model, threads)
        fitted = statistical.fit(spec, settings, data, lambda *_: None)
        tested = statistical.cross_validate(spec, settings, data, 2, lambda *_: None)
        found.append((fitted.forecasts, tested))
    for forecasts, tested in found[1:]:
        pd.testing.assert_frame_equal(forecasts, found[0][0], check_exact=True)
        pd.testing.assert_frame_equal(tested, found[0][1], check_exact=True)


def test_quantiles_are_computed_once_with_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    from statsforecast import StatsForecast, distributions
    from statsforecast.models import SeasonalNaive

    made: list[Any] = []
    original = distributions.frozen_error_distribution
    counting = lambda *given: made.append(given) or original(*given)  # noqa: E731
    monkeypatch.setattr(distributions, "frozen_error_distribution", counting)
    plain = StatsForecast([SeasonalNaive(4)], freq="MS").cross_validation(
        h=3, df=table(), n_windows=2, step_size=3, level=[80], refit=True
    )
    assert len(made) == 2 * SERIES
    made.clear()
    spec, settings, data = given("SeasonalNaive", 1)
    found = statistical.cross_validate(spec, settings, data, 2, lambda *_: None)
    assert len(made) <= 1
    for column in ("SeasonalNaive", "SeasonalNaive-lo-80", "SeasonalNaive-hi-80"):
        assert found[column].tolist() == plain[column].tolist()


def test_progress_counts_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forerun.forecasting.engines.statistical.CHUNK", 0.0)
    spec, settings, data = given("SeasonalNaive", 2)
    steps: list[tuple[int, int]] = []
    statistical.fit(spec, settings, data, lambda step, steps_, _: steps.append((step, steps_)))
    assert steps[0] == (0, SERIES)
    assert steps[-1] == (SERIES, SERIES)
    assert [step for step, _ in steps] == sorted({step for step, _ in steps})
    assert len(steps) > 4


def observe_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each process that fits SeasonalNaive write a file with its id."""
    forecast = statistical.model_classes.SeasonalNaive.forecast

    def observed(self: Any, **options: Any) -> Any:
        (folder / str(os.getpid())).touch()
        return forecast(self, **options)

    monkeypatch.setattr(statistical.model_classes.SeasonalNaive, "forecast", observed)


@pytest.mark.parametrize("frozen", [1, 4])
@pytest.mark.parametrize("fold", [None, 0])
def test_a_fit_uses_the_threads_of_its_job_not_those_of_its_run(
    frozen: int, fold: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile or --set-threads gives a job other threads: they are its CPUs on a cluster."""
    monkeypatch.setattr("forerun.forecasting.engines.statistical.CHUNK", 0.0)
    _, settings, data = given("SeasonalNaive", frozen)
    for threads, least, most in ((1, 0, 0), (2, 1, 2)):
        run, seen = (RunPaths(tmp_path / f"{name} {threads}") for name in ("run", "seen"))
        for each in (run, seen):
            each.folder.mkdir()
        data.history.to_parquet(run.data, index=False)
        run.config.write_text(dump(settings), encoding="utf-8")
        with monkeypatch.context() as patch:
            observe_processes(seen.folder, patch)
            training.train(
                str(run.folder), "SeasonalNaive", fold, lambda *_, **__: None, threads=threads
            )
        others = {path.name for path in seen.folder.iterdir()} - {str(os.getpid())}
        assert least <= len(others) <= most


def test_long_fits_use_several_processes_and_short_ones_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe_processes(tmp_path, monkeypatch)

    def processes(chunk: float, threads: int) -> set[str]:
        monkeypatch.setattr("forerun.forecasting.engines.statistical.CHUNK", chunk)
        spec, settings, data = given("SeasonalNaive", threads)
        fitted = statistical.fit(spec, settings, data, lambda *_: None)
        assert len(fitted.forecasts) == 3 * SERIES
        found = {path.name for path in tmp_path.iterdir()}
        for name in found:
            (tmp_path / name).unlink()
        return found - {str(os.getpid())}

    assert processes(1e9, 4) == set()
    assert processes(0.0, 1) == set()
    assert 1 <= len(processes(0.0, 2)) <= 2


def test_a_series_that_fails_gets_the_naive_forecast_in_any_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("forerun.forecasting.engines.statistical.CHUNK", 0.0)
    whole = statistical.model_classes.SeasonalNaive.forecast

    def fragile(self: Any, y: np.ndarray, **options: Any) -> Any:
        if 55.5 < y.mean() < 56.5:  # the last series
            raise ValueError("no season")
        return whole(self, y=y, **options)

    monkeypatch.setattr(statistical.model_classes.SeasonalNaive, "forecast", fragile)
    spec, settings, data = given("SeasonalNaive", 2)
    forecasts = statistical.fit(spec, settings, data, lambda *_: None).forecasts
    last = data.history["y"].iloc[-1]
    assert (forecasts.loc[forecasts["unique_id"] == "s6", "SeasonalNaive"] == last).all()
    assert list(data.kept["fallback"]["unique_id"]) == ["s6"]


def test_a_model_that_fails_for_the_first_series_but_not_for_the_longest_is_not_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = statistical.model_classes.SeasonalNaive.forecast

    def demanding(self: Any, y: np.ndarray, **options: Any) -> Any:
        if len(y) < 40:
            raise ValueError("tiny datasets")
        return whole(self, y=y, **options)

    monkeypatch.setattr(statistical.model_classes.SeasonalNaive, "forecast", demanding)
    spec, settings, data = given("SeasonalNaive", 1)
    short = ["s0", "s1", "s2", "s3"]
    history = data.history
    history = history[~history["unique_id"].isin(short) | (history["ds"] >= "2022-01-01")]
    data.history = history.reset_index(drop=True)
    forecasts = statistical.fit(spec, settings, data, lambda *_: None).forecasts
    assert len(forecasts) == 3 * SERIES
    assert list(data.kept["fallback"]["unique_id"]) == short
