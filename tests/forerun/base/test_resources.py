"""Paths of the shipped files, and the import path of child processes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from forerun.base import resources
from forerun.forecasting import freeze


def test_all_files_exist() -> None:
    named = ("SNAKEFILE", "WORKFLOW", "SCHEMA", "CONFIG", "DATA")
    assert [name for name in named if not getattr(resources, name).is_file()] == []
    assert resources.PROFILES.is_dir()


def test_a_clone_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "IS_INSTALLED", False)
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert resources.python_path() == f"{resources.LIBRARY}{os.pathsep}/mine"
    monkeypatch.delenv("PYTHONPATH")
    assert resources.python_path() == str(resources.LIBRARY)


def test_an_installed_library_is_found_without_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "IS_INSTALLED", True)
    monkeypatch.setattr(resources, "LIBRARY", Path(sys.prefix) / "lib" / "site-packages")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert resources.python_path() == "/mine"


def test_another_environment_keeps_its_own_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a job with a conda environment Snakemake appends the library's folder to the path."""
    monkeypatch.setattr(resources, "IS_INSTALLED", True)
    monkeypatch.setattr(resources, "LIBRARY", Path("/venv/site-packages"))
    monkeypatch.setattr(sys, "path", ["", "/conda/site-packages", "/venv/site-packages"])
    assert resources.python_path().split(os.pathsep) == sys.path[1:]


@pytest.mark.parametrize(
    ("noted", "state"),
    [
        (json.dumps({"vcs_info": {"vcs": "git", "commit_id": "abc"}}), ("abc", False)),
        (json.dumps({"url": "file:///forerun.whl", "archive_info": {}}), None),
        (None, None),
    ],
)
def test_the_commit_of_an_installation(
    monkeypatch: pytest.MonkeyPatch, noted: str | None, state: tuple[str, bool] | None
) -> None:
    """Not the commit of a repository around the environment."""
    monkeypatch.setattr(freeze, "IS_INSTALLED", True)
    origin = SimpleNamespace(read_text=lambda name: noted)
    monkeypatch.setattr(freeze.metadata, "distribution", lambda name: origin)
    found = freeze.git_state()
    assert (found and (found["commit"], found["dirty"])) == state
