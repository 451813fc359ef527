"""Server that imports the forecasting libraries once and forks a child for each job of a call.

Importing neuralforecast takes about ten seconds of CPU time, and each fit runs in a separate
process. If all jobs run on this machine, :func:`start` starts the server; jobs find its socket in
the environment (``FORERUN_PRELOAD``) and connect to it (:class:`forerun.jobs.children.Forked`).
For each job it forks a child (:mod:`forerun.jobs.server_process`). Jobs of engines that are slow to
import connect to a second socket, so that all others do not wait for these imports. Without a
server, jobs start fresh interpreters, with the same results. Each process ends with its parent.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from forerun.base import scratch
from forerun.base.resources import python_path
from forerun.config.engines import ENGINES
from forerun.jobs.worker import bound

#: Environment variable with the path of the server's socket.
VARIABLE = "FORERUN_PRELOAD"
#: What the path of the socket for slow engines has in addition.
SLOW = ".slow"


def identity() -> list[str]:
    """Return what client and server must have in common: interpreter, library, user."""
    return [sys.prefix, sys.version, str(Path(__file__).resolve()), str(os.getuid())]


def is_slow(imports: Iterable[str]) -> bool:
    """Return whether any of these modules imports for long: a library of networks."""
    slow = {engine.module for engine in ENGINES.values() if engine.heavy}
    return not slow.isdisjoint(imports)


def address(imports: Iterable[str]) -> str:
    """Return the socket for a task that needs `imports`; empty if there is no server."""
    path = os.environ.get(VARIABLE, "")
    slow = path + SLOW
    return slow if path and is_slow(imports) and os.path.exists(slow) else path


@dataclass
class Server:
    """The server's process and the private folder of its socket."""

    process: subprocess.Popen[bytes]
    folder: scratch.Scratch

    def stop(self) -> None:
        """Stop the server and its children; remove the folder."""
        os.environ.pop(VARIABLE, None)
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.remove()


def start(engines: Iterable[str], at_once: bool = True) -> Server | None:
    """Start a server for `engines` and advertise its socket to jobs; None if not possible.

    With `at_once` it imports immediately, otherwise for the first job. `FORERUN_PRELOAD=off` in the
    environment turns it off; a running server is used if there is one.
    """
    given = os.environ.get(VARIABLE, "")
    if sys.platform != "linux":  # on other systems forking after these imports is not safe
        return None
    if given == "off" or os.path.exists(given):
        return None
    folder, engines = scratch.make(), list(engines)
    path = str(folder.path / "socket")
    slow = any(ENGINES[name].heavy for name in engines)
    with ExitStack() as sockets:
        try:
            listeners = [
                sockets.enter_context(_listener(place))
                for place in ([path, path + SLOW] if slow else [path])
            ]
        except OSError:  # the path of the temporary folder is too long for a socket
            folder.remove()
            return None
        numbers = [listener.fileno() for listener in listeners]
        arguments = [",".join(map(str, numbers)), str(folder.path), str(at_once), *engines]
        # Query the driver instead of opening the device: an open device does not survive a fork.
        settings = {"PYTHONPATH": python_path(), "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "forerun.jobs.server_process", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ) | bound(1) | settings,
            pass_fds=[*numbers, folder.lock],
            start_new_session=True,  # Snakemake handles interrupts from the terminal
        )
    os.environ[VARIABLE] = path
    return Server(process, folder)


def _listener(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener


@contextmanager
def running(engines: Collection[str], at_once: bool = True) -> Iterator[None]:
    """Run a server for `engines` during the block; none if there are no engines."""
    server = start(engines, at_once) if engines else None
    try:
        yield
    finally:
        if server:
            server.stop()
