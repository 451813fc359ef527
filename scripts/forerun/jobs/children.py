"""Child processes of two kinds with one interface.

:class:`Fresh` starts an interpreter, which needs about ten seconds to import the forecasting
libraries. :class:`Forked` asks the server (:mod:`forerun.jobs.server`), which has imported them
once for all jobs of a call, to fork.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Client
from multiprocessing.reduction import send_handle
from typing import Any, Protocol

from forerun.base.resources import python_path
from forerun.jobs import server, worker


class Gone(Exception):
    """The server has ended or is not available; the task needs a fresh process."""


@dataclass
class Ended:
    """End of a child process.

    Attributes
    ----------
    status : wait status
    peak_mb, cpu_seconds : peak memory and CPU time
    usage : figures for the benchmark file, if Snakemake cannot see the child
    """

    status: int
    peak_mb: float
    cpu_seconds: float
    usage: dict[str, float] | None = None


class Child(Protocol):
    """A process that runs one task."""

    def poll(self) -> Ended | None:
        """Return the end of the child; None while it runs. May raise :class:`Gone`."""

    def started(self) -> bool:
        """Return whether the task has started; a child may wait for the server."""

    def kill(self) -> None:
        """Kill the child; :meth:`poll` returns its end later."""


class Fresh:
    """A new interpreter, which ends with its parent."""

    def __init__(self, task: dict[str, Any], environment: dict[str, str], out: int, result: int):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "forerun.jobs.worker"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=environment,
            pass_fds=[result],
        )
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it has already ended; poll() returns the status
            self.process.stdin.write(json.dumps(task | {"result": result}).encode())
            self.process.stdin.close()

    def poll(self) -> Ended | None:
        """See :meth:`Child.poll`."""
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(status, *worker.figures(usage))

    def started(self) -> bool:
        """See :meth:`Child.started`."""
        return True

    def kill(self) -> None:
        """See :meth:`Child.kill`."""
        self.process.kill()


class Forked:
    """A child of the server; it is killed when the connection of this process closes."""

    def __init__(self, task: dict[str, Any], environment: dict[str, str], out: int, result: int):
        request = task | {"environment": environment, "cwd": os.getcwd(), "umask": _umask()}
        request |= {"identity": server.identity()}
        self.has_started = False
        try:
            self.connection = Client(server.address(task.get("imports", ())))
            self.connection.send_bytes(json.dumps(request).encode())
            send_handle(self.connection, out, None)
            send_handle(self.connection, result, None)
        except OSError as error:
            raise Gone(str(error)) from error

    def poll(self) -> Ended | None:
        """See :meth:`Child.poll`."""
        try:
            while self.connection.poll():
                message = json.loads(self.connection.recv_bytes())
                self.has_started = True
                if message:
                    return Ended(**message)
        except (OSError, EOFError) as error:
            raise Gone(f"the server has ended ({error or 'closed'})") from error
        return None

    def started(self) -> bool:
        """See :meth:`Child.started`."""
        return self.has_started

    def kill(self) -> None:
        """See :meth:`Child.kill`."""
        with suppress(OSError):  # it no longer exists
            self.connection.send_bytes(b"")


def start(task: dict[str, Any], environment: dict[str, str], out: int, result: int) -> Child:
    """Start a child for `task`: forked if a server is available, otherwise fresh.

    Parameters
    ----------
    out, result : descriptors for the output of the child and for its outcome (JSON)
    """
    if os.environ.get(server.VARIABLE, "off") != "off":
        try:
            return Forked(task, environment, out, result)
        except Gone:
            pass
    return Fresh(task, environment, out, result)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a child, with the import path and limits on threads."""
    fixed = {"PYTHONPATH": python_path(), "PYTHONUNBUFFERED": "1"}
    fixed |= {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    return dict(os.environ) | worker.bound(threads) | fixed


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
