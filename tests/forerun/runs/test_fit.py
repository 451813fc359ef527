"""Names, paths and outcomes of fits, and whether they need work."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from forerun.base.files import write_json
from forerun.config.frozen import read_frozen
from forerun.runs.fit import Fit, completed_outputs, fits, recorded_fits, unfinished_models
from forerun.runs.outcome import Failure, ModelStatus, Outcome
from forerun.runs.paths import RunPaths

FAILED = Outcome(status="failed", error=Failure("ValueError", "loss is NaN"), attempts=3)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run of NHITS, whose final fit failed, SeasonalNaive and AutoETS, with one fold each."""
    return RunPaths(make_run(tmp_path, models=1, series=1, failed=["NHITS"], sealed=False))


def relative(fit: Fit) -> dict[str, str]:
    kinds = ("outcome", "product", "log", "benchmark", "progress", "lease", "checkpoint")
    return {kind: str(getattr(fit, f"{kind}_path").relative_to("runs/exp1")) for kind in kinds}


def test_files_of_the_final_fit() -> None:
    fit = Fit(RunPaths.of("runs", "exp1"), "NHITS")
    assert (fit.name, fit.words, fit.stage) == ("final", "final fit", "train_model")
    assert relative(fit) == {
        "outcome": "parts/NHITS/final.json",
        "product": "models/NHITS",
        "log": "logs/train_model/NHITS.log",
        "benchmark": "benchmarks/train_model/NHITS.tsv",
        "progress": "logs/train_model/NHITS.progress.json",
        "lease": "logs/train_model/NHITS.claim",
        "checkpoint": "logs/train_model/NHITS.checkpoint",
    }
    assert fit.kept_path("trials") == Path("runs/exp1/parts/NHITS/final_trials.csv")


def test_files_of_a_fold() -> None:
    fit = Fit(RunPaths.of("runs", "exp1"), "NHITS", 2)
    assert (fit.name, fit.words, fit.stage) == ("fold_2", "back-test 3", "cross_validate")
    assert relative(fit) == {
        "outcome": "parts/NHITS/fold_2.json",
        "product": "parts/NHITS/fold_2.parquet",
        "log": "logs/cross_validate/NHITS_2.log",
        "benchmark": "benchmarks/cross_validate/NHITS_2.tsv",
        "progress": "logs/cross_validate/NHITS_2.progress.json",
        "lease": "logs/cross_validate/NHITS_2.claim",
        "checkpoint": "logs/cross_validate/NHITS_2.checkpoint",
    }
    assert fit.kept_path("trials") == Path("runs/exp1/parts/NHITS/fold_2_trials.csv")


def test_all_fits_of_a_run(run: RunPaths) -> None:
    settings = read_frozen(run.config) | {"n_windows": 3, "refit": True}
    found = [(fit.model, fit.name) for fit in fits(run, settings)]
    names = ["final", "fold_0", "fold_1", "fold_2"]
    models = ["SeasonalNaive", "AutoETS", "NHITS"]
    assert found == [(model, name) for model in models for name in names]
    assert [fit.model for fit in fits(run, settings, "NHITS")] == ["NHITS"] * 4


def test_recorded_fits_are_those_with_an_outcome(run: RunPaths) -> None:
    Fit(run, "AutoETS").outcome_path.unlink()
    for name in ("final_trials.json", "fold_x.json", "fold_01.json", "notes.json"):
        write_json(run.folder / "parts" / "NHITS" / name, {"status": "failed"})
    write_json(run.folder / "parts" / "a b" / "final.json", {"status": "failed"})
    assert list(recorded_fits(run)) == [
        Fit(run, "AutoETS", 0), Fit(run, "NHITS"), Fit(run, "NHITS", 0),
        Fit(run, "SeasonalNaive"), Fit(run, "SeasonalNaive", 0),
    ]  # fmt: skip


def test_completed_needs_the_outcome_ok_and_the_product(run: RunPaths) -> None:
    final, fold = Fit(run, "AutoETS"), Fit(run, "AutoETS", 0)
    assert final.is_completed()
    assert fold.is_completed()
    Fit(run, "SeasonalNaive", 0).product_path.unlink()
    assert completed_outputs(run) == [
        "parts/AutoETS/final.json", "models/AutoETS",
        "parts/AutoETS/fold_0.json", "parts/AutoETS/fold_0.parquet",
        "parts/NHITS/fold_0.json", "parts/NHITS/fold_0.parquet",
        "parts/SeasonalNaive/final.json", "models/SeasonalNaive",
    ]  # fmt: skip
    for file in final.product_path.iterdir():
        file.unlink()
    (final.product_path / ".snakemake_timestamp").touch()
    assert not final.is_completed()
    fold.outcome_path.write_text("{")
    assert not fold.is_completed()
    assert not Fit(run, "NHITS").is_completed()


