"""Comparison of runs with different data on their common forecasts, with known errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import words_of
from synthetic import metrics_table

from forerun.base.files import write_csv, write_json, write_parquet, write_text
from forerun.cli.app import run as forerun
from forerun.config.settings import dump, read_frozen, resolve
from forerun.evaluation.comparison import compare
from forerun.evaluation.metrics import leaderboard
from forerun.report import write_comparison
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths

WEEK_1, WEEK_2 = "2024-11-30", "2024-12-07"


def shops(end: str, shops: int = 7) -> pd.DataFrame:
    """Daily revenue of some shops with a weekly pattern, up to a day."""
    days = pd.date_range("2024-07-01", "2025-02-01")
    frames = []
    for number in range(1, shops + 1):
        week = np.array([0.9, 0.85, 0.9, 1.0, 1.25, 1.5, 0.6])[days.dayofweek]
        noise = np.random.default_rng(number).normal(1, 0.05, len(days))
        y = (500 * number * week * noise).round(2)
        frames.append(pd.DataFrame({"unique_id": f"shop_{number:02}", "ds": days, "y": y}))
    table = pd.concat(frames, ignore_index=True)
    return table[table["ds"] <= end].reset_index(drop=True)


def weekly_run(
    runs: Path,
    name: str,
    end: str,
    error: Callable[[pd.Timestamp, int], float],
    *,
    shops_: int = 7,
    revise: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    predictions: bool = True,
    **settings: object,
) -> Path:
    """Write a run whose NHITS errs by ``error(cutoff, step)``; AutoETS errs by 100 always."""
    asked = {"horizon": 7, "n_windows": 3, "models": ["NHITS"], "baselines": ["AutoETS"]}
    resolved = resolve(asked | {"run_id": name, **settings})
    resolved |= {"freq": "D", "season_length": 7}
    paths = RunPaths.of(runs, name)
    truth = shops("2025-02-01", shops_)
    data = revise(shops(end, shops_))
    write_parquet(paths.data, data)
    horizon, stride = resolved["horizon"], resolved["step_size"] or resolved["horizon"]
    last = pd.Timestamp(end)
    cutoffs = [last - pd.Timedelta(days=horizon + stride * n) for n in range(resolved["n_windows"])]
    states, files = {}, {}
    for model in ("AutoETS", "NHITS"):
        frames = []
        for cutoff in [last, *cutoffs]:
            step = (truth["ds"] - cutoff).dt.days
            part = truth[(step >= 1) & (step <= horizon)].assign(cutoff=cutoff)
            errors = [100.0 if model == "AutoETS" else error(cutoff, s) for s in step[part.index]]
            frames.append(part.assign(**{model: part["y"] + errors}))
        future, *cv = frames
        results = pd.concat(cv).sort_values(["unique_id", "cutoff", "ds"])
        results = results.drop(columns="y").merge(data, on=["unique_id", "ds"])
        write_csv(paths.cv_results(model), results[["unique_id", "ds", "cutoff", "y", model]])
        if predictions:
            write_csv(paths.predictions / f"{model}.csv", future[["unique_id", "ds", model]])
        states[model] = ModelStatus(status="ok", train_seconds=1.0, cv_seconds=1.0)
        files[model] = str(paths.cv_results(model))
    metrics = metrics_table(files, data, resolved)
    write_csv(paths.metrics, metrics)
    write_csv(paths.leaderboard, leaderboard(metrics, states, resolved))
    write_json(paths.provenance, {"data": {"frozen_sha256": f"{end} {len(data)}"}})
    write_text(paths.config, dump(resolved))
    return paths.folder


def test_weekly_runs_are_ranked_on_the_windows_that_both_have(tmp_path: Path) -> None:
    # Errors by cutoff. Shared: after 16 and 23 November (back-tests of both) and after 30 November
    # (a back-test of week2; the forecasts of week1, scored with values in the data of week2).
    first = {"2024-11-09": 90.0, "2024-11-16": 10.0, "2024-11-23": 20.0, "2024-11-30": 60.0}
    second = {"2024-11-16": 12.0, "2024-11-23": 12.0, "2024-11-30": 12.0, "2024-12-07": 900.0}
    folders = [
        weekly_run(tmp_path, "week1", WEEK_1, lambda c, s: first[str(c.date())]),
        weekly_run(tmp_path, "week2", WEEK_2, lambda c, s: second[str(c.date())]),
    ]
    found = compare(folders)
    assert found.reasons == []
    assert found.scores["mae"]["NHITS"] == [pytest.approx(30.0), pytest.approx(12.0)]
    assert found.scores["mse"]["NHITS"] == pytest.approx([4100 / 3, 144])
    assert found.scores["mae"]["AutoETS"] == [pytest.approx(100.0), pytest.approx(100.0)]
    assert found.best("mae", "NHITS") == 1
    assert found.notes == [
        "compared on what all runs forecast: 7 series and 3 windows (after 2024-11-16, 2024-11-23, "
        "2024-11-30)",
        "excluded from week1: windows after 2024-11-09",
        "the forecasts of week1 after 2024-11-30 count as back-tests: later data have the actual "
        "values",
    ]
    assert found.verdicts() == ["week1 and week2, MAE of NHITS: week2 is better"]
    # Seven series of which all are better: 2 / 2**7, twice for two comparisons.
    assert [pair.comparison.p for pair in found.pairs("mae")] == [2 * 2 / 2**7, 1.0]


def test_scaled_errors_of_both_runs_have_one_scale(tmp_path: Path) -> None:
    folders = [
        weekly_run(tmp_path, name, end, lambda c, s: 50.0, predictions=False)
        for name, end in (("week1", WEEK_1), ("week2", WEEK_2))
    ]
    found = compare(folders)
    table = shops(WEEK_2)
    expected = []
    for _, one in table.groupby("unique_id"):
        y = one.set_index("ds")["y"]
        scales = [y[:cutoff].diff(7).abs().mean() for cutoff in ("2024-11-16", "2024-11-23")]
        expected.append(np.mean([50.0 / scale for scale in scales]))
    assert found.scores["mase"]["NHITS"] == [pytest.approx(np.mean(expected))] * 2
    # The run's own metrics have the same scale: it is the one of those two windows.
    own = metrics_table({"NHITS": str(folders[0] / "cv_results_NHITS.csv")}, shops(WEEK_1),
                        read_frozen(folders[0] / "config.yaml"))  # fmt: skip
    part = own[own["metric"] == "mase"]["NHITS"].mean()
    assert part == pytest.approx(np.mean(expected), rel=0.05)


def test_a_long_horizon_without_a_common_cutoff_is_compared_on_whole_cycles(tmp_path: Path) -> None:
    # 28 days ahead, a week apart: cutoffs never meet. The error is the step ahead: where each step
    # occurs equally often its mean is (1 + ... + 28) / 28 = 14.5, whatever the days.
    folders = [
        weekly_run(tmp_path, "week1", WEEK_1, lambda c, s: s, horizon=28, n_windows=2),
        weekly_run(tmp_path, "week2", WEEK_2, lambda c, s: s + 1, horizon=28, n_windows=2),
    ]
    found = compare(folders)
    assert found.scores["mae"]["NHITS"] == [pytest.approx(14.5), pytest.approx(15.5)]
    assert found.best("mae", "NHITS") == 0
    assert "56 time steps (2024-10-13 to 2024-12-07; no cutoff is the same" in found.notes[0]
    assert "excluded from week1: 7 time steps of 2024-10-06 to 2024-10-12" in found.notes


def test_runs_without_a_common_window_are_not_ranked(tmp_path: Path) -> None:
    options = {"horizon": 28, "n_windows": 1, "predictions": False}
    folders = [
        weekly_run(tmp_path, "week1", WEEK_1, lambda c, s: s, **options),
        weekly_run(tmp_path, "week2", WEEK_2, lambda c, s: s, **options),
    ]
    found = compare(folders)
    assert found.best("mae", "NHITS") is None
    assert "no window in common" in found.reasons[0]
    assert "step_size" in found.reasons[0]
    words = words_of(write_comparison(folders, tmp_path / "page.html"))
    assert "Not comparable, so not ranked: their back-tests have no window in common" in words
    assert "week1 is better" not in words + str(found.verdicts())
    assert "not ranked" in words


def test_more_windows_of_the_same_data_are_left_out(tmp_path: Path) -> None:
    def error(cutoff: pd.Timestamp, step: int) -> float:
        return 10.0 if cutoff >= pd.Timestamp("2024-11-16") else 500.0

    folders = [
        weekly_run(tmp_path, "few", WEEK_1, error, n_windows=2),
        weekly_run(tmp_path, "many", WEEK_1, error, n_windows=4),
    ]
    found = compare(folders)
    assert found.scores["mae"]["NHITS"] == [pytest.approx(10.0), pytest.approx(10.0)]
    assert found.notes[1:] == ["excluded from many: windows after 2024-11-02, 2024-11-09"]


def test_other_series_and_revised_values_are_named(tmp_path: Path) -> None:
    def revise(table: pd.DataFrame) -> pd.DataFrame:
        wrong = (table["unique_id"] == "shop_02") & (table["ds"] == "2024-11-20")
        return table.assign(y=table["y"].where(~wrong, table["y"] + 70.0))

    folders = [
        weekly_run(tmp_path, "week1", WEEK_1, lambda c, s: 0.0, revise=revise, predictions=False),
        weekly_run(tmp_path, "week2", WEEK_2, lambda c, s: 0.0, shops_=8, predictions=False),
    ]
    found = compare(folders)
    assert found.scores["mae"]["NHITS"] == [0.0, 0.0]  # with the value that week2 has
    assert "excluded from week2: series shop_08 and windows after 2024-11-30" in found.notes
    assert "1 value was revised between the runs: the values of week2 are used" in found.notes


def test_the_command_and_the_page_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weekly_run(tmp_path / "runs", "week1", WEEK_1, lambda c, s: 30.0)
    weekly_run(tmp_path / "runs", "week2", WEEK_2, lambda c, s: 12.0)
    monkeypatch.chdir(tmp_path)
    assert forerun(["compare", "week1", "week2", "--no-plot"]) == 0
    out = capsys.readouterr().out
    page = words_of(next(Path().glob("comparison*.html")))
    for words in ("not comparable", "Not comparable"):
        assert words not in out + page
    assert "compared on what all runs forecast: 7 series and 3 windows" in out
    assert "Compared on what all runs forecast: 7 series and 3 windows" in page
    assert "week2 is better" in out
    assert "week2 is better" in page
    line = next(line.split() for line in out.splitlines() if line.strip().startswith("NHITS"))
    assert line[-1] == "*"
