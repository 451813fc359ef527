"""The two kinds of process in which a piece of work is done, with one face.

:class:`Fresh` starts an interpreter; the forecasting libraries then take it some ten seconds to
import. :class:`Forked` asks the process of :mod:`forerun.jobs.server`, which has imported them
once for all jobs of a call, to fork.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from forerun.base.resources import python_path
from forerun.jobs import server


class Gone(Exception):
    """The process that forks for others has ended, or refuses: do the work in a fresh one."""


@dataclass
class Ended:
    """How a child ended: its wait status, peak memory in MB and CPU seconds.

    `usage` are figures under the names of Snakemake's benchmark files, where Snakemake cannot see
    the child itself.
    """

    status: int
    peak_mb: float
    cpu_seconds: float
    usage: dict[str, float] | None = None


class Child(Protocol):
    """A process that works on one task."""

    def poll(self) -> Ended | None:
        """Return how the child ended; None while it lives. May raise :class:`Gone`."""

    def started(self) -> bool:
        """Tell whether the work has begun: a child may wait for its process."""

    def kill(self) -> None:
        """End the child at once; :meth:`poll` tells when it has ended."""


class Fresh:
    """A new interpreter. It dies with the process that made it."""

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
        with suppress(BrokenPipeError):  # it has died already: its wait status tells
            self.process.stdin.write(json.dumps(task | {"result": result}).encode())
            self.process.stdin.close()

    def poll(self) -> Ended | None:
        """See :meth:`Child.poll`."""
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(status, *server.figures(usage))

    def started(self) -> bool:
        """See :meth:`Child.started`."""
        return True

    def kill(self) -> None:
        """See :meth:`Child.kill`."""
        self.process.kill()


class Forked:
    """A child of the preloaded process. It is ended when the connection of this one closes."""

    def __init__(self, task: dict[str, Any], environment: dict[str, str], out: int, result: int):
        request = task | {"environment": environment, "cwd": os.getcwd(), "umask": _umask()}
        request |= {"identity": server.identity()}
        self.received = b""
        self.pid = 0
        self.connection = socket.socket(socket.AF_UNIX)
        try:
            self.connection.connect(os.environ[server.VARIABLE])
            text = json.dumps(request).encode()
            header = len(text).to_bytes(8, "big")
            socket.send_fds(self.connection, [header], [out, result])
            self.connection.sendall(text)
        except OSError as error:
            self.connection.close()
            raise Gone(str(error)) from error
        self.connection.setblocking(False)

    def poll(self) -> Ended | None:
        """See :meth:`Child.poll`."""
        try:
            data = self.connection.recv(65536)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            self.connection.close()
            raise Gone("the preloaded process has ended")
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "pid" in message:
                self.pid = message["pid"]
            else:
                self.connection.close()
                return Ended(**message)
        return None

    def started(self) -> bool:
        """See :meth:`Child.started`."""
        return self.pid != 0

    def kill(self) -> None:
        """See :meth:`Child.kill`."""
        with suppress(OSError):  # it is gone already
            self.connection.shutdown(socket.SHUT_WR)


def start(task: dict[str, Any], environment: dict[str, str], out: int, result: int) -> Child:
    """Start a child for `task`: forked where a preloaded process answers, else a fresh one.

    Parameters
    ----------
    out, result : descriptors for what the child prints and for its outcome (JSON)
    """
    if os.environ.get(server.VARIABLE, "off") != "off":
        try:
            return Forked(task, environment, out, result)
        except Gone:
            pass
    return Fresh(task, environment, out, result)


def environment(threads: int) -> dict[str, str]:
    """A child's environment: it imports this library, with threads bound everywhere."""
    fixed = {"PYTHONPATH": python_path(), "PYTHONUNBUFFERED": "1"}
    fixed |= {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    return dict(os.environ) | server.bound(threads) | fixed


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
