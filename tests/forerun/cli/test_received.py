"""Operational settings of a received run are ignored, and its strings are escaped."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from running import PROJECT
from synthetic import make_run

from forerun.base import text
from forerun.base.terminal import echo
from forerun.cli.training import operational
from forerun.config import schema
from forerun.config.frozen import read_frozen, read_recorded


def test_operational_settings_of_a_frozen_run_are_ignored(tmp_path: Path) -> None:
    run = make_run(tmp_path, models=1, series=2)
    path = run / "config.yaml"
    hostile = {"log_file": str(tmp_path / "pwned"), "output_dir": "/", "max_time": 0.001}
    hostile |= {"gpu_jobs": 64, "shard_size": 1, "plot_series": 1000, "time_limit": 0.5}
    lines = path.read_text().split("\n")
    kept = [line for line in lines if line.partition(":")[0] not in hostile]
    path.write_text("\n".join([*(f"{key}: {value}" for key, value in hostile.items()), *kept]))
    settings, defaults = read_frozen(path), schema.defaults()
    for key in schema.marked("x-operational"):
        assert settings[key] == defaults[key]
    assert read_recorded(path)["log_file"] == hostile["log_file"]  # shown as recorded
    assert operational({"max_time": 7, "horizon": 3})["max_time"] == 7


def test_rules_ask_the_call_for_operational_settings() -> None:
    for path in (PROJECT / "workflow").rglob("*.smk"):
        found = re.findall(r'get_settings\([^)]*\)\["(\w+)"\]', path.read_text())
        assert not schema.marked("x-operational") & set(found), path


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"), ("a\rb", "a\\rb"), ("\x07\x9b", "\\x07\\x9b"),
        ("abc\u202ecba", "abc\\u202ecba"), ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("half \ud800", "half \\ud800"), ("Größe 40 °C — 模型 👍", "Größe 40 °C — 模型 👍"),
    ],
)  # fmt: skip
def test_control_characters_are_escaped(message: str, shown: str) -> None:
    assert text.visible(message) == shown
    stream = io.StringIO()
    echo(message, file=stream, before="> ")
    assert stream.getvalue() == f"> {shown}\n"


def test_letters_outside_of_the_terminals_encoding_are_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    echo("Größe", file=stream)
    stream.seek(0)
    assert stream.read() == "Gr\\xf6\\xdfe\n"


def test_one_module_prints() -> None:
    """Engines print to the logs of their jobs; the version is printed by Typer."""
    printing = {
        path.relative_to(PROJECT / "scripts" / "forerun").as_posix()
        for path in (PROJECT / "scripts" / "forerun").rglob("*.py")
        if re.search(r"(?<![\w.])print\(", path.read_text(encoding="utf-8"))
    }
    assert {name for name in printing if not name.startswith("forecasting/engines/")} <= {
        "base/terminal.py", "cli/app.py",
    }  # fmt: skip
