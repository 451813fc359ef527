"""Export, import and migration: nothing leaves the target folder, nothing is lost."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
from datetime import datetime
from pathlib import Path

import pytest
from running import contents
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.cli.app import run as forerun
from forerun.legacy import folders, migration
from forerun.runs import archive, seal
from forerun.runs.listing import read_run


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
    with pytest.raises(UserError, match="is invalid"):
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
def test_malicious_archives_are_refused(tmp_path: Path, kind: str) -> None:
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


def test_import_refuses_runs_that_differ_from_their_seal(run: Path, tmp_path: Path) -> None:
    (run / "metrics.csv").write_text("changed")
    archive.export_run(run, tmp_path / "x.tar.gz")
    with pytest.raises(UserError, match=r"changed metrics\.csv"):
        archive.import_run(tmp_path / "x.tar.gz", tmp_path / "runs2")


def written(path: Path, members: list[tarfile.TarInfo], **options: object) -> Path:
    """Write an archive with these entries and a configuration."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, **options) as tar:  # type: ignore[call-overload]
        for member in [entry("exp1/config.yaml"), *members]:
            tar.addfile(member, io.BytesIO(b"a" * member.size))
    return path


def with_time(value: str) -> tarfile.TarInfo:
    member = entry("exp1/x")
    member.pax_headers = {"mtime": value}
    return member


def sparse() -> tarfile.TarInfo:
    member = entry("exp1/x")
    member.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1"}
    member.pax_headers |= {"GNU.sparse.map": "0,3", "GNU.sparse.size": str(8 * 10**9)}
    return member


def with_header(key: str, value: str) -> tarfile.TarInfo:
    member = entry("exp1/x")
    member.pax_headers = {key: value}
    return member


