"""The file of a checkpoint: it is used only by the same fit and if intact."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from forerun.base.bounded import Damaged
from forerun.forecasting.checkpoint import Checkpoint, Header

STATE = b"weights and more" * 1000


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    written = Checkpoint(str(tmp_path / "NHITS.checkpoint"), "key", 600, deaths=1)
    written.write(400, 1000, STATE)
    return written


def test_write_and_read(checkpoint: Checkpoint) -> None:
    header = checkpoint.header()
    assert header
    assert header.words == "resumed at step 400 of 1000"
    assert header.deaths == 1
    assert checkpoint.read(len(STATE)) == (header, STATE)
    checkpoint.write(500, 1000, STATE[1:])
    assert checkpoint.read(len(STATE)) == (checkpoint.header(), STATE[1:])
    assert [path.name for path in Path(checkpoint.path).parent.iterdir()] == ["NHITS.checkpoint"]


def test_no_checkpoint(tmp_path: Path) -> None:
    missing = Checkpoint(str(tmp_path / "a"), "key", 600)
    assert missing.header() is None
    assert missing.read(10) is None
    missing.remove()


def refused(checkpoint: Checkpoint) -> str:
    with pytest.raises(Damaged) as first:
        checkpoint.header()
    with pytest.raises(Damaged) as second:
        checkpoint.read(100_000)
    assert str(first.value) == str(second.value)
    assert str(first.value).startswith(f"{checkpoint.path}: ")
    return str(first.value)


def test_another_fit(checkpoint: Checkpoint) -> None:
    other = Checkpoint(checkpoint.path, "another key", 600)
    assert "other data, settings or versions" in refused(other)


@pytest.mark.parametrize("damage", ["bit", "end", "line", "nothing", "types", "steps", "long"])
def test_damage(checkpoint: Checkpoint, damage: str) -> None:
    path = Path(checkpoint.path)
    line, _, state = path.read_bytes().partition(b"\n")
    header = json.loads(line)
    damaged = {
        "bit": line + b"\n" + bytes([state[0] ^ 1]) + state[1:],
        "end": line + b"\n" + state[:-1],
        "line": line[:-5] + b"\n" + state,
        "nothing": b"",
        "types": json.dumps(header | {"step": "400"}).encode() + b"\n" + state,
        "steps": json.dumps(header | {"step": 1000}).encode() + b"\n" + state,
        "long": line.ljust(5000) + b"\n" + state,
    }
    path.write_bytes(damaged[damage])
    assert "is damaged" in refused(checkpoint)


def test_links_other_users_and_large_files_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Damaged, match="is too large"):
        checkpoint.read(1000)
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: 12345)
        assert "another user" in refused(checkpoint)
    (tmp_path / "inside").mkdir()
    link = tmp_path / "inside" / "a.checkpoint"
    link.symlink_to(checkpoint.path)
    assert "link" in refused(Checkpoint(str(link), "key", 600))


def test_the_header_has_no_other_keys() -> None:
    assert set(Header.__dataclass_fields__) == {"key", "sha256", "step", "max_steps", "deaths"}
