"""``forerun store``: what it lists, and what it removes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forerun.cli.app import run as forerun
from forerun.jobs import model_cache
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(run_id: str, seconds: float) -> Fit:
    """Put a model of a run into the cache."""
    fit = Fit(RunPaths(Path("runs") / run_id), "NHITS", None)
    fit.product_path.mkdir(parents=True)
    (fit.product_path / "weights.bin").write_bytes(run_id.encode())
    model_cache.put(fit, {"stage": fit.stage, "seed": run_id}, seconds)
    return fit


def test_an_empty_cache(capsys: Capture) -> None:
    assert forerun(["store"]) == 0
    assert capsys.readouterr().out == f"no entries in {Path('runs') / '.store'}\n"


def test_entries_are_listed_and_damaged_ones_named(capsys: Capture) -> None:
    put("one", 12.5)
    put("two", 3)
    first, second = model_cache.entries(Path("runs/.store"))
    (second.folder / "entry.json").write_text("{")
    assert forerun(["store", "list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    columns = ["key", "stage", "model", "trained by", "seconds", "stored at"]
    assert [name.strip() for name in head.split("  ") if name.strip()] == columns
    seconds = {"one": "12.5", "two": "3.0"}[first.info["run_id"]]
    row = [first.key[:12], "train_model", "NHITS", first.info["run_id"], seconds]
    assert lines[0].split() == [*row, first.info["stored_at"]]
    assert lines[1:] == [f"{second.key[:12]}  damaged: will be removed instead of reused"]


def test_only_old_or_unused_entries_are_removed(capsys: Capture) -> None:
    used, unused = put("used", 1), put("unused", 1)
    shutil.rmtree(unused.run.folder)
    place = Path("runs/.store")
    for options, left in (
        (["--older-than", "1"], ["unused", "used"]),
        (["--unused"], ["used"]),
        ([], []),
    ):
        assert forerun(["store", "prune", *options]) == 0
        assert sorted(entry.info["run_id"] for entry in model_cache.entries(place)) == left
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "1"]
    assert (used.product_path / "weights.bin").read_bytes() == b"used"
