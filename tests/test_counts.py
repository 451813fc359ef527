"""Machine-independent counts must not increase: see benchmarks/counts.py."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from running import PROGRAMS, PROJECT, SNAKEMAKE

BENCHMARKS = PROJECT / "benchmarks"
KNOWN = json.loads((BENCHMARKS / "counts.json").read_text())


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location("counts", BENCHMARKS / "counts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long  # the next test counts all but interpreters
@pytest.mark.slow
def test_nothing_does_more_than_before() -> None:
    command = [sys.executable, str(BENCHMARKS / "counts.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_no_run_does_more_than_before(
    counts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but interpreters: there are none for jobs in forks (tests/forking.py)."""
    run = counts.run

    def forked(command: list[str], folder: Path, **env: str) -> None:
        if command[0] != SNAKEMAKE:
            run(command, folder, **env)
            return
        done = PROGRAMS.run(command[1:], folder, os.environ | env, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]

    monkeypatch.setattr(counts, "run", forked)
    found = counts.commands(tmp_path) | counts.workflows(tmp_path) | counts.listing(tmp_path)
    assert counts.rises(KNOWN, found) == []


@pytest.mark.parametrize(
    ("name", "count", "change", "told"),
    [
        ("a run", "trainings", 1, True),
        ("a run", "trainings", -1, False),
        ("a run that shares its models", "trainings", 1, True),
        ("a run", "interpreters", 1, True),
        ("nothing to do", "files", 1, True),
        ("list-runs", "heavy", 1, True),
        ("--help", "modules", 10, False),  # other versions of libraries have a few more
        ("--help", "modules", 100, True),
    ],
)
def test_a_rise_is_named(
    counts: ModuleType, name: str, count: str, change: int, told: bool
) -> None:
    found = json.loads(json.dumps(KNOWN))
    found[name][count] += change
    lines = counts.rises(KNOWN, found)
    assert [line.split(":")[0].strip() for line in lines] == ([name] if told else [])


def test_counts_on_one_side_only_are_reported(counts: ModuleType) -> None:
    fewer = {name: KNOWN[name] for name in list(KNOWN)[1:]}
    assert len(counts.rises(fewer, KNOWN)) == len(counts.rises(KNOWN, fewer)) == 2
