"""Progress of the fits of a run."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fits_at_work import by_fit, make_run_at_work, state_of_fit

from forerun.runs import progress
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths
from forerun.runs.progress import FAILED, OK, RUNNING, WAITING, Progress, share, survey, time_left


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run_at_work(tmp_path)


def test_survey_reads_the_state_of_each_fit(folder: Path) -> None:
    states = by_fit(folder)
    assert len(states) == 5 * 2
    assert states["SeasonalNaive", "final"].state == OK
    assert states["NHITS", "fold_0"].state == WAITING
    failed = states["LSTM", "final"]
    assert (failed.state, failed.reason) == (FAILED, "LSTM could not be trained: loss is NaN")
    assert failed.log.endswith("logs/train_model/LSTM.log")
    running = states["NBEATS", "final"]
    assert (running.state, running.progress.step, running.progress.max_steps) == (RUNNING, 20, 50)
    assert running.remaining == pytest.approx(8.0 / 20 * 30, abs=1.0)
    # Six of ten done, one failed, one at 20 of 50.
    assert share(states.values()) == pytest.approx((6 + 1 + 0.4) / 10)


def test_progress_of_a_killed_call_is_not_running(folder: Path) -> None:
    path = folder / "logs" / "train_model" / "NBEATS.progress.json"
    os.utime(path, (1000, 1000))
    assert by_fit(folder, since=2000)["NBEATS", "final"].state == WAITING


def test_failures_of_an_earlier_call_are_retried(folder: Path) -> None:
    assert by_fit(folder, since=time.time() + 60)["LSTM", "final"].state == WAITING


def test_unstarted_runs_and_damaged_files(tmp_path: Path, folder: Path) -> None:
    assert survey(tmp_path / "nothing") == []
    (folder / "logs" / "train_model" / "NBEATS.progress.json").write_text("{")
    assert by_fit(folder)["NBEATS", "final"].state == WAITING


def test_time_left_by_hand() -> None:
    done = [state_of_fit("A", None, OK, elapsed=10.0), state_of_fit("B", None, OK, elapsed=2.0)]
    assert time_left([state_of_fit("A", None), state_of_fit("A", 0)]) is None
    # Another fit of A: 10 s. C has no earlier fit: the mean, 6 s. They run sequentially.
    waiting = [state_of_fit("A", 0), state_of_fit("C", None)]
    assert time_left([*done, *waiting]) == pytest.approx(16.0)
    # C is at a quarter after 5 s: 15 s of 20 remain; the mean is not used. Two run in parallel.
    running = state_of_fit("C", None, RUNNING, step=25, max_steps=100, elapsed=5.0)
    starting = state_of_fit("A", 0, RUNNING, elapsed=4.0)
    assert time_left([*done, running, starting]) == pytest.approx(15.0)  # A ends before C
    # The remaining time of A, which has run longer than before, cannot be estimated.
    late = state_of_fit("A", 0, RUNNING, elapsed=14.0)
    assert time_left([*done, running, late]) is None


def test_time_left_of_a_fit_that_takes_longer_than_its_model_by_hand() -> None:
    """The final fit took 10 s; the back-test is at half after 30 s: 30 s are left, not unknown."""
    done = state_of_fit("A", None, OK, elapsed=10.0)
    running = state_of_fit("A", 0, RUNNING, step=50, max_steps=100, elapsed=30.0)
    assert time_left([done, running]) == pytest.approx(30.0)
    # B, which waits, is expected to take the mean of 10 s and 60 s.
    waiting = state_of_fit("B", None)
    assert time_left([done, running, waiting]) == pytest.approx(30.0 + 35.0)


def test_time_left_of_a_resumed_fit_by_hand() -> None:
    """60 of 100 steps, 40 of them by an earlier attempt: 20 took 4 s, so 40 take 8 s."""
    progress = Progress(step=60, max_steps=100, loss=0.25, elapsed=4.0, resumed=40)
    assert progress.remaining == 8.0
    assert progress.words == "step 60 of 100 (resumed at step 40 of 100), loss 0.25, about 8 s left"
    assert Progress(step=40, max_steps=100, elapsed=1.0, resumed=40).remaining is None
    running = state_of_fit("A", None, RUNNING, step=60, max_steps=100, elapsed=4.0)
    resumed = replace(running, progress=progress)
    assert resumed.duration == 12.0
    assert time_left([resumed]) == pytest.approx(8.0)


def test_waiting_fits_are_not_old(folder: Path) -> None:
    states = by_fit(folder, since=time.time() + 60)
    assert not states["NHITS", "final"].is_old
    assert states["SeasonalNaive", "final"].is_old


def test_a_fit_without_its_product_is_not_completed(folder: Path) -> None:
    Fit(RunPaths(folder), "AutoETS", 0).product_path.unlink()
    assert by_fit(folder)["AutoETS", "fold_0"].state == WAITING


def test_progress_in_words() -> None:
    progress = Progress(step=20, max_steps=50, loss=0.25, elapsed=8.0)
    assert progress.words == "step 20 of 50, loss 0.25, about 12 s left"
    assert (progress.share, progress.remaining) == (0.4, pytest.approx(12.0))
    starting = Progress(max_steps=50, elapsed=2.0)
    assert (starting.words, starting.remaining) == ("step 0 of 50", None)
    assert Progress(step=60, max_steps=50).share == 1.0
    series = Progress(step=3, max_steps=15, elapsed=6.0)
    assert series.words == "series 3 of 15, about 24 s left"
    assert Progress(step=50, max_steps=50, elapsed=8.0).remaining is None  # it is still writing


def test_figures_are_counted_while_they_are_drawn(tmp_path: Path) -> None:
    with progress.figures(tmp_path) as report:
        report(12, 35)
        assert progress.figures_drawn(tmp_path) == "12 of 35"
    assert progress.figures_drawn(tmp_path) == ""
    with pytest.raises(ZeroDivisionError), progress.figures(tmp_path) as report:
        report(0, 1 // 0)
    assert list(tmp_path.rglob("*.json")) == []
