"""Collection of the fits of a model: status, costs and back-tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import make_run

from forerun.base.bounded import Damaged
from forerun.base.files import write_text
from forerun.jobs.collect import collect
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, ModelStatus, Outcome
from forerun.runs.paths import RunPaths
from forerun.runs.tables import read_cv_results


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """A run whose NHITS took 3.2 s and 800.5 MB in the final fit and in cross-validation."""
    return RunPaths(make_run(tmp_path, models=1, series=2, sealed=False))


def change(fit: Fit, **values: object) -> None:
    outcome = fit.outcome()
    assert outcome
    replace(outcome, **values).write(fit.outcome_path)  # type: ignore[arg-type]


def measure(fit: Fit, seconds: float, memory: float) -> None:
    """Write a benchmark file of Snakemake."""
    write_text(fit.benchmark_path, f"s\th:m:s\tmax_rss\n{seconds}\t0:00:30\t{memory}\n")


def test_a_model_whose_fits_are_all_completed(run: RunPaths) -> None:
    change(Fit(run, "NHITS"), attempts=2, reused_from="exp0")
    run.cv_results("NHITS").unlink()
    status = collect(run, "NHITS")
    assert ModelStatus.read(run.status("NHITS")) == status
    assert (status.status, status.error, status.stage, status.log) == ("ok", None, None, None)
    assert (status.attempts, status.reused_from) == (2, "exp0")
    assert (status.train_seconds, status.cv_seconds, status.peak_memory_mb) == (3.2, 3.2, 800.5)
    table = read_cv_results(run.cv_results("NHITS"))
    errors = (table["NHITS"] - table["y"]).abs().groupby(table["unique_id"]).mean()
    assert status.scores["mae"] == pytest.approx(errors.mean())


def test_series_with_a_naive_forecast_are_noted(run: RunPaths) -> None:
    for fit, rows in {Fit(run, "NHITS"): "b\n", Fit(run, "NHITS", 0): "a\nb\n"}.items():
        write_text(fit.kept_path("fallback"), f"unique_id\n{rows}")
    status = collect(run, "NHITS")
    assert (status.is_ok, status.error) == (True, None)
    assert status.note
    assert status.note.startswith("naive forecast for 2 series, e.g. 'a'")
    earlier = status.as_dict() | {"error": {"class": "", "message": status.note}}
    assert ModelStatus.of({**earlier, "note": None}) == status


def test_snakemake_s_measurements_are_used(run: RunPaths) -> None:
    measure(Fit(run, "NHITS"), seconds=10, memory=700)
    measure(Fit(run, "NHITS", 0), seconds=20, memory=900)
    # Forked: Snakemake measured only the waiting job, so the child's own seconds are used.
    change(Fit(run, "NHITS", 0), usage={"max_rss": 950.0})
    status = collect(run, "NHITS")
    assert (status.train_seconds, status.cv_seconds, status.peak_memory_mb) == (10, 3.2, 950)


def test_a_failed_fit_has_precedence_over_a_skipped_one(run: RunPaths) -> None:
    change(Fit(run, "NHITS"), status="skipped", error=Failure("TimeLimit", "no time"))
    assert collect(run, "NHITS").status == "skipped"
    failure = Failure("ValueError", "loss is NaN")
    change(Fit(run, "NHITS", 0), status="failed", error=failure, log="a.log")
    status = collect(run, "NHITS")
    assert (status.status, status.error, status.log) == ("failed", failure, "a.log")
    assert (status.stage, status.scores) == ("cross_validate", {})
    assert read_cv_results(run.cv_results("NHITS")).empty


def test_a_damaged_outcome_is_refused(run: RunPaths) -> None:
    path = Fit(run, "NHITS", 0).outcome_path
    path.write_text("{")
    with pytest.raises(Damaged, match=r"fold_0\.json: is damaged; remove it"):
        collect(run, "NHITS")
    assert Outcome.read(path) is None
