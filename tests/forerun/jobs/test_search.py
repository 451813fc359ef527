"""Rounds, results and outputs of a search with synthetic forecasts of trials."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.base.files import write_json, write_parquet, write_text
from forerun.cli import plan
from forerun.cli.board import sentence
from forerun.config import search
from forerun.config.models import spec
from forerun.config.settings import dump, read_frozen, resolve
from forerun.forecasting import search_data
from forerun.forecasting.engines.base import Data, ForecastError
from forerun.jobs import fingerprint, fit_job, search_time
from forerun.jobs.search import ask, conclude
from forerun.runs import search as files
from forerun.runs.closed import Closed
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths
from forerun.runs.progress import OK, RUNNING, WAITING, Progress, survey
from forerun.runs.run_data import read_data

NAME = "NHITS_search"
SPACE = {"input_size": [8, 16, 24], "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
ITEM = {"model": "NHITS", "space": SPACE, "trials": 9, "keep": 2}
#: Settings of the run: 10 steps are held out, so trials are judged on steps 26 to 30 of 40.
SETTINGS = {"models": [], "horizon": 5, "n_windows": 2, "max_steps": 90, "input_size": 8}


def make(folder: Path, spike: float = 0.0, **changes: Any) -> RunPaths:
    """Write configuration and data of a run; `spike` is added after the first cutoff."""
    run = RunPaths(folder / "run")
    run.folder.mkdir(parents=True)
    y = np.tile([1.0, 2.0, 4.0, 3.0], 10)
    y[30:] += spike
    days = pd.date_range("2024-01-01", periods=40)
    write_parquet(run.data, pd.DataFrame({"unique_id": "a", "ds": days, "y": y}))
    settings = resolve({**SETTINGS, "search": [{**ITEM, **changes}]})
    write_text(run.config, dump(settings | {"freq": "D", "season_length": 4, "threads": 1}))
    return run


@cache
def frozen(run: RunPaths) -> dict[str, Any]:
    """Return the settings of a run before its search."""
    return read_frozen(run.config)


def study(run: RunPaths) -> search.Study:
    return search.study(frozen(run), NAME)


def finish(trial: files.Trial, error: float) -> None:
    """Complete a trial whose mean absolute error is `error`."""
    data = pd.read_parquet(trial.run.data)[25:30]
    frame = data.assign(cutoff=data["ds"].iloc[0] - pd.Timedelta(days=1))
    frame[NAME] = frame["y"] + error
    write_parquet(trial.product_path, frame.reset_index(drop=True))
    Outcome(status="ok", stage="run_trial").write(trial.outcome_path)


def end(trial: files.Trial, status: str, kind: str, message: str) -> None:
    """End a trial without forecasts."""
    write_parquet(trial.product_path, pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y"]))
    Outcome(status=status, error=Failure(kind, message)).write(trial.outcome_path)


def error_of(trial: files.Trial) -> float:
    """The best trials have a rate near 0.001 and the size 16."""
    candidate = trial.candidate(frozen(trial.run))
    assert candidate is not None
    rate, size = candidate.params["learning_rate"], candidate.params["input_size"]
    return float(abs(np.log10(rate) + 3) + abs(size - 16) / 8)


def perform(
    run: RunPaths,
    order: int = 0,
    fate: Callable[[files.Trial], bool] = lambda trial: True,
) -> search.Chosen:
    """Run a whole search; trials of a round end in a random order, and fail without `fate`."""
    for number in range(len(study(run).rounds)):
        ask(run, NAME, number)
        own = [trial for trial in files.trials(run, study(run)) if trial.round == number]
        random.Random(order).shuffle(own)
        for trial in own:
            if not trial.candidate(frozen(run)):
                end(trial, "skipped", "NoTrial", "too few")
            elif fate(trial):
                finish(trial, error_of(trial))
            else:
                end(trial, "failed", "ValueError", "kernel too large")
    return conclude(run, NAME)


def content(run: RunPaths) -> dict[str, bytes]:
    tables = [*files.folder(run, NAME).glob("*.csv"), *files.folder(run, NAME).glob("*.json")]
    return {path.name: path.read_bytes() for path in tables if "trial" not in path.name}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A run whose search has ended."""
    run = make(tmp_path_factory.mktemp("search"))
    perform(run)
    return run


