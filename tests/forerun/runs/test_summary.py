"""The summary of a sealed run: the row of its folder, used only while they agree."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from synthetic import make_run

from forerun.runs import archive, seal, summary
from forerun.runs.listing import read_run
from forerun.runs.paths import RunPaths


@pytest.fixture
def run(tmp_path: Path) -> Path:
    import seal_run

    folder = make_run(tmp_path / "runs", series=2, failed=["LSTM"], sealed=False)
    paths = RunPaths(folder)
    seal_run.main(
        folder, paths.leaderboard, paths.sealed, ["NHITS", "LSTM"], True, tmp_path / "log"
    )
    return folder


def is_used(folder: Path) -> bool:
    return summary.fill(summary.Row("x"), str(folder))


def test_the_row_equals_that_of_the_folder(run: Path) -> None:
    assert is_used(run)
    with_summary = read_run(run)
    (run / summary.NAME).unlink()
    without = read_run(run)
    assert with_summary == without
    assert with_summary.state == "complete"
    assert (with_summary.failed, with_summary.horizon) == (1, 12)
    assert with_summary.error is not None


def test_it_opens_one_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("forerun.runs.listing.open_regular", lambda *a: opened.append(str(a)))
    monkeypatch.setattr("forerun.runs.listing.read_text", lambda *a: opened.append(str(a)))
    assert read_run(run).best
    assert opened == []


@pytest.mark.parametrize("name", summary.SOURCES)
def test_the_folder_has_precedence(run: Path, name: str) -> None:
    path = run / name
    content = path.read_text()
    if name == "leaderboard.csv":
        best = read_run(run).best
        content = content.replace(str(best), "CHANGED")
    path.write_text(content)
    os.utime(path, ns=(1, 1))
    assert not is_used(run)
    assert read_run(run).best == ("CHANGED" if name == "leaderboard.csv" else read_run(run).best)
    path.unlink()
    assert not is_used(run)


def test_a_broken_seal_and_a_run_without_one(run: Path) -> None:
    (run / "SEALED").unlink()
    assert not is_used(run)
    assert read_run(run).state == "partial"
    (run / "SEALED").mkdir()
    assert not is_used(run)
    assert "SEALED cannot be read" in read_run(run).status


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\ud800", '{"sources": 3, "run": {}}'])
def test_damaged_summaries_are_ignored(run: Path, content: str) -> None:
    (run / summary.NAME).write_bytes(content.encode("utf-8", "surrogatepass"))
    assert not is_used(run)
    assert read_run(run).state == "complete"


def test_values_of_the_wrong_type_are_ignored(run: Path) -> None:
    record = json.loads((run / summary.NAME).read_text())
    record["run"]["models"] = 3
    (run / summary.NAME).write_text(json.dumps(record))
    assert not is_used(run)
    record["run"] |= {"models": ["A"], "error": "small", "state": "broken"}
    (run / summary.NAME).write_text(json.dumps(record))
    row = read_run(run)
    assert (row.models, row.error, row.state) == (["A"], None, "complete")


def test_pipes_and_links_are_ignored(run: Path, tmp_path: Path) -> None:
    moved = (run / summary.NAME).rename(tmp_path / "elsewhere.json")
    (run / summary.NAME).symlink_to(moved)
    assert not is_used(run)
    (run / summary.NAME).unlink()
    os.mkfifo(run / summary.NAME)
    assert not is_used(run)


def test_the_summary_is_neither_extra_nor_exported(run: Path, tmp_path: Path) -> None:
    assert seal.verify(run) == {"missing": [], "changed": [], "extra": []}
    assert not any(checked.wrong for checked in seal.verify_derived(run).values())
    archive.export_run(run, tmp_path / "run.tar.gz")
    copy = archive.import_run(tmp_path / "run.tar.gz", tmp_path / "others")
    assert not (copy / summary.NAME).exists()
    assert read_run(copy).best == read_run(run).best
