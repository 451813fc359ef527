"""Shared fixtures: one trained run serves all tests that only read it."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import hypothesis
import psutil
import pytest
from filelock import FileLock
from forking import ADDRESS
from running import DRAWN, PROGRAMS, TEMPORARY_FILES, snakemake, write_table
from xdist.scheduler import LoadFileScheduling

from forerun.config.engines import ENGINES
from forerun.jobs import server

# A hook of git names its repository to what it starts, and make its jobs: tests make their own.
for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE", "MAKEFLAGS", "MFLAGS"):
    os.environ.pop(name, None)
# As in jobs: two processes with two threads each would wait for each other on two cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
# The library is compiled once, not in each of the hundreds of processes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

#: The environment variable by which everything that a test session starts is recognized.
SESSION = "FORERUN_TEST_SESSION"
#: Has the server fork quickly.
LIGHT = Path(__file__).parent / "light"
#: Seconds that processes have to end after the last test.
PATIENCE = 20.0
#: Examples of each property: in `make test`, and in `make test-all`.
for profile, examples in {"default": 30, "long": 150}.items():
    hypothesis.settings.register_profile(profile, deadline=None, max_examples=examples)
hypothesis.settings.load_profile("default")  # on every machine, in CI too
_server = pytest.StashKey[server.Server | None]()


# -- Processes ------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Start the processes that import for all tests: the forecasting libraries, and Snakemake.

    They do so when the first test asks them.
    """
    if not hasattr(config, "workerinput"):
        os.environ[SESSION] = f"{os.getpid()}-{time.time_ns()}"
        os.environ.pop(server.VARIABLE, None)
        os.environ.pop(ADDRESS, None)
        os.environ[ADDRESS] = PROGRAMS.address
        path = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIGHT), path]))
        config.stash[_server] = server.start(ENGINES, at_once=False)
        if path is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = path


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a process that a test started still lives."""
    if hasattr(session.config, "workerinput"):
        return
    PROGRAMS.stop()
    os.environ.pop(ADDRESS, None)
    if started := session.config.stash.get(_server, None):
        started.stop()
    until = time.monotonic() + PATIENCE
    while (left := left_behind()) and time.monotonic() < until:
        time.sleep(0.2)
    for process, command in left:
        print(f"\nleft behind by a test: process {process.pid}: {command}")
        process.kill()
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def left_behind() -> list[tuple[psutil.Process, str]]:
    """Return the living processes of this test session besides this one, with their commands."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(SESSION) == os.environ[SESSION]
            alive = process.status() != psutil.STATUS_ZOMBIE
            command = " ".join(process.cmdline())
            # The standard library's tracker of semaphores ends with the process that it belongs to.
            tracker = "from multiprocessing.resource_tracker" in command
            helper = process.ppid() == os.getpid() and tracker
            if ours and alive and process.pid != os.getpid() and not helper:
                found.append((process, command[:500]))
        except psutil.Error:
            continue
    return found


# -- Order ----------------------------------------------------------------------------------------


#: Files whose tests import torch in the process of pytest: one worker does.
NETWORKS = (
    *("test_engines.py", "test_pretrained.py", "test_covariates.py", "test_neural_checkpoint.py"),
    *("test_scaling.py", "test_same_data.py", "test_window_scaling.py", "test_training_losses.py"),
    *("test_automatic.py", "test_catalog.py", "test_neural_steps.py"),
)
#: What takes minutes comes first: files that wait in turn with files that compute.
FIRST = (
    *("test_slurm.py", *NETWORKS, "test_storage.py", "test_browser.py", "test_cli_workflow.py"),
    *("test_installed.py", "test_resume.py", "test_commands.py", "test_partial.py"),
    *("test_counts.py", "test_docs.py", "test_warm_start.py", "test_workflow.py"),
)


class ByFile(LoadFileScheduling):
    """Gives workers whole files, and one of them all files that import torch."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "networks" if Path(file).name in NETWORKS else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a worker that gets it last would end long after the others.

    Tests of units compute, others wait half of the time: two files of the former follow each of the
    latter.
    """
    units = Path(__file__).parent / "forerun"
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    waiting, computing = [], []
    for path in sorted({item.path for item in items if item.path.name not in FIRST}):
        light = path.is_relative_to(units) and path not in slow
        (computing if light else waiting).append(path)
    turns = {path: turn for turn, path in enumerate(waiting)}
    turns |= {path: turn // 2 for turn, path in enumerate(computing)}

    def key(item: pytest.Item) -> tuple[int, int, str]:
        name, path = item.path.name, item.path
        if name in FIRST:
            return FIRST.index(name), 0, str(path)
        return len(FIRST), turns[path], str(path)

    items.sort(key=key)


def pytest_collection_finish() -> None:
    """Have Python look for garbage seldom, and not among the tests and what they import.

    Collecting does not import torch: it would take longer than all else, in each worker.
    """
    if "torch" in sys.modules:
        raise pytest.UsageError("a test module imports torch at its top: use lazily.py")
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


# -- Fixtures -------------------------------------------------------------------------------------


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
            asked = ("--config", "run_id=trained", f"data_file={table}")
            done = snakemake(home, *asked, env=DRAWN)
            assert done.returncode == 0, done.stderr[-5000:]
            (home / "done").touch()
    return home / "runs" / "trained"


@pytest.fixture
def run_copy(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of the trained run (in ``tmp_path/runs``) that a test may change."""
    target = tmp_path / "runs" / "trained"
    shutil.copytree(trained_run, target, ignore=TEMPORARY_FILES)
    return target


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands that train fork a Snakemake, where a user's start one."""

    def run(
        arguments: Sequence[str], output: IO[bytes] | None = None, *_: object, **__: object
    ) -> int:
        done = PROGRAMS.run([*arguments[3:]], Path.cwd(), dict(os.environ), timeout=300)
        if output:
            output.write((done.stdout + done.stderr).encode())
        return done.returncode

    monkeypatch.setattr("forerun.cli.snakemake.run", run)
