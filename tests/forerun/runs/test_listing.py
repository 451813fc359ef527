"""The table of runs: all states, filters, orders, and its speed."""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
from pathlib import Path

import psutil
import pytest
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.base.files import write_json, write_text
from forerun.cli import run_table
from forerun.config.settings import dump, load_yaml
from forerun.runs import listing


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    make_run(folder, "exp1", models=1, series=2, horizon=6)
    make_run(folder, "exp2", models=2, series=2, horizon=12, failed=["NBEATS"], sealed=False)
    return folder


def row_of(runs: Path, run_id: str) -> listing.Row:
    return next(row for row in listing.scan(runs)[0] if row.run_id == run_id)


def test_complete_run(runs: Path) -> None:
    row = row_of(runs, "exp1")
    assert row.state == "complete"
    assert row.models == ["SeasonalNaive", "AutoETS", "NHITS"]
    assert (row.horizon, row.steps, row.metric) == (6, 50, "mae")
    assert row.parts == ["config", "models", "metrics", "predictions"]
    board = (runs / "exp1" / "leaderboard.csv").read_text().splitlines()
    head, first = board[0].split(","), board[1].split(",")
    assert row.best == first[0]
    assert row.error == float(first[head.index("mae")])
    seconds = [
        float(line.split(",")[head.index(key)])
        for line in board[1:]
        for key in ("train_seconds", "cv_seconds")
    ]
    assert row.duration == pytest.approx(sum(seconds), abs=0.06)
    assert row.created == "2026-01-02T03:04:05+00:00"


def test_partial_run_counts_its_failed_models(runs: Path) -> None:
    row = row_of(runs, "exp2")
    assert (row.state, row.failed) == ("partial", 1)
    assert row.status.startswith("partial (1 failed): config models")


def test_interrupted_and_running(runs: Path) -> None:
    folder = runs / "exp1"
    for name in ("SEALED", "leaderboard.csv", "metrics.csv"):
        (folder / name).unlink()
    assert row_of(runs, "exp1").state == "interrupted"
    me = {"pid": os.getpid(), "create_time": psutil.Process().create_time()}
    write_json(folder / "logs/session.json", me | {"host": socket.gethostname()})
    assert row_of(runs, "exp1").state == "running"
    write_json(folder / "logs/session.json", me | {"create_time": 1, "host": socket.gethostname()})
    assert row_of(runs, "exp1").state == "interrupted"


@pytest.mark.parametrize(
    "text", ["", "horizon: [", "- a\n- b\n", "horizon: 12\n\x00", "a: !!python/object:os.x {}\n"]
)
def test_a_broken_configuration_is_reported(runs: Path, text: str) -> None:
    (runs / "exp1" / "config.yaml").write_text(text)
    row = row_of(runs, "exp1")
    assert row.state == "broken"
    assert row.problem
    assert "\n" not in row.status
    assert row_of(runs, "exp2").state == "partial"


def test_a_damaged_leaderboard_is_reported(runs: Path) -> None:
    (runs / "exp1" / "leaderboard.csv").write_bytes(b"\xff\xfe\x00 not a table")
    assert "leaderboard.csv cannot be read" in row_of(runs, "exp1").status


def test_names_that_are_not_runs_are_listed(runs: Path) -> None:
    (runs / "notes.txt").write_text("x")
    (runs / "a b").mkdir()
    (runs / ".hidden").mkdir()
    (runs / "loop").symlink_to("loop")
    rows, stray = listing.scan(runs)
    assert {row.run_id for row in rows} == {"exp1", "exp2"}
    assert stray == ["a b", "loop", "notes.txt"]
    assert "not runs, ignored: 'a b', 'loop', 'notes.txt'" in run_table.report(runs)