HOSTILE = {
    "time nan": (with_time("nan"), "invalid time"),
    "time inf": (with_time("inf"), "invalid time"),
    "time 1e300": (with_time("1e300"), "invalid time"),
    "time before 1970": (with_time("-1"), "invalid time"),
    "sparse": (sparse(), "sparse"),
    "negative size": (with_header("size", "-5"), "cannot be read|sparse"),
    "huge size": (with_header("size", str(10**30)), "larger than"),
    "control character": (entry("exp1/\x1b[2Jx"), "characters"),
    "C1 character": (entry("exp1/\x9b2Jx"), "characters"),
    "new line": (entry("exp1/x\ny"), "characters"),
    "long name": (entry("exp1/" + "x" * 300), "too long|long"),
    "deep": (entry("exp1/" + "d/" * 60 + "x"), "path that is too long"),
    "long path": (entry("exp1/" + "/".join(["d" * 90] * 20)), "path that is too long"),
    "file below a file": (entry("exp1/config.yaml/x"), "twice"),
    "long header": (with_header("comment", "x" * 20_000_000), "header of an entry is too long"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_entries_are_one_line_and_leave_nothing(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    member, message = HOSTILE[kind]
    path = written(tmp_path / "evil.tar.gz", [member])
    runs = tmp_path / "runs"
    assert forerun(["import", str(path), "--directory", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert re.search(message, line), line
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    assert not runs.exists() or list(runs.iterdir()) == []


def test_links_and_undecodable_names_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(entry("exp1/\udcff\udcfe"), io.BytesIO(b"abc"))
    assert forerun(["import", str(path), "--directory", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("tail", [4, 8])
def test_the_checksum_at_the_end_of_the_stream_is_checked(
    run: Path, tmp_path: Path, tail: int
) -> None:
    """The last eight bytes are the checksum and the length of the content."""
    path = tmp_path / "x.tar.gz"
    archive.export_run(run, path)
    content = bytearray(path.read_bytes())
    content[-tail] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a tar"):
        archive.import_run(path, tmp_path / "runs2")
    assert list((tmp_path / "runs2").iterdir()) == []


def test_a_stream_damaged_anywhere_is_refused(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    archive.export_run(run, path)
    whole = path.read_bytes()  # the header of a gzip file (its name) has no checksum
    for place in range(100, len(whole) - 9, max(1, len(whole) // 60)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with pytest.raises(UserError):
            archive.import_run(path, tmp_path / "runs2")
        assert list((tmp_path / "runs2").glob("*")) == []


def test_data_after_the_last_entry_are_limited(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    archive.export_run(run, path)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content + bytes(5000)))
    archive.import_run(path, tmp_path / "runs2")
    path.write_bytes(gzip.compress(content + bytes(3_000_000)))
    with pytest.raises(UserError, match="after the last entry"):
        archive.import_run(path, tmp_path / "runs3")


def test_the_unpacked_size_is_limited(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.tar.gz"
    archive.export_run(run, path)
    size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    place = ["--directory", str(tmp_path / "home")]
    (tmp_path / "home").mkdir()
    assert forerun(["import", str(path), "--max-size", str((size - 1) / 1e9), *place]) == 2
    assert "(--max-size)" in capsys.readouterr().err
    assert forerun(["import", str(path), "--max-size", str(size / 1e9), *place]) == 0


def test_deep_json_is_one_line(run: Path, tmp_path: Path) -> None:
    (run / "SEALED").write_text("[" * 200_000 + "]" * 200_000)
    archive.export_run(run, tmp_path / "x.tar.gz")
    with pytest.raises(UserError) as caught:
        archive.import_run(tmp_path / "x.tar.gz", tmp_path / "runs2")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "runs2").iterdir()) == []


def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = entry("exp1/config.yaml")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"[a: {"))
    with pytest.raises(UserError, match=r"config\.yaml") as caught:
        archive.import_run(path, tmp_path / "runs")
    assert ".tmp-" not in str(caught.value)


def test_sessions_and_leases_are_not_imported(run: Path, tmp_path: Path) -> None:
    """A session or lease of another machine would keep the run in use forever."""
    from forerun.runs import session

    path = tmp_path / "x.tar.gz"
    working = ("logs/session.json", "logs/command.lock", "logs/train_model/NHITS.claim")
    working += ("logs/train_model/NHITS.checkpoint",)
    for name in working:
        (run / name).write_text('{"pid": 1, "host": "elsewhere"}')
    (run / "models" / ".tmp-0123456789ab-NHITS").mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(run, "exp1")
    other = archive.import_run(path, tmp_path / "runs2")
    assert session.holder(other) is None
    assert not [name for name in working if (other / name).exists()]
    assert not list(other.rglob(".tmp-*"))


@pytest.mark.parametrize("kind", ["file", "folder", "broken", "chain"])
def test_export_does_not_follow_links_that_point_outside(
    run: Path, tmp_path: Path, kind: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    if kind == "folder":
        (tmp_path / "place").mkdir()
        (tmp_path / "place" / "secret").write_text("secret")
    target = {"file": secret, "folder": tmp_path / "place", "broken": tmp_path / "gone"}
    (run / "one").symlink_to(target.get(kind, secret))
    if kind == "chain":
        (run / "two").symlink_to("one")
    with pytest.raises(UserError, match=r"outside the run"):
        archive.export_run(run, tmp_path / "x.tar.gz")
    assert not list(tmp_path.glob("*.tar.gz"))


def test_import_never_replaces_a_run_that_appeared_meanwhile(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.export_run(run, tmp_path / "x.tar.gz")
    real = archive.read_frozen
    other = tmp_path / "runs2" / "exp1"

    def appear(path: Path) -> object:
        other.mkdir()
        (other / "config.yaml").write_text("mine")
        return real(path)

    monkeypatch.setattr(archive, "read_frozen", appear)
    with pytest.raises(UserError, match="run 'exp1' exists"):
        archive.import_run(tmp_path / "x.tar.gz", tmp_path / "runs2")
    assert [path.name for path in other.parent.iterdir()] == ["exp1"]
    assert (other / "config.yaml").read_text() == "mine"


def test_edited_forecasts_are_reported_by_import(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "plots").mkdir()
    (run / "plots" / "added.svg").write_text("<svg/>")
    archive.export_run(run, tmp_path / "x.tar.gz")
    (tmp_path / "home").mkdir()
    place = ["--directory", str(tmp_path / "home")]
    assert forerun(["import", str(tmp_path / "x.tar.gz"), *place]) == 0
    assert (
        "warning: extra: plots/added.svg (differs from its recorded checksum"
        in capsys.readouterr().err
    )


# -- The old structure --------------------------------------------------------------------------

TIME = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An output folder of the unversioned structure."""
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
    assert not (folder / "models" / "link").is_symlink(), "a seal covers no links"
    row = read_run(folder)
    assert (row.state, row.models, row.horizon) == ("imported", ["NHITS"], 6)
    assert (row.best, row.error) == ("NHITS", 3.0)
    assert seal.verify(folder) == {"missing": [], "changed": [], "extra": []}
    assert migration.plan(old) is None


@pytest.mark.parametrize("place", ["missing", "../notes.txt", "../../../secret"])
def test_migration_refuses_links_to_files_that_are_not_moved(old: Path, place: str) -> None:
    (old.parents[1] / "secret").write_text("secret")
    (old / "models" / "other").symlink_to(place)
    before = contents(old)
    with pytest.raises(UserError, match="not moved with it"):
        migration.migrate(migration.plan(old, TIME))  # type: ignore[arg-type]
    assert contents(old) == before


@pytest.mark.parametrize("number", range(12))
def test_an_interrupted_migration_is_completed_by_the_next_call(
    old: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Stop at the n-th rename, for each n."""
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
    with pytest.raises(UserError, match="does not contain 'models/"):
        migration.migrate(migration.plan(old, TIME))  # type: ignore[arg-type]
    assert contents(old) == before


def test_a_change_after_archiving_is_reported(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        list(folders.load_models(old / "models", trust=False))


def test_other_models_folders_are_not_moved(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "my_code.py").write_text("x = 1")
    assert migration.plan(tmp_path) is None
