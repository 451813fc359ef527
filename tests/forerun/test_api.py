"""A run as an object: tables, forecasts, and its display in a notebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from synthetic import make_run

from forerun import open_run
from forerun.base.errors import UserError
from forerun.base.files import write_parquet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("runs")
    return make_run(home, "exp1", series=3, failed=["LSTM"], levels=[80])


def test_tables_are_frames_with_times(folder: Path) -> None:
    run = open_run(folder)
    assert run.run_id == "exp1"
    assert run.state == "complete"
    assert run.config["horizon"] == 12
    assert run.models == ["SeasonalNaive", "AutoETS", "NHITS", "NBEATS", "LSTM"]
    assert list(run.leaderboard["model"])[-1] == "LSTM"
    assert run.failed == {"LSTM": "LSTM could not be trained: loss is NaN"}
    # 3 series, 3 windows of 12 steps; y once, a column and two sides of an interval per model.
    assert len(run.cv_results) == 3 * 3 * 12
    assert list(run.cv_results.columns[:7]) == [
        "unique_id", "ds", "cutoff", "y", "SeasonalNaive", "SeasonalNaive-lo-80",
        "SeasonalNaive-hi-80",
    ]  # fmt: skip
    assert pd.api.types.is_datetime64_any_dtype(run.cv_results["cutoff"])
    assert len(run.predictions) == 3 * 12
    assert {"NHITS", "per_series", "chosen", "ensemble"} <= set(run.predictions.columns)
    assert "LSTM" not in run.predictions
    assert run.provenance["seed"] == 1


def test_merged_tables_contain_the_values_of_the_models(folder: Path) -> None:
    run = open_run(folder)
    own = run.cv_results_of("NHITS").set_index(["unique_id", "ds", "cutoff"])["NHITS"]
    merged = run.cv_results.set_index(["unique_id", "ds", "cutoff"])["NHITS"]
    pd.testing.assert_series_equal(own.sort_index(), merged.sort_index())


def test_history_ends_with_the_last_observation(tmp_path: Path) -> None:
    folder = make_run(tmp_path, series=2, length=60)
    data = pd.read_parquet(folder / "data.parquet")
    data.loc[data.index[10], "y"] = None  # a gap inside stays
    future = data.groupby("unique_id").tail(2).assign(y=float("nan"))
    future["ds"] += pd.DateOffset(months=2)
    write_parquet(folder / "data.parquet", pd.concat([data, future], ignore_index=True))
    history = open_run(folder).history
    assert len(history) == 120
    assert history["y"].isna().sum() == 1
    assert history["ds"].max() == data["ds"].max()


def test_a_folder_that_is_not_a_run_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"'.*exp2' is not a run: it does not exist \(did you mean"):
        open_run(folder.parent / "exp2")
    with pytest.raises(UserError, match=r"has no config\.yaml"):
        open_run(folder.parent)


def test_an_unfinished_run_reports_missing_files(tmp_path: Path) -> None:
    folder = make_run(tmp_path, series=1, sealed=False)
    (folder / "leaderboard.csv").unlink()
    run = open_run(folder)
    with pytest.raises(UserError, match=r"run 'exp1' has no leaderboard\.csv yet"):
        _ = run.leaderboard
    assert "no leaderboard yet" in run._repr_html_()


def test_plot_has_history_windows_and_forecast(folder: Path) -> None:
    figure = open_run(folder).plot("series_0001", models=["NHITS"])
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.fill is None]
    assert [line.name for line in lines] == ["NHITS"] * 4 + ["observed"]
    assert len(lines[-1].x) == 72
    assert sum(trace.fill == "toself" for trace in figure.data) == 4
    with pytest.raises(UserError, match=r"no series 'series_001' \(did you mean"):
        open_run(folder).plot("series_001")


def test_html_shows_the_leaderboard_and_escapes(folder: Path) -> None:
    html = open_run(folder)._repr_html_()
    assert "<strong>Run exp1</strong>: complete" in html
    assert html.count("<tr>") == 1 + 5
    assert "\u2013" in html  # the failed model's missing errors


def test_predict_refuses_unknown_and_failed_models(folder: Path) -> None:
    run = open_run(folder)
    with pytest.raises(UserError, match=r"no model 'NHIT' \(did you mean 'NHITS'"):
        run.predict(run.history, models=["NHIT"])
    with pytest.raises(UserError, match="'LSTM' of run 'exp1' failed: "):
        run.predict(run.history, models=["LSTM"])


@pytest.mark.slow
def test_predict_equals_the_predictions_of_the_run(trained_run: Path) -> None:
    run = open_run(trained_run)
    found = run.predict(run.history, models=["SeasonalNaive"])
    expected = run.predictions_of("SeasonalNaive")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_importing_forerun_imports_no_pandas() -> None:
    code = "import sys, forerun; print('pandas' in sys.modules); print(forerun.open_run.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "scripts")},
    )
    assert done.stdout.split() == ["False", "open_run"]