class TestWholeSearch:
    def test_the_best_third_is_trained_again(self, run: RunPaths) -> None:
        table = pd.read_csv(files.folder(run, NAME) / "study.csv")
        assert list(table["round"]) == [0] * 9 + [1] * 3
        assert list(table["max_steps"]) == [30] * 9 + [90] * 3
        first, second = table[table["round"] == 0], table[table["round"] == 1]
        assert list(second["trial"]) == list(first.sort_values("error")["trial"][:3])
        assert len(set(first["params"])) == 9

    def test_the_best_trials_are_kept(self, run: RunPaths) -> None:
        table = pd.read_csv(files.folder(run, NAME) / "study.csv")
        best = table[table["round"] == 1].sort_values("error")[:2]
        models = read_frozen(run.config)["models"]
        assert [item["params"] for item in models] == [json.loads(p) for p in best["params"]]
        assert files.chosen(run, study(run)).status == "ok"

    def test_the_same_study_twice_is_equal_to_the_byte(self, run: RunPaths, tmp_path: Path) -> None:
        """In any order of completion."""
        again = make(tmp_path)
        perform(again, order=5)
        assert content(again) == content(run)
        assert len(content(run)) == 4

    def test_another_seed_is_another_study(self, run: RunPaths, tmp_path: Path) -> None:
        other = make(tmp_path)
        text = other.config.read_text().replace("seed: 1\n", "seed: 2\n")
        other.config.write_text(text)
        ask(other, NAME, 0)
        assert content(other)["round_0.json"] != content(run)["round_0.json"]

    def test_nothing_after_the_first_cutoff_counts(self, run: RunPaths, tmp_path: Path) -> None:
        spiked = make(tmp_path, spike=1e6)
        perform(spiked)
        assert content(spiked) == content(run)
        trial = files.Trial(spiked, NAME)
        settings = read_frozen(spiked.config)
        assert trial.covered(settings) == (10, 1)
        prints = [
            fingerprint.key(fingerprint.ingredients(files.Trial(r, NAME), settings, 1))
            for r in (run, spiked)
        ]
        assert prints[0] == prints[1]

    def test_completed_trials_are_closed(self, run: RunPaths) -> None:
        held = Closed.of(run)
        for name in ("chosen.json", "study.csv", "round_1.json", "trial_1_2.parquet"):
            assert held.barrier(f"search/{NAME}/{name}") == f"search/{NAME}/{name}/read-only"
        assert files.outdated(run, frozen(run)) == []


