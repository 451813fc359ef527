"""Costs of earlier fits of the same kind, from their benchmark files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from forerun.base.resources import DATA
from forerun.config.models import spec
from forerun.config.presets import Timings
from forerun.config.settings import dump, resolve
from forerun.config.threads import share
from forerun.jobs import fit_history
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths

ASKED = {"horizon": 4, "input_size": 8, "n_windows": 3, "max_steps": 100}
ASKED |= {"models": ["NHITS"], "baselines": ["SeasonalNaive"]}
MB = 1024**2


def make_run(folder: Path, size: int = 1 * MB, **settings: object) -> Path:
    """Write a run with data of `size` bytes, whose final NHITS took 30 s and 600 MB."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump(resolve(ASKED | settings)))
    (folder / "data.parquet").write_bytes(b" " * size)
    note(folder, "final", "train_model/NHITS", seconds=30, memory=600)
    return folder


def note(folder: Path, fit: str, job: str, seconds: float, memory: float, **more: object) -> None:
    """Write the outcome and the benchmark file of a fit of a model, given in `job`."""
    model = Path(job).name.removesuffix("_0")
    outcome = folder / "parts" / model / f"{fit}.json"
    outcome.parent.mkdir(parents=True, exist_ok=True)
    outcome.write_text(json.dumps({"status": "ok", "seconds": seconds} | more))
    benchmark = folder / "benchmarks" / f"{job}.tsv"
    benchmark.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:30\t{memory}\n")


def kind(**settings: object) -> str:
    resolved = resolve(ASKED | settings)
    return fit_history.kind(spec(resolved, "NHITS"), resolved)


def test_memory_is_the_earlier_maximum_plus_a_quarter_and_500_mb(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    costs = fit_history.costs(tmp_path)
    assert fit_history.memory(costs, kind(), size=1) == 600 * 1.25 + 500
    note(tmp_path / "a", "fold_0", "cross_validate/NHITS_0", seconds=40, memory=800)
    assert fit_history.memory(fit_history.costs(tmp_path), kind(), size=1) == 800 * 1.25 + 500


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"max_steps": 5, "learning_rate": 0.1, "seed": 3, "metrics": ["mae"]}, True),
        ({"models": [{"name": "mine", "model": "NHITS"}, "NHITS"]}, True),
        ({"windows_batch_size": 1024}, False),
        ({"input_size": 16}, False),
        ({"horizon": 5}, False),
        ({"precision": "bf16-mixed"}, False),
        ({"models": [{"name": "NHITS", "params": {"max_steps": 7}}]}, True),
        ({"models": [{"name": "NHITS", "params": {"batch_size": 7}}]}, False),
        ({"models": [{"name": "NHITS", "model": "NBEATS"}]}, False),
    ],
)
def test_fits_of_the_same_kind(settings: dict, same: bool) -> None:
    assert (kind(**settings) == kind()) is same


@pytest.mark.parametrize(("size", "found"), [(0.4, False), (0.6, True), (1.9, True), (2.2, False)])
def test_only_fits_on_data_of_similar_size_are_used(
    tmp_path: Path, size: float, found: bool
) -> None:
    make_run(tmp_path / "a", size=1 * MB)
    assert (fit_history.memory(fit_history.costs(tmp_path), kind(), size) is not None) is found