def test_many_runs_are_read_by_several_processes(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runs / "exp1" / "config.yaml").write_text("horizon: [")
    found = listing.scan(runs)
    parents: list[str] = []
    monkeypatch.setattr(listing, "MANY", 2)
    monkeypatch.setattr(listing, "GROUP", 1)
    read = listing.read_run

    def noted(folder: str, run_id: str) -> listing.Row:
        parents.append(run_id)
        return read(folder, run_id)

    monkeypatch.setattr(listing, "read_run", noted)
    assert listing.scan(runs) == found
    assert {row.state for row in found[0]} == {"broken", "partial"}
    assert parents == []  # no run was read in this process
    assert gc.isenabled()


def test_empty_and_missing_folder(tmp_path: Path) -> None:
    assert "does not exist" in run_table.report(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    assert "is empty" in run_table.report(tmp_path / "runs")
    (tmp_path / "runs" / "claimed").mkdir()
    assert row_of(tmp_path / "runs", "claimed").state == "empty"


def test_any_yaml_is_read_like_the_usual_form(runs: Path) -> None:
    fast = row_of(runs, "exp1")
    path = runs / "exp1" / "config.yaml"
    settings = load_yaml(path)
    path.write_text(json.dumps(settings))  # YAML in a form that Forerun does not write
    assert row_of(runs, "exp1") == fast
    write_text(path, "# a comment\n" + dump(settings))
    assert row_of(runs, "exp1") == fast


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("horizon=12", ["exp2"]),
        ("horizon<12 status=complete", ["exp1"]),
        ("models=nbeats", ["exp2"]),
        ("models!=NBEATS", ["exp1"]),
        ("run_id=exp*", ["exp1", "exp2"]),
        ("status=partial failed>=1", ["exp2"]),
        ("horizon>=100", []),
    ],
)
def test_filter(runs: Path, terms: str, found: list[str]) -> None:
    assert sorted(row.run_id for row in run_table.choose(listing.scan(runs)[0], terms)) == found


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("horizn=1", "did you mean 'horizon'"),
        ("horizon", "not a condition"),
        ("horizon=x", "number"),
    ],
)
def test_filter_refused(runs: Path, terms: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run_table.choose(listing.scan(runs)[0], terms)


def test_newest_first_and_other_orders(runs: Path) -> None:
    write_json(runs / "exp1/provenance.json", {"created_at": "2027-01-01T00:00:00+00:00"})
    rows, _ = listing.scan(runs)
    assert [row.run_id for row in rows] == ["exp1", "exp2"]
    assert [row.run_id for row in run_table.order(rows, "created", reverse=True)] == [
        "exp2",
        "exp1",
    ]
    assert [row.run_id for row in run_table.order(rows, "-horizon")] == ["exp2", "exp1"]
    assert [row.run_id for row in run_table.order(rows, "horizon")] == ["exp1", "exp2"]
    with pytest.raises(UserError, match="no column"):
        run_table.order(rows, "color")


def test_json_and_csv(runs: Path) -> None:
    rows, _ = listing.scan(runs)
    assert {item["run_id"] for item in json.loads(run_table.as_json(rows))} == {"exp1", "exp2"}
    lines = run_table.as_csv(rows).splitlines()
    assert lines[0].startswith("run_id,models,horizon")
    assert len(lines) == 3


@pytest.mark.parametrize("width", [140, 100, 80])
def test_table_is_cut_to_the_terminal(runs: Path, width: int) -> None:
    rows, _ = listing.scan(runs)
    wide = run_table.table(rows)
    assert wide.splitlines()[0].split()[:4] == ["Run", "ID", "Models", "Horizon"]
    assert max(map(len, wide.splitlines())) > width
    narrow = run_table.table(rows, width).splitlines()
    assert max(map(len, narrow)) <= width
    assert len(narrow) == len(wide.splitlines())
    assert {"Created", "Status"} <= set(narrow[0].split())


def test_a_thousand_runs(runs: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    for number in range(1000):
        folder = many / f"run_{number:04}"
        folder.mkdir(parents=True)
        for name in ("config.yaml", "leaderboard.csv", "provenance.json", "SEALED"):
            shutil.copy(runs / "exp1" / name, folder)
    assert run_table.report(many).count("complete") == 1000
