"""Derived files are recorded with checksums; verify reports each difference by class."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.base.files import read_json, write_json
from forerun.cli.app import run as forerun
from forerun.jobs import model_cache
from forerun.runs import records, seal, state
from forerun.runs.archive import export_run
from forerun.runs.records import recorded_files, recorded_folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed run with recorded files of every class."""
    monkeypatch.chdir(tmp_path)
    made = make_run("runs", "exp1", models=1, series=1, sealed=False)
    shutil.rmtree(made / "predictions")
    seal.seal(made, made / "SEALED", failed=[])
    for what in ("predictions", "plots", "inference/new"):
        with recorded_folder(made, what) as folder:
            (folder / "a.csv").write_text("a")
            (folder / "b.csv").write_text("b")
    with recorded_files(made, ".", "report.html") as folder:
        (folder / "report.html").write_text("page")
    for name in ("x", "y"):
        with recorded_files(made, "comparisons", f"comparisons/{name}") as folder:
            (folder / f"{name}.png").write_text(name)
    return made


def verified(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Return exit code and differences that `verify` prints."""
    capsys.readouterr()
    code = forerun(["verify", "exp1"])
    lines = capsys.readouterr().out.splitlines()
    return code, [line for line in lines if line.startswith(("changed:", "missing:", "extra:"))]


PLACES = {
    "frozen": ("metrics.csv", "models/NHITS/stray"),
    "predictions": ("predictions/a.csv", "predictions/c.csv"),
    "plots": ("plots/b.csv", "plots/deep/c.svg"),
    "report": ("report.html", ""),
    "inference": ("inference/new/a.csv", "inference/new/c.csv"),
    "inference, new folder": ("inference/new/a.csv", "inference/other/c.csv"),
    "comparisons": ("comparisons/x.png", "comparisons/z.png"),
}


def test_no_differences(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(capsys) == (0, [])
    forerun(["verify", "exp1"])
    out = capsys.readouterr().out
    for line in ("predictions: as recorded (2 files)", "report.html: as recorded (1 file)"):
        assert line in out


def test_temporary_files_that_vanish_meanwhile_are_not_missed(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk, ghosts = os.walk, []

    def with_ghosts(folder: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
        """List in each folder a file that another process removes before it is read."""
        for place, folders, names in walk(folder):
            ghosts.append(place)
            yield place, folders, [*names, ".tmp-0123456789ab-score_models.tsv"]

    monkeypatch.setattr(os, "walk", with_ghosts)
    state.refuse_if_damaged(run)
    assert not any(seal.verify(run).values())
    assert not any(found.wrong for found in seal.verify_derived(run).values())
    assert export_run(run, tmp_path / "exp1.tar.gz") > 10
    assert model_cache.Entry(run, {}).size > 0
    assert ghosts


def differences() -> Iterator[Any]:
    """Yield each difference of two classes, one of each other class; all others are long."""
    for how in ("changed", "missing", "extra", "link", "folder link"):
        for kind in PLACES:
            quick = how == "changed" or kind in ("frozen", "inference")
            yield pytest.param(how, kind, marks=[] if quick else pytest.mark.long)


@pytest.mark.parametrize(("how", "kind"), [*differences()])
def test_each_difference_is_named(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, how: str
) -> None:
    name, other = PLACES[kind]
    path, expected = run / name, f"{how}: {name}"
    if how == "changed":
        path.write_text("edited")
    elif how == "missing":
        path.unlink()
    elif how == "link":  # to the same content
        shutil.move(path, tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        expected = f"changed: {name}"
    elif how == "folder link":
        if path.parent == run:
            return
        shutil.move(path.parent, tmp_path / "elsewhere")
        path.parent.symlink_to(tmp_path / "elsewhere")
        code, found = verified(capsys)
        assert code == 1
        assert any(name.startswith(line.partition(": ")[2]) for line in found)
        return
    elif not other:
        return
    else:
        (run / other).parent.mkdir(parents=True, exist_ok=True)
        (run / other).write_text("added")
        expected = f"extra: {other}"
    assert verified(capsys) == (1, [expected])


def remove_the_record(run: Path) -> None:
    (run / "checksums" / "predictions.json").unlink()


def damage_the_record(run: Path) -> None:
    (run / "checksums" / "predictions.json").write_text("[" * 100)


def point_outside(run: Path) -> None:
    path = run / "checksums" / "predictions.json"
    record = read_json(path)
    record["sha256"]["predictions/../../../secret"] = "0" * 64
    write_json(path, record)


def remove_all_records(run: Path) -> None:
    shutil.rmtree(run / "checksums")


def remove_everything(run: Path) -> None:
    shutil.rmtree(run / "predictions")


@pytest.mark.parametrize(
    "attack",
    [remove_the_record, damage_the_record, point_outside, remove_all_records, remove_everything],
)
def test_removed_records_are_noticed(
    run: Path, capsys: pytest.CaptureFixture[str], attack: Callable[[Path], None]
) -> None:
    attack(run)
    code, found = verified(capsys)
    assert code == 1
    assert any("predictions" in line for line in found)


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_kill_at_any_time_leaves_a_correct_record(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    """Kill after the record is written, the folder is renamed, the record is completed."""
    real, turn = records.write_json, [0]

    class Killed(BaseException):
        pass

    def write(*arguments: object, **options: object) -> None:
        turn[0] += 1
        if (when, turn[0]) in (("before", 1), ("after", 2)):
            raise Killed
        real(*arguments, **options)  # type: ignore[arg-type]
        if (when, turn[0]) == ("between", 1):
            raise Killed

    monkeypatch.setattr(records, "write_json", write)
    with pytest.raises(Killed), recorded_folder(run, "inference/killed") as folder:
        (folder / "a.csv").write_text("a")
    assert verified(capsys) == (0, [])
    turn[0] = 0
    with pytest.raises(Killed), recorded_files(run, ".", "report.html") as folder:
        (folder / "report.html").write_text("page")  # it is made again, the same
    assert verified(capsys) == (0, [])


def test_derived_files_are_recorded_each_time(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "predictions")
    with recorded_folder(run, "predictions") as folder:
        (folder / "a.csv").write_text("another version's")
    with recorded_files(run, "comparisons", "comparisons/x") as folder:
        (folder / "x.png").write_text("drawn again")
    assert verified(capsys) == (0, [])


def test_a_seal_of_an_earlier_version(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The seal has no checksum and nothing was recorded: reported, but not a failure."""
    shutil.rmtree(run / "checksums")
    sealed = read_json(run / "SEALED")
    del sealed["seal"], sealed["unrecorded"]
    write_json(run / "SEALED", sealed)
    assert forerun(["verify", "exp1"]) == 0
    out = capsys.readouterr().out
    assert "note: the seal has no checksum" in out
    for what in ("predictions", "plots", "report.html", "inference", "comparisons"):
        assert f"note: {what}: checksums not recorded" in out
    shutil.rmtree(run / "predictions")  # made again by this version
    with recorded_folder(run, "predictions") as folder:
        (folder / "a.csv").write_text("a")
    assert verified(capsys) == (0, [])
    (run / "predictions" / "a.csv").write_text("edited")
    (run / "predictions" / "added.csv").write_text("added")
    (run / "plots" / "a.csv").write_text("not recorded")
    found = ["changed: predictions/a.csv", "extra: predictions/added.csv"]
    assert verified(capsys) == (1, found)


def test_files_without_a_record_at_the_time_of_sealing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_run("runs", "exp1", models=1, series=1)
    assert "predictions/NHITS.csv" in read_json(made / "SEALED")["unrecorded"]
    assert verified(capsys) == (0, [])
    (made / "predictions" / "added.csv").write_text("added")
    assert verified(capsys) == (1, ["extra: predictions/added.csv"])


def test_a_seal_is_read_to_the_byte(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (run / "SEALED").read_text()
    sealed = json.loads(text)
    for change in ({"unrecorded": ["predictions/added.csv"]}, {"more": 1}):
        write_json(run / "SEALED", sealed | change)
        assert verified(capsys)[0] == 1


def test_a_link_is_not_sealed(tmp_path: Path) -> None:
    made = make_run(tmp_path / "runs", "exp1", models=1, series=1, sealed=False)
    shutil.move(made / "metrics.csv", tmp_path / "metrics.csv")
    os.symlink(tmp_path / "metrics.csv", made / "metrics.csv")
    with pytest.raises(UserError, match="is a link"):
        seal.seal(made, made / "SEALED", failed=[])
    assert not (made / "SEALED").exists()


def test_edited_forecasts_are_not_used(run: Path) -> None:
    assert seal.is_intact(run, "predictions")
    (run / "predictions" / "a.csv").write_text("edited")
    assert not seal.is_intact(run, "predictions")
    assert seal.is_intact(run, "plots")


@pytest.mark.parametrize("name", ["hello.txt", "sub/deep/x.bin", "models.old/a.pkl", "link"])
def test_a_file_that_belongs_to_no_class_is_extra(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(capsys)[0] == 0
    for expected in ("logs/new.log", "benchmarks/b.tsv", ".DS_Store", ".tmp-left"):
        (run / expected).parent.mkdir(exist_ok=True)
        (run / expected).write_text("written at any time")
    assert verified(capsys)[0] == 0
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    if name == "link":
        (run / name).symlink_to(run / "logs")
    else:
        (run / name).write_text("added")
    code, lines = verified(capsys)
    assert code == 1
    assert f"extra: {name}" in lines