def test_unfinished_fits_are_retried(run: RunPaths) -> None:
    assert not Fit(run, "AutoETS").needs_retry()
    assert Fit(run, "NHITS").needs_retry()  # failed
    fold = Fit(run, "AutoETS", 0)
    fold.product_path.unlink()
    assert fold.needs_retry()
    fold.outcome_path.unlink()
    assert not fold.needs_retry()  # it has not ended
    Fit(run, "SeasonalNaive").outcome_path.write_text("{")
    assert Fit(run, "SeasonalNaive").needs_retry()


def test_failures_in_a_row(run: RunPaths) -> None:
    fit = Fit(run, "NHITS")
    assert fit.failures() == 1
    FAILED.write(fit.outcome_path)
    assert fit.failures() == 3
    assert fit.failures(among=("ValueError", "MemoryError")) == 3
    assert fit.failures(among=("MemoryError",)) == 0
    Outcome(status="skipped", attempts=2).write(fit.outcome_path)
    assert fit.failures() == 2
    Outcome(status="ok", attempts=4).write(fit.outcome_path)
    assert fit.failures() == 0
    fit.outcome_path.unlink()
    assert fit.failures() == 0


def test_unfinished_models_and_why(run: RunPaths) -> None:
    reason = "NHITS could not be trained: loss is NaN"
    assert unfinished_models(run) == {"NHITS": reason}
    late = Fit(run, "AutoETS", 0)
    Outcome(status="skipped").write(late.outcome_path)
    assert unfinished_models(run) == {"AutoETS": "no reason given", "NHITS": reason}
    assert unfinished_models(run, statuses=["failed"]) == {"NHITS": reason}
    os.utime(Fit(run, "NHITS").outcome_path, (1000, 1000))
    assert unfinished_models(run, since=2000) == {"AutoETS": "no reason given"}


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "final.json"
    whole = Outcome(
        status="failed", error=Failure("ProcessKilled", "killed by SIGKILL"), stage="train_model",
        log="a.log", attempts=2, peak_memory_mb=812.5, reused_from="exp0", finished_at="then",
        seconds=3.25, cpu_seconds=0.0, started_at="before", gpu="0", usage={"max_rss": 800.0},
    )  # fmt: skip
    whole.write(path)
    assert json.loads(path.read_text())["error"] == {
        "class": "ProcessKilled",
        "message": "killed by SIGKILL",
    }
    assert Outcome.read(path) == whole
    Outcome(status="ok").write(path)
    found = json.loads(path.read_text())
    assert not {"cpu_seconds", "gpu", "usage"} & found.keys()
    assert (found["error"], found["peak_memory_mb"], found["seconds"]) == (None, None, 0.0)


def test_a_model_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "NHITS.json"
    status = ModelStatus(status="ok", model="NHITS", train_seconds=2.0, scores={"mae": 1.5})
    status.write(path)
    assert ModelStatus.read(path) == status
    found = json.loads(path.read_text())
    assert (found["model"], found["scores"], found["stage"]) == ("NHITS", {"mae": 1.5}, None)
    ModelStatus(status="failed", model="NHITS").write(path)
    assert "scores" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    "value",
    [[], "ok", {}, {"status": "fine"}, {"status": ["ok"]}, {"error": {"class": "E"}}, None],
)
def test_invalid_outcomes(tmp_path: Path, value: Any) -> None:
    write_json(tmp_path / "final.json", value)
    assert Outcome.read(tmp_path / "final.json") is None


def test_values_of_the_wrong_type_count_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "final.json"
    wrong = {
        "status": "failed", "error": {"class": 7, "message": ["x"]}, "attempts": "m",
        "seconds": "1e9", "peak_memory_mb": True, "log": {"a": 1}, "unknown": 1, "gpu": 3,
        "usage": {"max_rss": "x", "s": 2},
    }  # fmt: skip
    write_json(path, wrong)
    assert Outcome.read(path) == Outcome(status="failed", error=Failure(), usage={"s": 2.0})
    assert Outcome(status="failed", error=Failure()).reason == "no reason given"
    path.write_text('{"status": "ok", "seconds": 1e999, "attempts": ' + "9" * 400 + "}")
    assert Outcome.read(path) == Outcome(status="ok")
