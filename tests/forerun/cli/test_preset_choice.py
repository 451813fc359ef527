"""The choice of a preset is made once: by the command, whose Snakemake receives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from forerun.cli.call import Call
from forerun.cli.training import choose_by_preset
from forerun.config.presets import Timings
from forerun.config.typed import assignment
from forerun.jobs import fit_history
from forerun.runs.request import Request

GIVEN = {"preset": "best", "time_limit": 120}


def requested(call: Call, folder: Path) -> Request:
    """Return the request of the Snakemake that a call starts, after faster fits have ended."""
    words = call.arguments()[1:]
    layers = Call.of([], dict(assignment(word, quoted=True) for word in words))
    faster = Timings({"NHITS": 0.001, "NBEATS": 0.001, "TiDE": 0.001})
    return Request(folder, layers.all, layers, cores=2, timings=lambda data_file: faster)


def test_snakemake_does_not_choose_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    slow = Timings({"NHITS": 0.1, "NBEATS": 0.1, "TiDE": 9.0})
    monkeypatch.setattr(fit_history, "timings", lambda runs, data_file: slow)
    call = Call(options=dict(GIVEN))
    choose_by_preset(call, tmp_path)
    assert "max_steps 150, seeds 1, without TiDE (by earlier fits)" in capsys.readouterr().out
    settings = requested(call, tmp_path).settings("new")
    assert (settings["max_steps"], settings["seeds"], settings["refit"]) == (150, 1, False)
    assert [item["name"] for item in settings["models"]] == ["LightGBM", "NHITS", "NBEATS"]
    assert settings["windows_batch_size"] == 128
    assert capsys.readouterr().err == ""


def test_snakemake_alone_chooses_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    request = requested(Call(options=dict(GIVEN)), tmp_path)
    assert request.settings("new")["seeds"] == 3
    assert "forerun: note: run 'new': preset best within" in capsys.readouterr().err


def test_without_a_time_limit_nothing_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = Call(options={"preset": "best"})
    choose_by_preset(call, tmp_path)
    assert call.options == {"preset": "best"}
    assert requested(call, tmp_path).settings("new")["seeds"] == 3
