"""The end of a call: refusals of jobs, failed models, the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.jobs.logs import recording
from forerun.runs import refusals
from forerun.runs.endings import Ending
from forerun.runs.paths import RunPaths
from forerun.runs.records import strays
from forerun.runs.seal import PARTS, verify


def refuse(log: Path) -> None:
    with pytest.raises(SystemExit) as ended, recording(str(log)):
        raise UserError("column 'y' is missing")
    assert ended.value.code == 2


def test_a_refused_job_leaves_a_file_until_it_starts_again(tmp_path: Path) -> None:
    log = tmp_path / "exp1" / "logs" / "freeze_run.log"
    refuse(log)
    left = json.loads((log.parent / "freeze_run.refused.json").read_text())
    assert left["message"] == "column 'y' is missing"
    assert left.keys() == {"message", "at"}
    assert Ending.of([RunPaths(tmp_path / "exp1")], since=0).code == 2
    with recording(str(log)):
        pass
    assert Ending.of([RunPaths(tmp_path / "exp1")], since=0).code == 0


def test_the_next_call_removes_the_file(tmp_path: Path) -> None:
    refuse(tmp_path / "exp1" / "logs" / "predict_shard" / "1-of-2.log")
    assert refusals.is_refused(tmp_path / "exp1")
    refusals.clear_run(tmp_path / "exp1")
    assert not refusals.is_refused(tmp_path / "exp1")


def test_a_word_in_a_log_is_not_a_refusal(tmp_path: Path) -> None:
    with recording(str(tmp_path / "exp1" / "logs" / "freeze_run.log")):
        print("forerun: error: printed by a library")
    assert not refusals.is_refused(tmp_path / "exp1")


def test_a_sealed_run_keeps_its_seal(tmp_path: Path) -> None:
    run = make_run(tmp_path, models=1, series=1)
    refuse(run / "logs" / "predict_run.log")
    assert verify(run) == {"missing": [], "changed": [], "extra": []}
    assert not strays(run, PARTS)
    ending = Ending.of([RunPaths(run)], since=0)
    assert (ending.code, ending.refused, ending.lines) == (2, ["exp1"], [])


def test_failed_models_are_named(tmp_path: Path) -> None:
    run = RunPaths(make_run(tmp_path, models=1, series=1, failed=["NHITS"], sealed=False))
    ending = Ending.of([run], since=0)
    assert ending.code == 1
    assert ending.lines[0].startswith("forerun: run 'exp1': NHITS failed: ")
    assert "accept_failures=true" in ending.lines[-1]
    refuse(run.logs / "seal_run.log")  # not sealed because of them, with the same exit code
    assert Ending.of([run], since=0).code == 1
