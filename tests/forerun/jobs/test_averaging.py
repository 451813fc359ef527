"""The mean of several seeds: from the fits of its members, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.base.files import read_json, write_json
from forerun.config.models import spec
from forerun.config.settings import dump, resolve
from forerun.evaluation.averaging import mean_of_members
from forerun.forecasting import choice, forecasts
from forerun.jobs import fit_history
from forerun.jobs.collect import collect
from forerun.jobs.fit_job import Job, perform
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths


def table(name: str, points: list[float], width: float) -> pd.DataFrame:
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": [1, 1], "cutoff": [0, 0], "y": [5.0, 6.0]})
    frame[name] = points
    return frame.assign(
        **{f"{name}-lo-80": frame[name] - width, f"{name}-hi-80": frame[name] + width}
    )


@pytest.fixture
def run(tmp_path: Path) -> tuple[RunPaths, dict[str, Any]]:
    """A run of which the members of NHITS are completed."""
    paths = RunPaths(tmp_path / "runs" / "r")
    settings = resolve(
        {"models": ["NHITS"], "baselines": [], "seeds": 2, "max_steps": 5, "input_size": 4}
        | {"freq": 1, "season_length": 1, "n_windows": 1}
    )
    paths.folder.mkdir(parents=True)
    paths.config.write_text(dump(settings))
    pd.DataFrame({"unique_id": ["a"], "ds": [0], "y": [1.0]}).to_parquet(paths.data)
    for name, points, width in (("NHITS_seed1", [1.0, 2.0], 1.0), ("NHITS_seed2", [3.0, 8.0], 3.0)):
        fold, final = Fit(paths, name, 0), Fit(paths, name)
        fold.outcome_path.parent.mkdir(parents=True)
        table(name, points, width).to_parquet(fold.product_path)
        final.product_path.mkdir(parents=True)
        write_json(final.product_path / "model.json", {})
        for fit in (fold, final):
            Outcome(status="ok", stage=fit.stage, seconds=2.0).write(fit.outcome_path)
    return paths, settings


def test_forecasts_and_limits_are_averaged(run: tuple[RunPaths, dict[str, Any]]) -> None:
    paths, settings = run
    for fold in (0, None):
        assert perform(Job(Fit(paths, "NHITS", fold))).is_ok
        assert Fit(paths, "NHITS", fold).is_completed()
    made = pd.read_parquet(Fit(paths, "NHITS", 0).product_path)
    assert made["NHITS"].tolist() == [2.0, 5.0]
    assert made["NHITS-lo-80"].tolist() == [0.0, 3.0]
    assert made["NHITS-hi-80"].tolist() == [4.0, 7.0]
    assert made["y"].tolist() == [5.0, 6.0]
    members = read_json(paths.model("NHITS") / "members.json")
    assert members == {"members": ["NHITS_seed1", "NHITS_seed2"]}
    usable = choice.choose(paths.folder, settings, ["NHITS"])
    assert usable.names == ["NHITS"]
    assert list(usable.models) == ["NHITS_seed1", "NHITS_seed2", "NHITS"]  # all are needed
    costs = fit_history.costs(paths.folder.parent)
    assert [cost.seconds for cost in costs] == [2.0] * 4  # the mean says nothing about training


def test_the_time_of_a_mean_is_not_that_of_its_job(run: tuple[RunPaths, dict[str, Any]]) -> None:
    """A job that averages takes seconds to start, and a benchmark file includes them."""
    paths, _ = run
    pd.DataFrame({"unique_id": "ab", "ds": [1, 1], "y": 1.0}).to_parquet(paths.data)
    for name in ("NHITS_seed1", "NHITS"):
        for fit in (Fit(paths, name, 0), Fit(paths, name)):
            if name == "NHITS":
                assert perform(Job(fit)).is_ok
            fit.benchmark_path.parent.mkdir(parents=True, exist_ok=True)
            fit.benchmark_path.write_text("s\th:m:s\tmax_rss\n9e5\t250:00:00\t300\n")
    member, mean = collect(paths, "NHITS_seed1"), collect(paths, "NHITS")
    assert (member.train_seconds, member.cv_seconds) == (9e5, 9e5)
    assert mean.train_seconds is not None
    assert mean.train_seconds < 9e5
    assert mean.peak_memory_mb == 300


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_mean_fails_with_its_member_and_is_retried(
    run: tuple[RunPaths, dict[str, Any]], status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, _ = run
    member, mean = Fit(paths, "NHITS_seed2", 0), Fit(paths, "NHITS", 0)
    error = Failure("ForecastError", "NaN")
    Outcome(status=status, error=error, stage=member.stage).write(member.outcome_path)
    outcome = perform(Job(mean))
    assert (outcome.status, outcome.reason) == (status, f"NHITS_seed2 {status}: NaN")
    assert mean.needs_retry()
    assert "NHITS_seed2" in capsys.readouterr().err
    Outcome(status="ok", stage=member.stage).write(member.outcome_path)
    assert perform(Job(mean, failures=1)).is_ok
    member.outcome_path.unlink()
    assert perform(Job(mean)).reason == "NHITS_seed2 has no back-test 1"


def test_the_forecasts_of_members_that_were_made_are_used(
    run: tuple[RunPaths, dict[str, Any]],
) -> None:
    paths, settings = run
    done = {
        name: table(name, points, 1.0)
        for name, points in (("NHITS_seed1", [1.0, 2.0]), ("NHITS_seed2", [3.0, 4.0]))
    }
    mean = spec(settings, "NHITS")
    made = forecasts.mean_forecast(mean, settings, None, paths.model("NHITS"), done)  # type: ignore[arg-type]
    assert made is not None
    assert made["NHITS"].tolist() == [2.0, 3.0]


def test_members_of_other_rows_are_refused() -> None:
    one, other = table("A", [1.0, 2.0], 1.0), table("B", [1.0, 2.0], 1.0)
    for wrong in (other.iloc[:1], other.assign(ds=2), other.drop(columns="B-lo-80")):
        with pytest.raises(UserError, match="different series or times"):
            mean_of_members({"A": one, "B": wrong}, "C")
