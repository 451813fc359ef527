"""The leaderboard grows while models finish, and is printed before plots and report exist."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from synthetic import make_run

from forerun.base.files import write_json
from forerun.cli.board import Board
from forerun.cli.standings import Standings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path, series=1, failed=["LSTM"], sealed=False)


def add_score(folder: Path, model: str, note: str | None = None, **scores: float) -> Path:
    path = folder / "status" / f"{model}.json"
    status = json.loads(path.read_text())
    write_json(path, status | {"scores": scores, "note": note})
    return path


def test_each_model_is_reported_once_with_its_rank_so_far(folder: Path) -> None:
    standings = Standings(folder)
    assert list(standings.news()) == []  # written by a version without scores
    add_score(folder, "AutoETS", mae=4.0)
    assert list(standings.news()) == ["AutoETS: MAE 4.000 (rank 1 of 1 so far)"]
    add_score(folder, "SeasonalNaive", "naive forecast for series 'a'", mae=2.5, rmse=9.0)
    line = "SeasonalNaive: MAE 2.500 (rank 1 of 2 so far); naive forecast for series 'a'"
    assert list(standings.news()) == [line]
    assert list(standings.news()) == []
    assert standings.errors == {"AutoETS": "4.000", "SeasonalNaive": "2.500"}


def test_models_of_an_earlier_call_are_shown_but_not_reported(folder: Path) -> None:
    os.utime(add_score(folder, "AutoETS", mae=4.0), (1000, 1000))
    standings = Standings(folder, since=2000)
    assert list(standings.news()) == []
    assert standings.errors == {"AutoETS": "4.000"}


def test_a_failed_model_and_a_run_that_does_not_exist_yet(tmp_path: Path, folder: Path) -> None:
    add_score(folder, "LSTM", mae=1.0)  # its status is failed
    assert list(Standings(folder).news()) == []
    assert list(Standings(tmp_path / "nothing").news()) == []


def board(folder: Path, **options: Any) -> tuple[Board, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=120, height=30, color_system=None, **options)
    return Board(folder, console=console, since=1.0), out


def test_leaderboard_is_printed_once_as_soon_as_it_exists(folder: Path) -> None:
    scores = (folder / "leaderboard.csv").read_bytes()
    (folder / "leaderboard.csv").unlink()
    shown, out = board(folder)
    shown.refresh()
    assert not shown.has_leaderboard
    assert "skill" not in out.getvalue()
    (folder / "leaderboard.csv").write_bytes(scores)
    assert not (folder / "plots").exists()
    shown.refresh()
    shown.refresh()
    assert shown.has_leaderboard
    assert out.getvalue().count("skill") == 1


def test_in_a_terminal_the_leaderboard_is_above_the_table(folder: Path) -> None:
    add_score(folder, "AutoETS", mae=3.1)
    shown, out = board(folder, force_terminal=True)
    with shown:
        pass
    text = out.getvalue()
    assert shown.has_leaderboard
    assert text.index("skill") < text.rindex("Progress")
    assert "Error" in text[text.rindex("Progress") :]


def test_an_old_leaderboard_is_not_printed(folder: Path) -> None:
    os.utime(folder / "leaderboard.csv", (0, 0))
    shown, _ = board(folder)
    shown.refresh()
    assert not shown.has_leaderboard
