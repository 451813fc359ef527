"""What tests share: training costs seconds, so one trained run serves all that only read it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from running import snakemake, write_table

# A hook of git names its repository to what it starts: tests make repositories of their own.
for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"):
    os.environ.pop(name, None)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small CSV in long format."""
    return write_table(tmp_path / "table.csv")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all worker processes of this test session see."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def trained_run(shared_folder: Path) -> Path:
    """The folder of a finished, sealed run on config/test.yaml. Only to be read."""
    home = shared_folder / "trained"
    with FileLock(str(shared_folder / "trained.lock")):
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            table = write_table(home / "table.csv")
            done = snakemake(home, "--config", "run_id=trained", f"data_file={table}")
            assert done.returncode == 0, done.stderr[-5000:]
            (home / "done").touch()
    return home / "runs" / "trained"


@pytest.fixture
def run_copy(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of the trained run (in ``tmp_path/runs``) that a test may change."""
    target = tmp_path / "runs" / "trained"
    shutil.copytree(trained_run, target)
    return target
