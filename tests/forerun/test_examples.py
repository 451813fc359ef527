"""The shipped example configurations: they resolve, and their data are complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from forerun.base.yaml_files import load_yaml
from forerun.config.settings import resolve
from forerun.data.preparing import load

PROJECT = Path(__file__).parents[2]
EXAMPLES = sorted((PROJECT / "config" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    settings = resolve(load_yaml(path))
    prepared = load(settings)
    assert prepared.future
    names = {item["name"] for item in settings["models"]}
    assert {"NHITS", "NHITS_exog"} <= names
