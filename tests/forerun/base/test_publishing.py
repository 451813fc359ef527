"""Publishing never replaces anything; leftovers of killed processes are swept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from running import PROJECT

from forerun.base import publishing
from forerun.base.publishing import discard, new_file, new_folder, publish, sweep

WAYS = ["system", "portable"]
HOLD = """
import sys, time
from pathlib import Path
from forerun.base import publishing
path, kind = Path(sys.argv[1]), sys.argv[2]
if kind == "discard":
    publishing.shutil.rmtree = lambda folder, **_: (print("held", flush=True), time.sleep(60))
    publishing.discard(path)
with getattr(publishing, kind)(path) as temporary:
    (temporary / "half" if kind == "new_folder" else temporary).write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both implementations: the system's exclusive rename, and the fallback."""
    if request.param == "portable":
        monkeypatch.setattr(publishing.ctypes, "CDLL", lambda *_, **__: SimpleNamespace())


def make(path: Path, kind: str) -> Path:
    """Create a file or folder at `path` and return it."""
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to("nowhere")
    else:
        path.mkdir()
        if kind == "folder":
            (path / "x").write_text("mine")
    return path


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("source", ["file", "folder"])
@pytest.mark.parametrize("target", ["file", "folder", "empty folder", "link"])
def test_nothing_that_exists_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
) -> None:
    made, there = make(tmp_path / "new", source), make(tmp_path / "there", target)
    for looks in (True, False):  # it may appear after the first check
        if not looks:
            monkeypatch.setattr(os.path, "lexists", lambda path: False)
        before = os.lstat(there)
        with pytest.raises(FileExistsError):
            publish(made, there)
        assert os.path.samestat(os.lstat(there), before)
        assert made.exists()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("source", ["file", "folder"])
def test_an_unused_name_is_returned(tmp_path: Path, source: str) -> None:
    made = make(tmp_path / "new", source)
    state = os.lstat(made)
    publish(made, tmp_path / "there")
    assert os.lstat(tmp_path / "there").st_ino == state.st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.usefixtures("way")
def test_one_of_many_concurrent_writers_succeeds(tmp_path: Path) -> None:
    won = []

    def race(number: int) -> None:
        try:
            with new_folder(tmp_path / "target") as folder:
                (folder / "who").write_text(str(number))
                start.wait()
            won.append(number)
        except FileExistsError:
            pass

    start = threading.Barrier(8)
    threads = [threading.Thread(target=race, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "target" / "who").read_text() == str(won[0])
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize("kind", ["new_folder", "new_file", "discard"])
def test_leftovers_of_killed_processes_are_swept_and_files_in_use_kept(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x"
    if kind == "discard":
        (path / "in").mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), kind],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "scripts")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    left = list(tmp_path.glob(".tmp-*"))
    assert len(left) == 1
    sweep(tmp_path, only="x")
    assert left[0].exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    sweep(tmp_path, only="y")
    assert left[0].exists()
    sweep(tmp_path, only="x")
    assert list(tmp_path.iterdir()) == []


def test_only_own_leftovers_are_swept(tmp_path: Path) -> None:
    for name in (".tmp-legacy_20260101_000000", ".tmp-mine", ".tmpdir", "tmp-1-1"):
        (tmp_path / name).mkdir()
    os.symlink("/etc", tmp_path / ".tmp-0123456789ab-link")
    os.mkfifo(tmp_path / ".tmp-0123456789ab-pipe")
    (tmp_path / ".tmp-0123456789ab-young").write_text("just being written")
    before = sorted(tmp_path.iterdir())
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    for name in (".tmp-0123456789ab-exp1", ".tmp-deleted-12-exp1", ".tmp-1-1"):
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    sweep(tmp_path / "missing")


@pytest.mark.parametrize("how", ["gone", "being swept"])
@pytest.mark.parametrize("kind", ["new_folder", "new_file"])
def test_a_temporary_folder_swept_before_its_lock_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, kind: str
) -> None:
    real, first = publishing.lock, []

    def lock(descriptor: int) -> bool | None:
        if first:
            return real(descriptor)
        first.extend(tmp_path.iterdir())
        if how == "being swept":  # the sweeper has locked the folder but not yet removed it
            return False
        discarded = first[0]
        discarded.rmdir() if discarded.is_dir() else discarded.unlink()
        return real(descriptor)

    monkeypatch.setattr(publishing, "lock", lock)
    with getattr(publishing, kind)(tmp_path / "x") as temporary:
        assert temporary != first[0]
        (temporary / "y" if kind == "new_folder" else temporary).write_text("z")
    assert (tmp_path / "x" / "y" if kind == "new_folder" else tmp_path / "x").read_text() == "z"


def test_new_file_and_discard(tmp_path: Path) -> None:
    with new_file(tmp_path / "a" / "x") as temporary:
        temporary.write_text("z")
    with pytest.raises(FileExistsError), new_file(tmp_path / "a" / "x"):
        pass
    assert (tmp_path / "a" / "x").read_text() == "z"
    discard(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    os.symlink("/etc", tmp_path / "link")
    with pytest.raises(OSError, match="link"):
        discard(tmp_path / "link")


def test_folders_are_renamed_in_one_place_only() -> None:
    """Other renames could replace something; only `files.replacing` may replace files."""
    renaming = r"os\.(rename|replace|renames)\(|shutil\.move\(|\.rename\(target"
    allowed = {"publishing.py": r"os\.re(name|place)\(", "files.py": r"os\.replace\(temporary,"}
    for path in (PROJECT / "scripts").rglob("*.py"):
        text = path.read_text()
        if pattern := allowed.get(path.name):
            text = re.sub(pattern, "", text)
        assert not re.search(renaming, text), path
