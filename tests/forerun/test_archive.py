"""Export, import and migration: nothing leaves the target folder, nothing is lost."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import datetime
from pathlib import Path

import pytest
from running import contents
from synthetic import make_run

from forerun import archive, legacy, migration, seal
from forerun.errors import UserError
from forerun.listing import read_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs", "exp1", models=2, series=2, failed=["NBEATS"])


def test_export_and_import_give_the_same_run(run: Path, tmp_path: Path) -> None:
    (run / "logs" / "session.json").write_text("{}")
    (run / "linked.csv").symlink_to(run / "metrics.csv")
    number = archive.export_run(run, tmp_path / "exp1.tar.gz")
    other = archive.import_run(tmp_path / "exp1.tar.gz", tmp_path / "elsewhere")
    before = contents(run)
    before.pop("logs/session.json")
    assert contents(other) == before
    assert number == len(before)
    assert not (other / "linked.csv").is_symlink()
    assert (other / "models" / "NBEATS").is_dir()  # empty: the model failed
    assert seal.verify(other) == {"missing": [], "changed": [], "extra": []}
    assert oct(other.stat().st_mode & 0o002) == "0o0"


def test_import_under_another_name(run: Path, tmp_path: Path) -> None:
    archive.export_run(run, tmp_path / "exp1.tar.gz")
    with pytest.raises(UserError, match="run 'exp1' exists"):
        archive.import_run(tmp_path / "exp1.tar.gz", run.parent)
    assert archive.import_run(tmp_path / "exp1.tar.gz", run.parent, "exp2").name == "exp2"
    with pytest.raises(UserError, match="not possible"):
        archive.import_run(tmp_path / "exp1.tar.gz", run.parent, "../exp3")


def test_export_overwrites_nothing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tar.gz").write_text("precious")
    with pytest.raises(UserError, match="exists"):
        archive.export_run(run, tmp_path / "mine.tar.gz")
    assert (tmp_path / "mine.tar.gz").read_text() == "precious"


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
    return made


EVIL = {
    "parent": [entry("exp1/config.yaml"), entry("exp1/../../evil")],
    "absolute": [entry("exp1/config.yaml"), entry("/tmp/evil")],
    "other folder": [entry("exp1/config.yaml"), entry("exp2/config.yaml")],
    "at the top": [entry("evil")],
    "symbolic link": [entry("exp1/config.yaml"), entry("exp1/x", tarfile.SYMTYPE, "/etc/passwd")],
    "hard link": [entry("exp1/config.yaml"), entry("exp1/x", tarfile.LNKTYPE, "/etc/passwd")],
    "device": [entry("exp1/config.yaml"), entry("exp1/x", tarfile.CHRTYPE)],
    "pipe": [entry("exp1/config.yaml"), entry("exp1/x", tarfile.FIFOTYPE)],
    "twice": [entry("exp1/config.yaml"), entry("exp1/config.yaml")],
    "backslash": [entry("exp1/config.yaml"), entry("exp1\\..\\evil")],
    "no run id": [entry("a b/config.yaml")],
    "no configuration": [entry("exp1/metrics.csv")],
    "empty": [],
}


@pytest.mark.parametrize("kind", EVIL)
def test_evil_archives_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member in EVIL[kind]:
            tar.addfile(member, io.BytesIO(b"a: 1") if member.size else None)
    with pytest.raises(UserError):
        archive.import_run(path, tmp_path / "deep" / "runs")
    assert sorted(p.name for p in tmp_path.rglob("*")) in (
        ["evil.tar.gz"], ["deep", "evil.tar.gz", "runs"],
    )  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "garbage", "folder", "missing"])
def test_damaged_archives_are_refused(run: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.tar.gz"
    archive.export_run(run, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    elif damage == "garbage":
        path.write_bytes(b"not an archive at all")
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    with pytest.raises(UserError):
        archive.import_run(path, tmp_path / "runs2")
    assert not list((tmp_path / "runs2").glob("*"))


def test_import_refuses_what_differs_from_its_seal(run: Path, tmp_path: Path) -> None:
    (run / "metrics.csv").write_text("changed")
    archive.export_run(run, tmp_path / "x.tar.gz")
    with pytest.raises(UserError, match=r"changed metrics\.csv"):
        archive.import_run(tmp_path / "x.tar.gz", tmp_path / "runs2")


# -- The old structure --------------------------------------------------------------------------

TIME = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An output folder as it was before there were runs."""
    output = tmp_path / "data" / "output"
    (output / "models").mkdir(parents=True)
    (output / "models" / "NHITS_0.ckpt").write_bytes(b"pickle")
    (output / "models" / "configuration.pkl").write_bytes(b"pickle")
    (output / "models" / "link").symlink_to("NHITS_0.ckpt")
    (output / "metrics.csv").write_text("unique_id,metric,NHITS\na,mae,2.0\nb,mae,4.0\n")
    rows = "".join(f"a,2020-0{m}-01,2019-12-01,{m},{m + 1}\n" for m in range(1, 7))
    (output / "cv_results_NHITS.csv").write_text(f"unique_id,ds,cutoff,y,NHITS\n{rows}")
    (output / "notes.txt").write_text("not ours")
    return output


