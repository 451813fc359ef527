"""Forerun installed from a wheel, in an environment and a folder independent of the clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from forking import ADDRESS, Programs
from running import PROJECT, contents, write_table

from forerun.base.yaml_files import load_yaml
from forerun.jobs import server

pytestmark = pytest.mark.slow

#: Statistical models only, because training is not tested here.
QUICK = {"horizon": 4, "n_windows": 1, "models": [], "baselines": ["SeasonalNaive"]}
QUICK |= {"plot_series": 1}
#: Files that a wheel must contain.
SHIPPED = ("Snakefile", "workflow", "profiles", "scripts/*.py")
#: Another project's workflow that uses the installed rules.
MODULE = """
from forerun import WORKFLOW

module forecasts:
    snakefile: WORKFLOW
    config: {"output_dir": "out", "horizon": 4, "models": [], "baselines": ["SeasonalNaive"]}

use rule * from forecasts exclude all as forecasts_*

rule mine:
    default_target: True
    input: "out/runs/mine/predictions"
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel.

    Its Snakemake forks from a process of its interpreter; in `make test-all` it starts afresh.
    """

    folder: Path
    wheel: Path
    programs: Programs | None = None

    def run(
        self, home: Path, *command: str, code: int = 0, afresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in `home`, without any path to the clone."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        without = ("PYTHONPATH", server.VARIABLE, ADDRESS)
        env = {key: value for key, value in os.environ.items() if key not in without}
        if self.programs and not afresh:
            env[ADDRESS] = self.programs.address
        done = subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=home, env=env | {"PATH": path}, capture_output=True, text=True, timeout=600,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, (done.stdout + done.stderr)[-5000:]
        return done

    def snakemake(
        self, home: Path, *arguments: str, afresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run `snakemake` with `python -m`, as its program is not installed in this environment."""
        return self.run(home, "python", "-m", "snakemake", *arguments, afresh=afresh)


@pytest.fixture(scope="module", params=["forked", pytest.param("afresh", marks=pytest.mark.long)])
def installed(shared_folder: Path, request: pytest.FixtureRequest) -> Iterator[Environment]:
    """Build the wheel and install it; the libraries come from the environment of the tests."""
    folder, dist = shared_folder / "installed", shared_folder / "dist"
    with FileLock(str(shared_folder / "installed.lock")):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            build(dist, folder)
            (folder / "ready").touch()
    (wheel,) = dist.glob("*.whl")
    if request.param == "afresh":
        yield Environment(folder, wheel)
        return
    programs = Programs(str(folder / "bin" / "python"), path=None, shared=False)
    yield Environment(folder, wheel, programs)
    programs.stop()


def build(dist: Path, folder: Path) -> None:
    def call(*command: str) -> None:
        subprocess.run([sys.executable, "-m", *command], cwd=PROJECT, check=True, timeout=120)

    call("hatchling", "build", "-t", "wheel", "-d", str(dist))
    (wheel,) = dist.glob("*.whl")
    call("venv", "--without-pip", str(folder))
    python = str(folder / "bin" / "python")
    call("uv", "pip", "install", "-q", "--offline", "--no-deps", "--python", python, str(wheel))
    # A folder that a .pth file names is a place to import from, and its own .pth files, such as
    # that of the editable installation, do not count.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    shutil.copy(PROJECT / "tests" / "light" / "sitecustomize.py", site)


def assert_without_the_clone(home: Path) -> None:
    """Check that no file in `home` names a place in the clone."""
    guilty = {
        name
        for name, content in contents(home).items()
        for part in ("Snakefile", "config", "data", "profiles", "scripts", "workflow")
        if str(PROJECT / part).encode() in content
    }
    assert guilty == set()


def test_the_wheel_contains_all_files_of_the_workflow(installed: Environment) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        path.relative_to(PROJECT).as_posix()
        for pattern in SHIPPED
        for place in PROJECT.glob(pattern)
        for path in (place.rglob("*") if place.is_dir() else [place])
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {"config/config.yaml", "data/us_employment_monthly.csv", "data/README.md"}
    missing = {name for name in wanted if f"forerun/project/{name}" not in names}
    assert missing == set(), "add these to force-include in pyproject.toml"
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"forerun"}


def test_the_commands_work_in_an_empty_folder(installed: Environment, tmp_path: Path) -> None:
    where = "import forerun; print(forerun.__file__)"
    assert installed.run(tmp_path, "python", "-c", where).stdout.startswith(str(installed.folder))
    installed.run(tmp_path, "forerun", "generate-config", "mine.yaml")
    settings = load_yaml(tmp_path / "mine.yaml")
    assert settings["data_file"] is None
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings | QUICK))

    installed.run(tmp_path, "train", "--run-id", "exp1", "--config", "mine.yaml")
    run = tmp_path / "runs" / "exp1"
    assert (run / "SEALED").is_file()
    assert (run / "report.html").is_file()
    table = Path(load_yaml(run / "config.yaml")["data_file"])
    assert installed.folder in table.parents
    # The commit of a repository around the environment is not Forerun's commit.
    assert json.loads((run / "provenance.json").read_text())["git"] is None

    assert "exp1" in installed.run(tmp_path, "list-runs").stdout
    shutil.rmtree(run / "predictions")
    installed.run(tmp_path, "predict", "--run-id", "exp1")
    assert (run / "predictions" / "SeasonalNaive.csv").is_file()
    assert_without_the_clone(tmp_path)


def test_init_creates_a_project(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    output = installed.run(tmp_path, "forerun", "init").stdout
    assert "was not changed" in output
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert len((tmp_path / "Snakefile").read_text().split("\n\n")) == 3
    assert os.access(tmp_path / "profiles" / "cluster-generic" / "status.sh", os.X_OK)

    write_table(tmp_path / "table.csv")
    config = tmp_path / "config" / "config.yaml"
    asked = load_yaml(config) | QUICK | {"data_file": "table.csv"}
    config.write_text(yaml.safe_dump(asked))
    before = contents(tmp_path)
    installed.snakemake(tmp_path, "runs/exp1/config.yaml", afresh=True)
    installed.snakemake(tmp_path, "runs/exp1/predictions")
    assert (tmp_path / "runs" / "exp1" / "predictions" / "SeasonalNaive.csv").is_file()
    assert "exp1" in installed.snakemake(tmp_path, "list-runs").stdout
    # Without a target, all outputs of a run are made, as in a clone.
    done = installed.snakemake(tmp_path, "--dry-run", "--config", "run_id=exp2")
    assert "report_run" in done.stdout
    (tmp_path / "Other").write_text(MODULE)
    other = installed.snakemake(tmp_path, "--dry-run", "--snakefile", "Other")
    assert "forecasts_predict_run" in other.stdout

    refused = installed.run(tmp_path, "forerun", "init", code=2)
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "nothing is overwritten" in refused.stderr
    assert {name: contents(tmp_path)[name] for name in before} == before
    assert_without_the_clone(tmp_path)
