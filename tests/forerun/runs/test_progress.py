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
from forerun.runs.progress import (
    FAILED,
    OK,
    RUNNING,
    WAITING,
    FitState,
    Progress,
    share,
    survey,
    time_left,
)


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


def left(*states: FitState) -> tuple[float, bool] | None:
    """Return the seconds left, rounded, and whether they are the least."""
    found = time_left(states)
    return None if found is None else (round(found.seconds, 3), found.is_least)


def test_time_left_by_hand() -> None:
    done = [state_of_fit("A", None, OK, elapsed=10.0), state_of_fit("B", None, OK, elapsed=2.0)]
    assert left(state_of_fit("A", None), state_of_fit("A", 0)) is None
    # Two further fits of A, and one of B, one after the other.
    waiting = [state_of_fit("A", 0), state_of_fit("A", 1), state_of_fit("B", 0)]
    assert left(*done, *waiting) == (22.0, False)
    # C is at a quarter after 5 s: 15 s of 20 remain. Two run in parallel, and A ends before C.
    running = state_of_fit("C", None, RUNNING, step=25, max_steps=100, elapsed=5.0)
    starting = state_of_fit("A", 0, RUNNING, elapsed=4.0)
    assert left(*done, running, starting) == (15.0, False)
    # The remaining time of A, which has run longer than before, cannot be estimated.
    late = state_of_fit("A", 0, RUNNING, elapsed=14.0)
    assert left(*done, running, late) == (15.0, True)
    assert left(*done, late) is None


def test_models_that_have_not_run_are_not_assumed_to_take_as_long_as_others() -> None:
    """SeasonalNaive took a second: two hours of AutoETS must not begin with "0:02 left"."""
    done = state_of_fit("SeasonalNaive", None, OK, elapsed=1.0)
    waiting = [state_of_fit("AutoETS", fold) for fold in (None, 0)]
    assert left(done, *waiting) is None
    running = state_of_fit("AutoETS", None, RUNNING, step=2, max_steps=400, elapsed=18.0)
    assert left(done, running, waiting[1]) == (9 * 398 + 9 * 400, False)
    found = time_left([done, running, state_of_fit("NHITS", None)])
    assert found is not None
    assert found.words == "at least 59:42 left"


def test_time_left_of_a_fit_that_takes_longer_than_its_model_by_hand() -> None:
    """The final fit took 10 s; the back-test is at half after 30 s: 30 s are left, not unknown."""
    done = state_of_fit("A", None, OK, elapsed=10.0)
    running = state_of_fit("A", 0, RUNNING, step=50, max_steps=100, elapsed=30.0)
    assert left(done, running) == (30.0, False)
    # A further one is expected to take the mean of 10 s and 60 s.
    assert left(done, running, state_of_fit("A", 1)) == (65.0, False)


def test_time_left_is_counted_down_between_reports() -> None:
    running = state_of_fit("A", None, RUNNING, step=2, max_steps=10, elapsed=10.0)
    shown = [replace(running, waited=waited) for waited in (0, 15, 39, 39.5, 60)]
    assert [each.elapsed for each in shown] == [10, 25, 49, 49.5, 70]
    assert [each.remaining for each in shown] == [40, 25, 1, None, None]
    assert [left(each) for each in shown] == [(40, False), (25, False), (1, False), None, None]


@pytest.mark.parametrize("step", range(0, 101, 5))
@pytest.mark.parametrize("waited", [0.0, 3.0, 1000.0])
def test_less_than_a_second_is_never_shown(step: int, waited: float) -> None:
    running = state_of_fit("A", None, RUNNING, step=step, max_steps=100, elapsed=2.0)
    states = [replace(running, waited=waited), state_of_fit("B", None, OK, elapsed=0.1)]
    assert "about 0 s" not in running.progress.words
    found = time_left([*states, state_of_fit("B", 0)])
    assert found is None or not found.words.endswith(" 0:00 left")


def test_time_left_of_a_resumed_fit_by_hand() -> None:
    """60 of 100 steps, 40 of them by an earlier attempt: 20 took 4 s, so 40 take 8 s."""
    progress = Progress(step=60, max_steps=100, loss=0.25, elapsed=4.0, resumed=40)
    assert progress.remaining == 8.0
    assert progress.words == "step 60 of 100 (resumed at step 40 of 100), loss 0.25, about 8 s left"
    assert Progress(step=40, max_steps=100, elapsed=1.0, resumed=40).remaining is None
    running = state_of_fit("A", None, RUNNING, step=60, max_steps=100, elapsed=4.0)
    resumed = replace(running, progress=progress)
    assert resumed.duration == 12.0
    assert left(resumed) == (8.0, False)


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
    assert Progress(step=1, max_steps=50, elapsed=9.0).remaining is None  # mostly preparations
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