def test_time_grows_with_the_steps_from_the_nearest_run(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    fits = fit_history.costs(tmp_path)
    assert fit_history.seconds(fits, kind(), 1, windows=0, steps=200) == pytest.approx(60)
    make_run(tmp_path / "b", max_steps=300)  # 30 s as well, on a faster machine
    fits = fit_history.costs(tmp_path)
    assert fit_history.seconds(fits, kind(), 1, windows=0, steps=150) == pytest.approx(45)
    assert fit_history.seconds(fits, kind(), 1, windows=0, steps=600) == pytest.approx(60)


@pytest.mark.parametrize("model", ["SeasonalNaive", "AutoETS", "LightGBM", "DirectRidge"])
def test_time_of_a_model_without_steps_does_not_grow_with_max_steps(
    model: str, tmp_path: Path
) -> None:
    """Otherwise a preset of 1,500 steps would promise an hour for three seconds."""
    asked = {"models": [model], "baselines": []}
    few, many = (resolve(ASKED | asked | {"max_steps": number}) for number in (10, 1500))
    run = make_run(tmp_path / "a", max_steps=10, **asked)
    note(run, "final", f"train_model/{model}", seconds=3, memory=600)
    fits = fit_history.costs(tmp_path)
    for settings in (few, many):
        one = spec(settings, model)
        what = fit_history.kind(one, settings)
        steps = fit_history.steps(one, settings)
        assert fit_history.seconds(fits, what, 1, windows=0, steps=steps) == 3


def test_the_time_of_cross_validation_depends_on_its_windows(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    note(run, "fold_0", "cross_validate/NHITS_0", seconds=50, memory=800)
    fits = fit_history.costs(tmp_path)
    assert fit_history.seconds(fits, kind(), 1, windows=3, steps=100) == 50
    assert fit_history.seconds(fits, kind(), 1, windows=2, steps=100) is None


@pytest.mark.parametrize("more", [{"status": "failed"}, {"reused_from": "exp0"}])
def test_failed_and_reused_fits_are_not_used_for_estimates(tmp_path: Path, more: dict) -> None:
    run = make_run(tmp_path / "a")
    note(run, "final", "train_model/NHITS", seconds=1, memory=50, **more)
    assert fit_history.costs(tmp_path) == []


def test_only_the_newest_runs_are_read(tmp_path: Path) -> None:
    for number in range(3):
        run = make_run(tmp_path / f"r{number}")
        note(run, "final", "train_model/NHITS", seconds=30 + number, memory=600)
        os.utime(run, (number, number))
    assert [fit.seconds for fit in fit_history.costs(tmp_path, newest=2)] == [32, 31]


@pytest.mark.parametrize("content", [None, "", "{", "models: 3"])
@pytest.mark.parametrize("file", ["config.yaml", "parts/NHITS/final.json"])
def test_damaged_runs_are_ignored(tmp_path: Path, file: str, content: str | None) -> None:
    make_run(tmp_path / "whole")
    broken = make_run(tmp_path / "broken") / file
    broken.unlink()
    if content is not None:
        broken.write_text(content)
    (tmp_path / "empty").mkdir()
    assert len(fit_history.costs(tmp_path)) == 1


def test_durations_without_a_benchmark_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "benchmarks" / "train_model" / "NHITS.tsv").unlink()
    costs = fit_history.costs(tmp_path)
    assert fit_history.memory(costs, kind(), 1) is None
    assert fit_history.seconds(costs, kind(), 1, windows=0, steps=100) == 30


@pytest.mark.parametrize(
    ("error", "doubled"),
    [("ProcessKilled", 2), ("MemoryError", 2), ("JobKilled", 2), ("ForecastError", 0), (None, 0)],
)
def test_only_failures_for_lack_of_memory_increase_the_request(
    tmp_path: Path, error: str | None, doubled: int
) -> None:
    fit = Fit(RunPaths(tmp_path), "NHITS")
    failure = Failure(error, "it ended") if error else None
    Outcome(status="failed", error=failure, attempts=2).write(fit.outcome_path)
    assert fit.failures(among=fit_history.OF_MEMORY) == doubled
    assert fit.failures() == 2
    assert Fit(RunPaths(tmp_path), "NHITS", 0).failures(among=fit_history.OF_MEMORY) == 0


@pytest.mark.parametrize(
    ("cores", "asked", "threads"),
    [
        (2, {}, 1),  # two fits: the last one and that of cross-validation
        (4, {}, 2),
        (16, {}, 8),
        (16, {"models": ["NHITS", "NBEATS"]}, 4),
        (16, {"refit": True}, 4),  # three windows, each a fit
        (16, {"models": []}, 8),  # a statistical model, which divides its series
        (2, {"models": []}, 1),
        (1, {}, 1),
    ],
)
def test_cores_are_shared_among_the_fits_of_a_run(cores: int, asked: dict, threads: int) -> None:
    assert share(cores, resolve(ASKED | asked)) == threads


def test_times_for_presets_are_medians_of_such_fits(tmp_path: Path) -> None:
    for number, seconds in enumerate((10, 30, 80)):
        run = make_run(tmp_path / f"r{number}", windows_batch_size=fit_history.BATCH)
        note(run, "final", "train_model/NHITS", seconds=seconds, memory=600)
    make_run(tmp_path / "other", windows_batch_size=32)
    short = make_run(tmp_path / "short", windows_batch_size=fit_history.BATCH, max_steps=10)
    note(short, "final", "train_model/NHITS", seconds=90, memory=600)
    timings = fit_history.timings(tmp_path, None)
    assert timings.steps == {"NHITS": 0.3}
    assert fit_history.timings(tmp_path / "none", None) == Timings({}, {})


def test_times_of_other_models_are_those_on_the_same_file(tmp_path: Path) -> None:
    for name, file, seconds in (("a", DATA, 4), ("b", DATA, 6), ("c", tmp_path / "my.csv", 90)):
        run = make_run(tmp_path / name, data_file=str(file))
        note(run, "final", "train_baseline/SeasonalNaive", seconds=seconds, memory=90)
        note(run, "fold_0", "cross_validate/SeasonalNaive_0", seconds=50, memory=90)
    given = {"name": "SeasonalNaive", "params": {"season_length": 3}}
    other = make_run(tmp_path / "d", data_file=str(DATA), baselines=[given])
    note(other, "final", "train_baseline/SeasonalNaive", seconds=900, memory=90)
    assert fit_history.timings(tmp_path, None).fits == {"SeasonalNaive": 5}
    assert fit_history.timings(tmp_path, str(tmp_path / "my.csv")).fits == {"SeasonalNaive": 90}