def test_plan_finds_only_the_old_structure(old: Path, tmp_path: Path) -> None:
    steps = migration.plan(old, TIME)
    assert steps is not None
    assert steps.names == ["cv_results_NHITS.csv", "metrics.csv", "models"]
    assert steps.archive == tmp_path / "data" / "old_output_backup_20260102_030405.tar.gz"
    assert steps.target == old / "runs" / "legacy_20260102_030405"
    assert migration.plan(tmp_path) is None


def test_migration_moves_everything_into_a_run(old: Path) -> None:
    before = contents(old)
    steps = migration.plan(old, TIME)
    assert steps is not None
    folder = migration.migrate(steps)
    after = contents(folder)
    assert {name: after[name] for name in before if name != "notes.txt"} == {
        name: content for name, content in before.items() if name != "notes.txt"
    }
    assert sorted(path.name for path in old.iterdir()) == ["notes.txt", "runs"]
    assert [path.name for path in (old / "runs").iterdir()] == ["legacy_20260102_030405"]
    with tarfile.open(steps.archive) as tar:
        stored = {m.name: tar.extractfile(m).read() for m in tar if m.isreg()}  # type: ignore[union-attr]
    assert stored == {n: c for n, c in before.items() if n not in ("notes.txt", "models/link")}
    row = read_run(folder)
    assert (row.state, row.models, row.horizon) == ("imported", ["NHITS"], 6)
    assert (row.best, row.error) == ("NHITS", 3.0)
    assert seal.verify(folder) == {"missing": [], "changed": [], "extra": []}
    assert migration.plan(old) is None


@pytest.mark.parametrize("number", range(12))
def test_interrupted_anywhere_the_next_call_finishes(
    old: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Every rename is a point of no return: let the n-th one be the power cut."""
    before = contents(old)
    calls = {"left": number}

    def failing(real):  # type: ignore[no-untyped-def]
        def call(*arguments, **named):  # type: ignore[no-untyped-def]
            if calls["left"] == 0:
                raise KeyboardInterrupt
            calls["left"] -= 1
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", failing(os.rename))
        patched.setattr(os, "replace", failing(os.replace))
        try:
            migration.migrate(migration.plan(old, TIME))  # type: ignore[arg-type]
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
    everything = set(contents(old.parent).values())
    assert set(before.values()) <= everything, "a file was lost"
    steps = migration.plan(old, datetime(2026, 1, 2, 3, 4, 6))
    assert (steps is not None) == interrupted
    if steps is not None:
        migration.migrate(steps)
    (folder,) = (old / "runs").iterdir()
    assert {n: c for n, c in contents(folder).items() if n in before} == {
        n: c for n, c in before.items() if n != "notes.txt"
    }
    assert sorted(path.name for path in old.iterdir()) == ["notes.txt", "runs"]


def test_nothing_is_moved_when_the_archive_is_wrong(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)
    real = migration.store

    def store_less(steps: migration.Plan) -> None:
        real(migration.Plan(steps.output, steps.names[:-1], steps.archive, steps.run_id))

    monkeypatch.setattr(migration, "store", store_less)
    with pytest.raises(UserError, match="lacks 'models/"):
        migration.migrate(migration.plan(old, TIME))  # type: ignore[arg-type]
    assert contents(old) == before


def test_a_change_after_archiving_is_noticed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migration.store

    def store_then_change(steps: migration.Plan) -> None:
        real(steps)
        (old / "metrics.csv").write_text("changed meanwhile")

    monkeypatch.setattr(migration, "store", store_then_change)
    with pytest.raises(UserError, match="differs"):
        migration.migrate(migration.plan(old, TIME))  # type: ignore[arg-type]
    assert (old / "metrics.csv").read_text() == "changed meanwhile"


def test_pickles_need_trust(old: Path) -> None:
    with pytest.raises(UserError, match="--trust"):
        list(legacy.load_models(old / "models", trust=False))


def test_other_models_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "my_code.py").write_text("x = 1")
    assert migration.plan(tmp_path) is None
