"""Machine-independent counts must not increase: see benchmarks/counts.py."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import coverage
import pyarrow
import pytest
from running import PROGRAMS, PROJECT, SNAKEMAKE

BENCHMARKS = PROJECT / "benchmarks"
COUNTS = json.loads((BENCHMARKS / "counts.json").read_text())


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location("counts", BENCHMARKS / "counts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long  # the next test compares all but interpreters
@pytest.mark.slow
def test_counts_of_commands_do_not_increase() -> None:
    command = [sys.executable, str(BENCHMARKS / "counts.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_counts_of_runs_do_not_increase(
    counts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interpreters are not compared, because jobs run in forks (tests/forking.py)."""
    if coverage.Coverage.current() is not None:
        pytest.skip("coverage has modules too")
    run = counts.run

    def forked(command: list[str], folder: Path, **env: str) -> None:
        if command[0] != SNAKEMAKE:
            run(command, folder, **env)
            return
        done = PROGRAMS.run(command[1:], folder, os.environ | env, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]

    monkeypatch.setattr(counts, "run", forked)
    found = counts.commands(tmp_path) | counts.workflows(tmp_path) | counts.listing(tmp_path)
    found |= counts.tables(tmp_path)
    assert counts.rises(COUNTS, found) == []


def test_tables_are_counted_in_any_process_and_library(counts: ModuleType, tmp_path: Path) -> None:
    path, folder = tmp_path / "x" / "table.csv", tmp_path / "x"
    folder.mkdir()
    path.write_text("a\n1\n")
    (tmp_path / "note.txt").write_text("a")
    with counts.tables_read(tmp_path) as read:
        path.read_text()
        path.read_text()
        subprocess.run(["cat", str(path)], check=True, capture_output=True)
        with pyarrow.OSFile(str(path)) as file:
            file.read()
        path.stat()
        (tmp_path / "note.txt").read_text()
        (folder / "new.parquet").write_bytes(b"1")  # written, not read
    assert read == [path] * 4


@pytest.mark.parametrize(
    ("name", "count", "change", "reported"),
    [
        ("a run", "trainings", 1, True),
        ("a run", "trainings", -1, False),
        ("a run that shares its models", "trainings", 1, True),
        ("a run", "interpreters", 1, True),
        ("nothing to do", "files", 1, True),
        ("list-runs", "heavy", 1, True),
        ("show of sealed runs", "tables read", 1, True),
        ("predictions of a sealed run", "tables read", 1, True),
        ("--help", "modules", 10, False),  # other versions of libraries have a few more
        ("--help", "modules", 100, True),
    ],
)
def test_an_increase_is_reported(
    counts: ModuleType, name: str, count: str, change: int, reported: bool
) -> None:
    found = json.loads(json.dumps(COUNTS))
    found[name][count] += change
    lines = counts.rises(COUNTS, found)
    assert [line.split(":")[0].strip() for line in lines] == ([name] if reported else [])


def test_counts_on_one_side_only_are_reported(counts: ModuleType) -> None:
    fewer = {name: COUNTS[name] for name in list(COUNTS)[1:]}
    assert len(counts.rises(fewer, COUNTS)) == len(counts.rises(COUNTS, fewer)) == 2
