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
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1] / "scripts"
#: What Snakemake, the Snakefile and the scripts of jobs import; no forecasting library.
MODULES = (
    *("snakemake.cli", "snakemake.executors.local", "snakemake.benchmark", "snakemake.script"),
    *("pandas", "pyarrow.parquet", "matplotlib.backends.backend_svg"),
    *("forerun.cli.app", "forerun.cli.train", "forerun.cli.predict", "forerun.forecasting.freeze"),
    *("forerun.jobs.fit_job", "forerun.jobs.collect", "forerun.jobs.predict_job"),
    *(
        "forerun.evaluation.scoring",
        "forerun.plots.figures",
        "forerun.report",
        "forerun.cli.run_table",
    ),
)
#: The environment variable that has figures drawn.
DRAW = "FORERUN_TEST_DRAW"
#: As Snakemake sets it for the scripts of jobs: the libraries read it when they are loaded.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Programs:
    """Runs `snakemake` and `forerun` in forked processes, one at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None

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
        with self.lock, new() as out, new() as error:
            call = {
                "program": program,
                "arguments": arguments,
                "folder": str(folder),
                "env": env,
                "output": [out.name, error.name],
            }
            code = self._ask(call, timeout)
            for file in (out, error):
                file.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), error.read())

    def _ask(self, call: dict[str, Any], timeout: float) -> int:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, env=os.environ | THREADS | {"PYTHONPATH": str(SCRIPTS)},
            )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(call) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not answer:
            self.process = None  # the next call starts another one
        assert answer, f"{call['program']} took longer than {timeout:g} s"
        return int(answer)

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


def serve() -> None:
    """Fork for each call that a line of standard input describes; answer with its exit code."""
    import importlib

    for name in MODULES:
        importlib.import_module(name)
    fork_what_they_start()
    gc.freeze()  # what is loaded stays shared with the forks
    for line in sys.stdin:
        call, parent = json.loads(line), os.getpid()
        if (pid := os.fork()) == 0:
            leave(become, call, parent)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def leave(function: Callable[..., int], *arguments: Any) -> None:
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


def become(call: dict[str, Any], parent: int) -> int:
    """Become a program with the folder, environment and files of a call."""
    from forerun.base.parent import end_with_parent

    end_with_parent(signal.SIGKILL, parent)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(call["output"], 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    os.chdir(call["folder"])
    return main(call["program"], call["arguments"], call["env"])


def main(program: str, arguments: Sequence[str], env: dict[str, str]) -> int:
    """Call Snakemake or Forerun as its program does; return its exit code."""
    import snakemake.cli

    import forerun.cli

    take(env)
    sys.argv = [program, *arguments]
    code = exit_code({"snakemake": snakemake.cli.main, "forerun": forerun.cli.main}[program])
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    return code


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
    """Have Snakemake fork for the script of a job, and `train` for Snakemake."""
    from types import SimpleNamespace

    from snakemake.script import PythonScript

    import forerun.cli.snakemake

    PythonScript.execute_script = execute_script
    started = SimpleNamespace(**vars(subprocess))
    started.Popen = ForkedSnakemake
    forerun.cli.snakemake.subprocess = started  # type: ignore[assignment]


class ForkedSnakemake(subprocess.Popen[Any]):
    """A Snakemake that is started by what has imported it."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        """Call it where another program would be executed: with its session, folder and files."""
        env, kept = options.pop("env"), {0, 1, 2, *options.get("pass_fds", ())}

        def call() -> None:
            for name in os.listdir("/proc/self/fd"):
                if int(name) not in kept:
                    with suppress(OSError):
                        os.close(int(name))
            fresh()
            leave(main, "snakemake", arguments[3:], env)

        super().__init__(arguments, env=env, preexec_fn=call, **options)


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
    from forerun.base.parent import end_with_parent

    fresh()
    end_with_parent(signal.SIGKILL)
    threads, tmpdir = str(script.threads), script.resources.get("tmpdir")
    env = dict(os.environ) | dict.fromkeys(THREADS, threads)
    take(env | (dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), tmpdir) if tmpdir else {}))
    sys.argv = [fname]
    if DRAW not in env:
        undraw()

    def call() -> None:
        runpy.run_path(fname, run_name="__main__")

    return exit_code(call)


def undraw() -> None:
    """Have figures saved without drawing them, which takes longer than all else of a small run."""
    import numpy as np

    from forerun.plots import style

    style.render = lambda *_: (np.zeros((1, 1, 4), "uint8"), "<svg/>")


def fresh() -> None:
    """Forget what the process that forked has set up: signals, streams, the log."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1)
    for logger in (logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)):
        logger.handlers.clear()


if __name__ == "__main__":
    serve()
