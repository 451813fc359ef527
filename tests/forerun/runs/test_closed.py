"""Closed outputs, and outputs of an unsealed run that are made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import make_run

from forerun.config.frozen import read_frozen
from forerun.runs import scores
from forerun.runs.closed import Closed, outdated
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths


@pytest.fixture
def unsealed(tmp_path: Path) -> RunPaths:
    """A run of NHITS, whose final fit failed, SeasonalNaive and AutoETS."""
    return RunPaths(make_run(tmp_path, models=1, series=1, failed=["NHITS"], sealed=False))


def test_a_run_that_does_not_exist_is_open(tmp_path: Path) -> None:
    closed = Closed.of(RunPaths(tmp_path / "new"))
    for part in ("config.yaml", "parts/NHITS/final.json", "SEALED", "predictions"):
        assert closed.barrier(part) is None


def test_a_run_that_is_not_sealed_keeps_its_data_and_completed_fits(unsealed: RunPaths) -> None:
    closed = Closed.of(unsealed)
    assert closed.barrier("data.parquet") == "config.yaml/read-only"
    assert closed.barrier("parts/AutoETS/final.json") == "parts/AutoETS/final.json/read-only"
    assert closed.barrier("models/AutoETS") == "parts/AutoETS/final.json/read-only"
    assert closed.barrier("parts/AutoETS/fold_0.parquet") == "parts/AutoETS/fold_0.json/read-only"
    for part in ("parts/NHITS/final.json", "models/NHITS", "status/AutoETS.json", "SEALED"):
        assert not closed.holds(part), part


def test_sealed_files_are_closed_and_derived_files_open(tmp_path: Path) -> None:
    run = RunPaths(make_run(tmp_path, models=1, series=1))
    closed = Closed.of(run)
    for part in ("config.yaml", "parts/NHITS/final.json", "models/NHITS", "status/NHITS.json"):
        assert closed.barrier(part) == "SEALED/read-only"
    for part in ("metrics.csv", "leaderboard.csv", "cv_results_NHITS.csv", "SEALED"):
        assert closed.holds(part)
    for part in ("predictions", "plots", "report.html", "checksums/plots.json"):
        assert not closed.holds(part)


def test_a_barrier_cannot_exist(unsealed: RunPaths) -> None:
    closed = Closed.of(unsealed)
    for part in ("config.yaml", "parts/AutoETS/final.json"):
        barrier = unsealed.folder / str(closed.barrier(part))
        with pytest.raises(NotADirectoryError):
            barrier.touch()


def test_failed_fits_and_dependent_files_are_made_again(unsealed: RunPaths) -> None:
    settings = read_frozen(unsealed.config)
    expected = ["parts/NHITS/final.json", "status/NHITS.json", "predictions"]
    again = set(outdated(unsealed, settings))
    assert set(expected) <= again
    assert not [name for name in again if "AutoETS" in name]
    # A killed fit has no outcome, so its model is collected again.
    (unsealed.folder / "parts" / "AutoETS" / "fold_0.json").unlink()
    assert set(outdated(unsealed, settings)) == again | {"status/AutoETS.json"}


def test_a_fit_whose_product_was_removed_is_made_again(unsealed: RunPaths) -> None:
    settings, final = read_frozen(unsealed.config), Fit(unsealed, "AutoETS")
    assert not final.needs_retry()
    for file in final.product_path.iterdir():
        file.unlink()
    assert final.needs_retry()
    again = outdated(unsealed, settings)
    assert {"parts/AutoETS/final.json", "status/AutoETS.json"} <= set(again)
    assert not Closed.of(unsealed).holds("models/AutoETS")


def test_missing_scores_are_made_again(unsealed: RunPaths) -> None:
    settings = read_frozen(unsealed.config)
    for name in ("metrics.csv", "ensemble.json", "cv_results_per_series.csv"):
        (unsealed.folder / name).touch()
    (unsealed.folder / "cv_results_ensemble.csv").touch()
    assert scores.are_complete(unsealed)
    assert "leaderboard.csv" not in outdated(unsealed, settings)
    (unsealed.folder / "cv_results_ensemble.csv").unlink()
    assert "leaderboard.csv" in outdated(unsealed, settings)


def test_a_run_is_sealed_only_if_failures_are_accepted(unsealed: RunPaths) -> None:
    models = ["NHITS", "SeasonalNaive", "AutoETS"]
    assert not scores.allow_seal(unsealed, models, accept_failures=False)
    assert scores.allow_seal(unsealed, models, accept_failures=True)
    assert not scores.allow_seal(unsealed, ["NHITS"], accept_failures=True)


def test_existing_scores_are_listed(unsealed: RunPaths) -> None:
    (unsealed.folder / "cv_results_ensemble.csv").unlink(missing_ok=True)
    (unsealed.folder / "cv_results_best.csv").touch()
    named = scores.existing(unsealed, ["AutoETS", "Gone"])
    assert {"metrics.csv", "cv_results_AutoETS.csv", "cv_results_best.csv"} <= set(named)
    assert not {"cv_results_Gone.csv", "cv_results_ensemble.csv"} & set(named)