class TestFailures:
    def test_failed_trials_do_not_stop_the_search(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        found = perform(run, fate=lambda trial: trial.round == 0 or trial.place > 0)
        assert found.status == "ok"
        table = pd.read_csv(files.folder(run, NAME) / "study.csv")
        assert list(table["status"]).count("failed") == 1
        assert table.loc[table["status"] == "failed", "reason"].item() == "kernel too large"
        assert table[table["status"] == "failed"]["trial"].item() not in [
            each.trial for each in found.trials
        ]

    def test_too_few_successes_fail_a_model_with_the_reason(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        found = perform(run, fate=lambda trial: (trial.round, trial.place) == (0, 3))
        assert (found.status, len(found.trials)) == ("failed", 1)
        assert found.reason.endswith("1 of 9 trials succeeded, keep is 2; kernel too large")
        first, second = (Fit(run, name) for name in study(run).models)
        settings = read_frozen(run.config)

        def refused(fit: Fit) -> Outcome | None:
            return fit_job._without_arguments(fit_job.Job(fit), settings, fit.spec(settings))

        outcome = refused(second)
        assert outcome is not None
        assert outcome.reason == found.reason
        assert (
            fit_job._without_arguments(fit_job.Job(first), settings, first.spec(settings)) is None
        )

    def test_a_rerun_retries_what_failed(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        perform(run, fate=lambda trial: (trial.round, trial.place) == (0, 3))
        held, again = Closed.of(run), files.outdated(run, frozen(run))
        assert held.holds(f"search/{NAME}/trial_0_3.json")
        assert held.holds(f"search/{NAME}/round_0.json")
        for name in ("trial_0_2.json", "trial_1_0.json", "round_1.json", "chosen.json"):
            assert f"search/{NAME}/{name}" in again
            assert not held.holds(f"search/{NAME}/{name}")
        assert f"search/{NAME}/trial_0_3.json" not in again
        assert perform(run).status == "ok"

    def test_failed_trials_are_not_repeated_within_a_search(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        ask(run, NAME, 0)
        trials = files.trials(run, study(run))
        finish(trials[0], 1.0)
        end(trials[1], "failed", "ValueError", "no")
        held = Closed.of(run)
        assert held.holds(f"search/{NAME}/trial_0_0.json")
        assert held.holds(f"search/{NAME}/trial_0_1.parquet")
        assert not held.holds(f"search/{NAME}/trial_0_2.json")
        assert files.outdated(run, frozen(run)) == []


def test_progress_of_trials(tmp_path: Path) -> None:
    """A trial without a result counts as done, and its reason is printed."""
    run = make(tmp_path)
    assert [each.state for each in survey(run.folder)][:12] == [WAITING] * 12
    ask(run, NAME, 0)
    first, second, third = files.trials(run, study(run))[:3]
    finish(first, 1.0)
    end(second, "failed", "ValueError", "kernel too large")
    Progress(step=2, max_steps=30, elapsed=1.0).write(third.progress_path)
    found = survey(run.folder)[:4]
    assert [each.state for each in found] == [OK, OK, RUNNING, WAITING]
    line = "NHITS_search: trial 2 of round 1 without a result: kernel too large"
    assert sentence(found[1]) == line
    assert survey(run.folder, since=time.time() + 60)[1].state == OK  # it will not be retried


def test_the_plan_of_a_search(tmp_path: Path) -> None:
    run = make(tmp_path)
    settings = read_frozen(run.config) | {"threads": 1}
    row = plan.rows(run.folder, settings)[0]
    assert (row.model, row.final, row.cv) == (NAME, "search", "12 trials")
    assert row.why == "not started yet"
    ask(run, NAME, 0)
    finish(files.trials(run, study(run))[0], 1.0)
    assert plan.rows(run.folder, settings)[0].why == "1 of 12 trials have ended"
    perform(run)
    assert plan.rows(run.folder, read_frozen(run.config) | {"threads": 1})[0].final == "nothing"


class TestTime:
    def test_a_time_limit_ends_the_search_and_keeps_completed_trials(self, tmp_path: Path) -> None:
        run = make(tmp_path, time_limit=60)
        ask(run, NAME, 0)
        for trial in files.trials(run, study(run), before=1):
            if trial.place < 3:
                finish(trial, 3.0 - trial.place)
            else:
                end(trial, "skipped", search_time.KIND, "not started")
        ask(run, NAME, 1)
        assert [each.trial for each in files.candidates(run, study(run), 1)] == [2, 1, 0]
        for trial in files.trials(run, study(run))[9:]:
            end(trial, "skipped", search_time.KIND, "not started")
        found = conclude(run, NAME)
        assert (found.status, [each.trial for each in found.trials]) == ("ok", [2, 1])

    def test_the_time_limit_of_the_run_leaves_it_unfinished(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        perform(run)
        end(files.trials(run, study(run))[2], "skipped", "TimeLimit", "rerun to resume")
        found = conclude(run, NAME)
        assert (found.status, found.trials) == ("skipped", [])
        assert f"search/{NAME}/trial_0_2.json" in files.outdated(run, frozen(run))

    def test_the_limit_counts_from_the_first_trial(self, tmp_path: Path) -> None:
        run = make(tmp_path, time_limit=60)
        trial, settings = files.Trial(run, NAME), read_frozen(run.config)
        limit = search_time.limit(trial, settings)
        assert limit is not None
        assert (limit.seconds, limit.status, limit.kind) == (60, "skipped", search_time.KIND)
        mark = next(run.logs.rglob("*.began"))
        os.utime(mark, (mark.stat().st_mtime - 100,) * 2)
        later = search_time.limit(trial, settings)
        assert later is not None
        assert later.seconds < 0
        assert "the time_limit of NHITS_search (60 s) had passed" in later.reason
        search_time.forget(run, NAME)
        again = search_time.limit(trial, settings)
        assert again is not None
        assert again.seconds == 60
        unlimited = make(tmp_path / "other")
        assert search_time.limit(files.Trial(unlimited, NAME), settings | {
            "search": read_frozen(unlimited.config)["search"]}) is None  # fmt: skip

    def test_after_a_kill_the_time_continues(self, tmp_path: Path) -> None:
        """Killed calls: 10,000 s ago after 2,000 s of the search, and 4,000 s ago after 1,500 s."""
        run = make(tmp_path, time_limit=6000)
        trial, settings = files.Trial(run, NAME), read_frozen(run.config)
        mark = trial.log_path.with_name(f"{NAME}.began")
        lease, own = trial.lease_path, files.Trial(run, NAME, place=1).lease_path
        expected = {9000.0: 6000 - 2000, 3000.0: 6000 - 2000 - 1500}
        killed = ((12_000, 10_000), (5500, 4000))
        for (started, last), call in zip(killed, expected, strict=True):
            assert search_time.limit(trial, settings)
            for path, age in ((mark, started), (lease, last), (own, 0), (run.session, call)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                os.utime(path, (time.time() - age,) * 2)
            at = datetime.now(UTC) - timedelta(seconds=call)
            write_json(run.session, {"pid": os.getpid(), "started_at": at.isoformat()})
            found = search_time.limit(trial, settings)
            assert found is not None
            assert found.seconds == pytest.approx(expected[call], abs=400)
        mark.write_text("nan")
        found = search_time.limit(trial, settings)  # damaged
        assert found is not None
        assert found.seconds == pytest.approx(6000, abs=400)

    def test_the_time_is_forgotten_with_the_end_unless_the_run_was_stopped(
        self, tmp_path: Path
    ) -> None:
        run = make(tmp_path, time_limit=60)
        mark = files.Trial(run, NAME).log_path.with_name(f"{NAME}.began")
        search_time.limit(files.Trial(run, NAME), read_frozen(run.config))
        perform(run)
        assert not mark.exists()
        search_time.limit(files.Trial(run, NAME), read_frozen(run.config))
        end(files.trials(run, study(run))[2], "skipped", "TimeLimit", "rerun to resume")
        conclude(run, NAME)
        assert mark.exists()


def test_without_halving_later_rounds_learn(tmp_path: Path) -> None:
    """Later rounds propose new arguments, closer to the best ones than random ones (1.17)."""
    run = make(tmp_path, halving=False, trials=20, keep=1)
    perform(run)
    table = pd.read_csv(files.folder(run, NAME) / "study.csv")
    assert list(table["round"]) == [0] * 10 + [1] * 5 + [2] * 5
    assert list(table["trial"]) == list(range(20))
    assert len(set(table["params"])) == 20
    assert table[table["round"] > 0]["error"].mean() < 0.8 * 1.17
    assert table["max_steps"].isna().all()


def test_values_are_within_their_ranges(tmp_path: Path) -> None:
    space = {
        "input_size": {"low": 8, "high": 40, "step": 8},
        "learning_rate": {"low": 0.001, "high": 0.01},
        "dropout_prob_theta": {"low": 0, "high": 0.4, "step": 0.2},
        "n_pool_kernel_size": [[2, 2, 1], [4, 2, 1]],
    }
    run = make(tmp_path, space=space, trials=30, halving=False)
    ask(run, NAME, 0)
    for trial in files.trials(run, study(run), before=1):
        finish(trial, float(trial.place))
    ask(run, NAME, 1)
    rounds = [files.candidates(run, study(run), number) for number in (0, 1)]
    found = [each.params for asked in rounds for each in asked]
    assert {each["dropout_prob_theta"] for each in found} == {0, 0.2, 0.4}
    assert {each["input_size"] for each in found} == {8, 16, 24, 32, 40}
    assert all(0.001 <= each["learning_rate"] <= 0.01 for each in found)
    assert {tuple(each["n_pool_kernel_size"]) for each in found} == {(2, 2, 1), (4, 2, 1)}


class TestData:
    def test_short_series_are_omitted_and_networks_pad(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        settings = read_frozen(run.config)
        frame = read_data(run.data)
        both = pd.concat([frame, frame[-14:].assign(unique_id="b")], ignore_index=True)
        assert search_data.check(settings, both) == ["NHITS_search omits 1 series below 17 values"]
        before = both.groupby("unique_id").head(30).drop(both.index[-10:])
        kept, how = search_data.usable(Data(before), settings, spec(settings, f"{NAME}1"), 5)
        assert set(kept.history["unique_id"]) == {"a"}
        assert how["on_short"] == settings["on_short"]
        wide = settings | {"input_size": 24}
        assert (
            search_data.usable(Data(before), wide, spec(wide, f"{NAME}1"), 5)[1]["on_short"]
            == "pad"
        )
        with pytest.raises(ForecastError, match="no series is long enough"):
            search_data.usable(Data(before[-4:]), settings, spec(settings, f"{NAME}1"), 5)

    def test_too_short_data_are_refused(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        with pytest.raises(UserError, match="NHITS_search needs a series of at least 17 values"):
            search_data.check(read_frozen(run.config), read_data(run.data)[:16])
