"""A user id without a name, as in containers: Snakemake gets a home folder and a name."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from forerun.cli import snakemake


def test_snakemake_gets_home_and_name_of_a_nameless_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    found = snakemake.environment(["snakemake"], tmp_path)
    assert found["HOME"] == str(tmp_path)
    assert str(os.getuid()) in found["USER"]


def test_home_and_name_of_a_user_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USER", "ada")
    found = snakemake.environment(["snakemake"], tmp_path)
    assert (found["HOME"], found["USER"]) == ("/home/ada", "ada")
