"""The leaderboard grows while models finish, and is printed before plots and report exist."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from running import contents
from synthetic import make_run

from forerun.base.files import write_json
from forerun.cli.board import Board
from forerun.cli.standings import Standings
from forerun.config.names import COMBINED
from forerun.jobs import preview
from forerun.jobs.collect import collect
from forerun.jobs.score import score
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths
from forerun.runs.tables import read_leaderboard_rows


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


# -- Before the final fits are completed ----------------------------------------------------------


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose folds have ended: AutoETS is completed, the final fit of NHITS waits."""
    monkeypatch.setattr("forerun.cli.board.PATIENCE", 0.0)
    folder = make_run(tmp_path, models=1, series=2, levels=[80], sealed=False)
    for name in ("leaderboard.csv", "status/NHITS.json", "parts/NHITS/final.json"):
        (folder / name).unlink()
    return folder


def rows(text: str) -> dict[str, list[str]]:
    cells = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {row[0]: row for row in cells if len(row) > 5}


def test_rows_and_leaderboard_do_not_wait_for_final_fits(early: Path) -> None:
    shown, out = board(early)
    shown.refresh()
    shown.refresh()
    text = out.getvalue()
    assert len(re.findall(r"NHITS: MAE \S+ \(rank \d of \d so far\)", text)) == 1
    assert text.count("leaderboard so far, 2 of 3 final fits completed") == 1
    found = rows(text)
    assert {model: found[model][-1] for model in ("NHITS", "SeasonalNaive", "ensemble")} == {
        "NHITS": "unfinished",
        "SeasonalNaive": "ok",
        "ensemble": "unfinished",
    }
    assert not {"train seconds", "cv seconds", "peak memory mb"} & set(found["model"])
    assert not shown.has_leaderboard  # the final one will be printed as well


def test_preliminary_scores_are_those_of_the_jobs(early: Path) -> None:
    run, names = RunPaths(early), ["NHITS", "SeasonalNaive", "AutoETS"]
    files = contents(early)
    found, given = preview.leaderboard(str(early)), preview.status(str(early), "NHITS")
    assert found
    assert given
    assert contents(early) == files
    shutil.copy(early / "parts/AutoETS/final.json", early / "parts/NHITS/final.json")
    statuses = [collect(run, name) for name in names]
    assert given["scores"] == statuses[0].scores
    outputs = {name: str(early / f"{name}.csv") for name in ("metrics", "leaderboard")}
    outputs |= {f"cv_{name}": str(early / f"cv_{name}.csv") for name in COMBINED}
    score(
        str(run.config), names, [str(run.cv_results(name)) for name in names],
        [str(run.status(name)) for name in names], outputs | {"ensemble": str(early / "e.json")},
    )  # fmt: skip
    final = read_leaderboard_rows(run.leaderboard)
    for row, later in zip(found, final, strict=True):
        same = set(row) - {"status", "reason"}
        assert {key: row[key] for key in same} == {key: later[key] for key in same}


def test_nothing_is_computed_before_all_folds_have_ended_or_for_many_series(
    early: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MOST_ROWS", 1)
    assert preview.status(str(early), "NHITS") is None
    assert preview.leaderboard(str(early)) is None
    monkeypatch.undo()
    (early / "parts/NHITS/fold_0.json").unlink()
    assert preview.status(str(early), "NHITS") is None
    assert preview.leaderboard(str(early)) is None
    shown, out = board(early)
    shown.refresh()
    assert "so far" not in out.getvalue().replace("of 2 so far", "")
    assert "NHITS: MAE" not in out.getvalue()


def test_a_model_that_failed_has_no_preliminary_scores(early: Path) -> None:
    run = RunPaths(early)
    Outcome(status="failed", error=Failure("E", "why")).write(Fit(run, "AutoETS").outcome_path)
    found = preview.leaderboard(str(early))
    assert found
    row = next(row for row in found if row["model"] == "AutoETS")
    assert (row["status"], row["reason"], row["mae"]) == ("failed", "why", "")


def test_an_old_leaderboard_is_not_printed(folder: Path) -> None:
    os.utime(folder / "leaderboard.csv", (0, 0))
    shown, _ = board(folder)
    shown.refresh()
    assert not shown.has_leaderboard
