"""A process that has imported Snakemake and Forerun, and forks for each call.

Starting Snakemake costs seconds, nearly all of them for its imports. A forked call is the command
line of a program in a separate process, with its folder, environment and output.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1] / "scripts"
#: What the Snakefile imports besides Snakemake.
MODULES = ("snakemake.cli", "snakemake.executors.local", "forerun.cli.app", "pandas")


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
                text=True, env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
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
    for line in sys.stdin:
        call, parent = json.loads(line), os.getpid()
        if (pid := os.fork()) == 0:
            become(call, parent)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def become(call: dict[str, Any], parent: int) -> None:
    """Become a program with the folder, environment and files of a call. Never returns."""
    from forerun.base.parent import end_with_parent

    code = 1
    try:
        end_with_parent(signal.SIGKILL, parent)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, path in enumerate(call["output"], 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
        os.chdir(call["folder"])
        os.environ.clear()
        os.environ.update(call["env"])
        tempfile.tempdir = None
        sys.argv = [call["program"], *call["arguments"]]
        code = main(call["program"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(program: str) -> int:
    """Call Snakemake or Forerun as its program does; return its exit code."""
    import snakemake.cli

    import forerun.cli

    code: Any = 1
    try:
        code = {"snakemake": snakemake.cli.main, "forerun": forerun.cli.main}[program]()
    except SystemExit as ended:
        code = ended.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve()
