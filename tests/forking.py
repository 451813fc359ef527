"""A process that has imported Snakemake and Forerun, and forks for each call.

Starting Snakemake costs seconds, nearly all of them for its imports, and so does each script of a
job. A forked call is the command line of a program in a separate process, with its folder,
environment and output; the scripts of its jobs are forks of it, as is the Snakemake that `train`
starts. Calls that a test kills, and those of an installation, are started as users start them.
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from light import huge_pages

SCRIPTS = Path(__file__).parents[1] / "scripts"
#: What Snakemake, the Snakefile, the scripts of jobs and forecasts of statistical models import.
MODULES = (
    *("snakemake.cli", "snakemake.executors.local", "snakemake.benchmark", "snakemake.script"),
    *("snakemake.storage", "smart_open", "nbformat.v4", "jsonschema", "rfc3339_validator"),
    *("pandas", "pyarrow.dataset", "pyarrow.parquet", "matplotlib.backends.backend_svg"),
    *("plotly.offline", "filelock", "forerun.runs.request", "forerun.runs.snapshot"),
    *("forerun.runs.closed", "forerun.runs.endings", "forerun.jobs.resources"),
    *("forerun.jobs.fit_history", "forerun.config.threads", "forerun.evaluation.cautions"),
    *(
        "statsforecast.models",
        "forerun.forecasting.engines.statistical",
        "forerun.deployments.update",
    ),
    *("forerun.report.monitor", "forerun.forecasting.predict", "forerun.forecasting.inference"),
    *("forerun.cli.app", "forerun.cli.train", "forerun.cli.predict", "forerun.forecasting.freeze"),
    *("forerun.jobs.fit_job", "forerun.jobs.collect", "forerun.jobs.predict_job"),
    *(
        "forerun.evaluation.scoring",
        "forerun.plots.figures",
        "forerun.report",
        "forerun.cli.run_table",
    ),
)
#: As in ``linux/prctl.h``: 15 characters.
PR_SET_NAME = 15
#: The environment variable with the socket of the process that forks for all tests.
ADDRESS = "FORERUN_TEST_PROGRAMS"
#: The name of a process that imports for the jobs of a call, and of one without it that trains.
SERVER, WORKER = "server_process", "worker"
#: The environment variable that has figures drawn.
DRAW = "FORERUN_TEST_DRAW"
#: The environment variable with the seconds that each fit lasts longer, to be met at work.
LINGER = "FORERUN_TEST_LINGER"
#: The environment variable with the seconds that trainings of a call's own server last longer.
TRAINING = "FORERUN_TEST_TRAINING"
#: As Snakemake sets it for the scripts of jobs: the libraries read it when they are loaded.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Programs:
    """Runs `snakemake` and `forerun` in forks of a process that has imported them.

    The process starts with the first call, unless the environment names one (`ADDRESS`).

    Parameters
    ----------
    python : interpreter of the process
    path : folder to import Forerun from; None if it is installed
    shared : use the process that the environment names
    """

    def __init__(
        self, python: str = sys.executable, path: Path | None = SCRIPTS, shared: bool = True
    ) -> None:
        self.python, self.path, self.shared = python, path, shared
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = ""
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """The socket of the process."""
        with self.lock:
            if self.shared and ADDRESS in os.environ:
                return os.environ[ADDRESS]
            if self.process is None:
                self.begin()
            return f"{self.folder}/socket"

    def begin(self) -> None:
        """Start the process; it imports nothing before the first call."""
        self.folder = tempfile.mkdtemp(prefix="programs")
        own = {"PYTHONPATH": str(self.path)} if self.path else {}
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{self.folder}/socket")
            listener.listen(128)
            self.process = subprocess.Popen(
                [self.python, __file__, str(listener.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()], env=env | THREADS | own,
            )  # fmt: skip

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None
            shutil.rmtree(self.folder)

    def run(
        self,
        arguments: list[str],
        folder: Path,
        env: dict[str, str],
        timeout: float,
        program: str = "snakemake",
    ) -> subprocess.CompletedProcess[str]:
        """Run ``<program> <arguments>`` in `folder`, as `subprocess.run` does."""
        new = partial(tempfile.NamedTemporaryFile, "w+")
        with new() as out, new() as error:
            call = self.start(arguments, folder, env, program, (out.name, error.name))
            try:
                code = call.wait(timeout)
            finally:
                call.kill()
            for file in (out, error):
                file.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), error.read())

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        env: dict[str, str],
        program: str,
        output: tuple[str, str],
    ) -> Started:
        """Start ``<program> <arguments>`` in `folder`; it writes to two files that exist."""
        call = {"program": program, "arguments": [*arguments], "folder": str(folder), "env": env}
        files = [os.open(os.devnull, os.O_RDONLY)]
        files += [os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY) for path in output]
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.address)
            socket.send_fds(connection, [b"."], files)
            connection.sendall(json.dumps(call).encode() + b"\n")
        finally:
            for file in files:
                os.close(file)
        return Started(connection)


class Started:
    """A program that was started, with what is used of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        # Without a buffer, which would hide from `select` what was read ahead.
        self.connection, self.stream = connection, connection.makefile("rb", buffering=0)
        self.pid = int(self.stream.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code."""
        if self.returncode is None:
            if not select.select([self.connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = int(self.stream.readline() or -signal.SIGKILL)
            self.stream.close()
            self.connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return its exit code; None as long as it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self.send_signal(signal.SIGKILL)
        self.wait()


# -- The process that forks -----------------------------------------------------------------------


def serve(listener: socket.socket) -> NoReturn:
    """Fork for each connection. Imports with the first one."""
    import importlib

    from forerun.base.parent import end_with_parent

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    end_with_parent()
    select.select([listener], [], [])
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("snakemake.cli").get_argument_parser()  # imports all plugins
    fork_what_they_start()
    measure_quickly()
    os.fsync = lambda _: None  # kills lose nothing of what a process has written
    warm_up()
    gc.collect()
    huge_pages.collapse()
    gc.freeze()  # what is loaded stays shared with the forks
    gc.set_threshold(100_000, 20, 20)
    server, keepers = os.getpid(), set[int]()
    while True:
        connection = listener.accept()[0]
        if (pid := os.fork()) == 0:
            listener.close()
            leave(keep, connection, server)
        keepers.add(pid)
        connection.close()
        keepers = {one for one in keepers if not os.waitpid(one, os.WNOHANG)[0]}


def warm_up() -> None:
    """Fill caches that each fork would fill: schema, rules, templates, the parts of pandas."""
    from rules_once import remember
    from synthetic import make_run

    from forerun import WORKFLOW
    from forerun.report import write_report

    def dry_run(folder: str) -> None:
        os.chdir(folder)
        options = ["--snakefile", str(Path(WORKFLOW).parents[1] / "Snakefile"), "--dry-run"]
        main("snakemake", [*options, "--cores", "1", "--config", "run_id=dry"], dict(os.environ))

    remember(dry_run)
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        write_report(make_run(f"{folder}/runs", models=1, series=1))
    tempfile.tempdir = None
    atexit.unregister(shutil.rmtree)  # no fork removes at its end what make_run keeps


def keep(connection: socket.socket, server: int) -> int:
    """Fork for a call: say its process id, pass signals on to all that it starts, say its end.

    All of that ends with the connection.
    """
    from forerun.base.parent import end_with_parent

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(signal.SIGKILL, server)
    files, keeper = socket.recv_fds(connection, 1, 3)[1], os.getpid()
    stream = connection.makefile("rw")
    call = json.loads(stream.readline())
    if (pid := os.fork()) == 0:
        stream.close()
        connection.close()
        leave(become, call, files, keeper)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(pid)
    with suppress(BrokenPipeError):
        print(pid, file=stream, flush=True)
    while ended not in select.select([connection, ended], [], [])[0]:
        signals = connection.recv(1)
        signal_all(pid, signals[0] if signals else signal.SIGKILL)
        if not signals:
            break
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):
        print(code, file=stream, flush=True)
    return 0


def signal_all(pid: int, number: int) -> None:
    """Send a signal to a process and everything below it."""
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                one.send_signal(number)


def become(call: dict[str, Any], files: list[int], parent: int) -> int:
    """Become a program with the folder, environment and files of a call."""
    from forerun.base.parent import end_with_parent

    end_with_parent(signal.SIGKILL, parent)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(call["folder"])
    return main(call["program"], call["arguments"], call["env"])


def leave(function: Callable[..., int], *arguments: Any) -> NoReturn:
    """End this process with the exit code that a function returns. Never returns."""
    code = 1
    try:
        code = function(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(program: str, arguments: Sequence[str], env: dict[str, str]) -> int:
    """Call Snakemake or Forerun as its program does; return its exit code."""
    import snakemake.cli

    import forerun.cli

    take(env)
    rename(program)
    sys.argv = [program, *arguments]
    code = exit_code({"snakemake": snakemake.cli.main, "forerun": forerun.cli.main}[program])
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    return code


def rename(name: str) -> None:
    """Give this process a name, as ``ps`` shows it: its command line is that of all forks."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def take(env: dict[str, str]) -> None:
    """Take an environment for this process."""
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None


def exit_code(function: Callable[[], Any]) -> int:
    """Call what may end by exiting."""
    code: Any = 1
    try:
        code = function()
    except SystemExit as ended:
        code = ended.code
    return code if isinstance(code, int) else int(code is not None)


# -- What the programs start ----------------------------------------------------------------------


def fork_what_they_start() -> None:
    """Have Snakemake fork for a script, `train` for Snakemake and the server, jobs for workers."""
    from types import SimpleNamespace

    from snakemake.script import PythonScript

    import forerun.cli.snakemake
    import forerun.jobs.children
    import forerun.jobs.server

    PythonScript.execute_script = execute_script
    for module, forked in (
        (forerun.cli.snakemake, ForkedSnakemake),
        (forerun.jobs.server, ForkedServer),
        (forerun.jobs.children, ForkedWorker),
    ):
        module.subprocess = SimpleNamespace(  # type: ignore[attr-defined]
            **vars(subprocess) | {"Popen": forked}
        )


def measure_quickly() -> None:
    """Have Snakemake's benchmarks measure the resident memory only: the rest needs all pages."""
    import psutil

    class Memory(NamedTuple):
        rss: int
        vms: int
        uss: int
        pss: int

    def memory_full_info(process: psutil.Process) -> Memory:
        used = process.memory_info()
        return Memory(used.rss, used.vms, used.rss, used.rss)

    psutil.Process.memory_full_info = memory_full_info


class Forked(subprocess.Popen[Any]):
    """A function that is called where another program would be executed.

    It has the session, folder and files of that program.
    """

    def __init__(
        self, arguments: Sequence[str], function: Callable[[], int], **options: Any
    ) -> None:
        kept = {0, 1, 2, *options.get("pass_fds", ())}

        def call() -> None:
            # Not only closed: Arrow aborts where a fork of this process finds its pipe closed.
            nothing = os.open(os.devnull, os.O_RDWR)
            for name in os.listdir("/proc/self/fd"):
                if int(name) not in {nothing, *kept}:
                    os.dup2(nothing, int(name), inheritable=False)
            fresh()
            leave(function)

        super().__init__(arguments, preexec_fn=call, **options)


class ForkedSnakemake(Forked):
    """A Snakemake that is started by what has imported it."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        env = options["env"]
        super().__init__(arguments, lambda: main("snakemake", arguments[3:], env), **options)


class ForkedServer(Forked):
    """A server for jobs (``forerun.jobs.server_process``), which finds most libraries imported."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        def serve_jobs() -> int:
            from forerun.jobs import server_process

            take(options["env"])
            rename(SERVER)
            if TRAINING in os.environ:
                train_longer(float(os.environ[TRAINING]))
            sys.argv = [SERVER, *arguments[4:]]
            return exit_code(server_process.main)

        super().__init__(arguments, serve_jobs, **options)


class ForkedWorker(Forked):
    """A process that trains for a job whose call has no server (any more)."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        def work() -> int:
            from forerun.jobs import worker

            take(options["env"])
            rename(WORKER)
            return exit_code(worker.main)

        super().__init__(arguments, work, **options)


def train_longer(seconds: float) -> None:
    """Have the processes that train wait first."""
    from forerun.forecasting import training

    train = training.train

    def waiting(*arguments: Any, **options: Any) -> Any:
        time.sleep(seconds)
        return train(*arguments, **options)

    training.train = waiting


def execute_script(script: Any, fname: str, edit: bool = False) -> None:
    """Run the script of a job in a fork, where Snakemake runs it in a fresh interpreter."""
    from snakemake.benchmark import benchmarked

    if (pid := os.fork()) == 0:
        leave(run_script, script, fname)
    record = script.bench_record
    with benchmarked(pid, record) if record is not None else nullcontext():
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise subprocess.CalledProcessError(code, fname)


def run_script(script: Any, fname: str) -> int:
    """Run a script as `python <script>` does, with the environment that Snakemake gives it."""
    fresh()
    threads, tmpdir = str(script.threads), script.resources.get("tmpdir")
    env = dict(os.environ) | dict.fromkeys(THREADS, threads)
    take(env | (dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), tmpdir) if tmpdir else {}))
    sys.argv = [fname]
    rename(Path(fname).stem.rpartition(".")[2])
    if DRAW not in env:
        undraw()
    if LINGER in env:
        linger(float(env[LINGER]))

    def call() -> None:
        runpy.run_path(fname, run_name="__main__")

    return exit_code(call)


def undraw() -> None:
    """Have empty figures saved, without drawing: it takes longer than all else of a small run."""
    from dataclasses import replace

    import numpy as np
    from matplotlib.figure import Figure

    from forerun.plots import index, style

    drawings = index.drawings
    index.drawings = lambda inputs: [replace(one, draw=Figure) for one in drawings(inputs)]
    style.render = lambda *_: (np.zeros((1, 1, 4), "uint8"), "<svg/>")


def linger(seconds: float) -> None:
    """Have fits wait after they have started."""
    from forerun.jobs import lease

    held = lease.held

    @contextmanager
    def held_longer(*arguments: Any, **options: Any) -> Iterator[lease.Lease]:
        with held(*arguments, **options) as own:
            time.sleep(seconds)
            yield own

    lease.held = held_longer


def fresh() -> None:
    """Forget what the process that forked has set up: signals, streams, the log."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What replaces them in a fork of this process does not close the files.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    for logger in (logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)):
        logger.handlers.clear()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
