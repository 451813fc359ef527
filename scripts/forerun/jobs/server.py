"""One process that has imported the forecasting libraries forks a child for each job of a call.

Importing neuralforecast takes about ten seconds of CPU, and each model trains in a process of its
own. When all jobs run on this machine, the main Snakemake process starts this one
(:func:`start`); jobs find its socket in the environment (``FORERUN_PRELOAD``) and send it their
task with two open files, for what the child prints and for its outcome
(:mod:`forerun.jobs.children`). Without it, or when it does not answer, a job starts a fresh
interpreter: the results are the same.

Who lives as long as whom: a child ends with the job that asked for it (its connection closes) and
with this process; this process ends with the one that started it (its standard input closes).
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forerun.base import scratch
from forerun.base.resources import python_path

#: The environment variable that tells jobs the path of the socket.
VARIABLE = "FORERUN_PRELOAD"


def bound(threads: int) -> dict[str, str]:
    """Environment variables that hold numerical libraries to a number of threads."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")
    return {f"{name}_NUM_THREADS": str(threads) for name in names}


def identity() -> list[str]:
    """What client and server must share: the interpreter's environment, this library, the user."""
    return [sys.prefix, sys.version, str(Path(__file__).resolve()), str(os.getuid())]


def figures(usage: resource.struct_rusage) -> tuple[float, float]:
    """Peak memory (MB) and CPU seconds of a process that has ended."""
    scale = 1024 if sys.platform == "linux" else 1024**2
    return round(usage.ru_maxrss / scale, 1), round(usage.ru_utime + usage.ru_stime, 2)


@dataclass
class Preloaded:
    """The process and the private folder of its socket."""

    process: subprocess.Popen[bytes]
    folder: scratch.Scratch

    def stop(self) -> None:
        """End the process and everything it has forked; remove the folder."""
        os.environ.pop(VARIABLE, None)
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.remove()


def start(engines: Iterable[str], at_once: bool = True) -> Preloaded | None:
    """Start the process for `engines` and tell it to the jobs; None where that is not possible.

    With `at_once` it imports right away, else when the first job asks: perhaps none does.
    `FORERUN_PRELOAD=off` in the environment turns it off, and one that runs already is enough.
    """
    if sys.platform != "linux":  # elsewhere a fork after these imports is not safe
        return None
    known = os.environ.get(VARIABLE, "")
    if known == "off" or os.path.exists(known):  # or the command line has started it already
        return None
    folder = scratch.make()
    path = str(folder.path / "socket")
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        listener.listen(128)
    except OSError:  # the path of the folder for temporary files is too long for a socket
        listener.close()
        folder.remove()
        return None
    settings = {"PYTHONPATH": python_path(), "PYTHONUNBUFFERED": "1"}
    # Asking the driver instead of opening the device: an open device does not survive a fork.
    settings |= {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "forerun.jobs.server_process",
            str(listener.fileno()),
            str(folder.path),
            str(at_once),
            *engines,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ) | bound(1) | settings,
        pass_fds=[listener.fileno(), folder.lock],
        start_new_session=True,  # the terminal's interrupt is for Snakemake to handle
    )
    listener.close()
    os.environ[VARIABLE] = path
    return Preloaded(process, folder)


@contextmanager
def running(engines: Collection[str], at_once: bool = True) -> Iterator[None]:
    """Have the process for `engines` while the block lasts; none where there are no engines."""
    started = start(engines, at_once) if engines else None
    try:
        yield
    finally:
        if started:
            started.stop()
