"""The live progress table of a run."""

from __future__ import annotations

import io
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fits_at_work import by_fit, make_run_at_work, state_of_fit
from rich.console import Console

from forerun.base.files import write_json
from forerun.cli.board import Board, sentence, stage
from forerun.cli.board_table import draw
from forerun.runs.progress import (
    FAILED,
    OK,
    RUNNING,
    STOPPED,
    WAITING,
    FitState,
    figures,
    share,
    survey,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run_at_work(tmp_path)


def test_a_fit_stopped_by_the_time_limit_is_not_completed(folder: Path) -> None:
    path = folder / "parts" / "NHITS" / "final.json"
    reason = "ended after 9 s: the time_limit of 20 s had passed"
    write_json(path, {"status": "skipped", "error": {"class": "TimeLimit", "message": reason}})
    before = share(survey(folder))
    found = by_fit(folder)["NHITS", "final"]
    assert (found.state, found.reason, found.share) == (STOPPED, reason, 0.0)
    assert sentence(found) == f"NHITS: final fit stopped: {reason}"
    assert before == pytest.approx((6 + 1 + 0.4) / 10)
    states = [each for each in survey(folder) if each.fit.model == "NHITS"]
    shown = io.StringIO()
    console = Console(file=shown, width=120)
    console.print(draw("exp1", states, "", (120, 40)))
    assert "■ stopped: ended" in shown.getvalue()
    assert "0 of 2 fits, 1 stopped" in shown.getvalue()
    assert by_fit(folder, since=time.time() + 60)["NHITS", "final"].state == WAITING


def plain_lines(folder: Path, **options: Any) -> list[str]:
    out = io.StringIO()
    with Board(folder, console=Console(file=out), **options):
        pass
    return out.getvalue().splitlines()


def test_plain_mode_prints_one_line_per_event(folder: Path) -> None:
    lines = plain_lines(folder, since=0.0)
    assert len(lines) == 8  # six completed, one failed, one running; none of the waiting fits
    assert "NBEATS: final fit: step 20 of 50, loss 0.25, about 12 s left" in lines
    failure = next(line for line in lines if "failed" in line)
    assert failure.startswith(
        "LSTM: final fit failed: LSTM could not be trained: loss is NaN (log: "
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", "".join(lines))


def test_plain_mode_prints_only_new_events(folder: Path) -> None:
    for path in folder.glob("parts/*/*.json"):
        os.utime(path, (1000, 1000))
    assert [line.split(":")[0] for line in plain_lines(folder, since=2000.0)] == ["NBEATS"]


def test_events_are_printed_once_and_immediately(folder: Path) -> None:
    out = io.StringIO()
    board = Board(folder, console=Console(file=out), since=0.0)
    board.refresh()
    before = out.getvalue()
    board.refresh()
    assert out.getvalue() == before
    outcome = {"status": "ok", "seconds": 21.4, "error": None}
    time.sleep(0.02)
    write_json(folder / "parts" / "NBEATS" / "final.json", outcome)
    board.refresh()
    assert out.getvalue()[len(before) :] == "NBEATS: final fit done in 21 s\n"


def test_control_characters_of_a_reason_are_not_printed(folder: Path) -> None:
    path = folder / "parts" / "LSTM" / "final.json"
    error = {"class": "E", "message": "\x1b[31mred\nsecond line"}
    write_json(path, {"status": "failed", "error": error, "log": "a.log"})
    line = next(line for line in plain_lines(folder, since=0.0) if line.startswith("LSTM: final"))
    assert line == "LSTM: final fit failed: [31mred second line (log: a.log)"


def test_terminal_shows_a_table_and_failures_above_it(folder: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=110, height=30, color_system=None)
    with Board(folder, console=console, since=0.0) as board:
        assert not board.plain
    text = out.getvalue()
    assert "LSTM: final fit failed: LSTM could not be trained" in text
    last = text[text.rindex("Model") :]
    assert re.search(r"NBEATS +▸ final fit .*20/50 +0\.25 ", last)
    assert re.search(r"NHITS +· waiting", last)
    assert re.search(r"exp1 .*6 of 10 fits, 1 failed", last)


def test_errors_do_not_stop_the_board(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def broken(*arguments: Any) -> list[FitState]:
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("no")
        return []

    board = Board(folder, console=Console(file=io.StringIO()), plain=True)
    monkeypatch.setattr("forerun.cli.board.survey", broken)
    with board:
        pass
    assert "progress display stopped: RuntimeError: no" in board.console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("models", [1, 3, 40])
def test_table_fits_the_terminal(models: int) -> None:
    states = [state_of_fit(f"model_{number}", None) for number in range(models)]
    states[-1] = replace(states[-1], state=FAILED, reason="x" * 300)
    console = Console(file=io.StringIO(), width=80, height=24, color_system=None)
    console.print(draw("run", states, "0:03", (80, 24)))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert any(f"model_{models - 1}" in line for line in lines)  # the failed fit is always shown
    assert ("… and" in "".join(lines)) == (models == 40)


def test_a_resumed_fit_shows_its_first_step() -> None:
    state = state_of_fit("NHITS", None, RUNNING, step=450, max_steps=1000, resumed=400)
    console = Console(file=io.StringIO(), width=120, height=24, color_system=None)
    console.print(draw("run", [state], "0:03", (120, 24)))
    assert "▸ final fit, resumed at step 400 of 1000" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_model_without_steps_shows_none() -> None:
    """LightGBM and the like report no steps: 0/1 would stay until the end."""
    console = Console(file=io.StringIO(), width=120, height=24, color_system=None)
    for steps in ({}, {"max_steps": 1}, {"max_steps": 414}):
        console.print(draw("run", [state_of_fit("A", None, RUNNING, **steps)], "", (120, 24)))
    shown = re.findall(r"▸ final fit[ ━]+(\S+)", console.file.getvalue())  # type: ignore[attr-defined]
    assert shown == ["starting", "0:00", "0/414"]


def test_steps_after_the_fits(folder: Path) -> None:
    assert stage(folder) == "drawing plots and writing the report"
    with figures(folder) as report:
        report(12, 35)
        console = Console(file=io.StringIO(), width=120, color_system=None)
        console.print(Board(folder, console).table([state_of_fit("A", None, OK)]))
        assert "drawing plots and writing the report (12 of 35 figures)" in console.file.getvalue()  # type: ignore[attr-defined]
    (folder / "plots").mkdir()
    assert stage(folder) == "writing the report"
    (folder / "report.html").touch()
    board = Board(folder, Console(file=io.StringIO(), width=120, color_system=None))
    for is_shown in (True, False):  # until Snakemake has ended
        board.console.print(board.table([state_of_fit("A", None, OK)]))
        assert ("finishing" in board.console.file.getvalue()) == is_shown  # type: ignore[attr-defined]
        board.console.file = io.StringIO()
        board._over.set()
    (folder / "leaderboard.csv").unlink()
    assert stage(folder) == "scoring"


def test_sentences() -> None:
    assert sentence(state_of_fit("A", 1, OK, elapsed=4.4)) == "A: back-test 2 done in 4 s"
    assert sentence(state_of_fit("A", None, RUNNING)) == "A: final fit starts"
    assert sentence(state_of_fit("A", None, RUNNING, elapsed=30)) == "A: final fit has run for 30 s"
