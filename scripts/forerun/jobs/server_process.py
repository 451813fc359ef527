"""The process that has imported the forecasting libraries: it forks a child for each job that asks.

:mod:`forerun.jobs.server` starts it, as ``python -m forerun.jobs.server_process``, and tells how
it lives.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from forerun.config.engines import ENGINES
from forerun.jobs import benchmark_files, worker
from forerun.jobs.server import figures, identity

#: Seconds between two looks at the memory of the children.
TICK = 0.5


@dataclass
class _Job:
    """A connection, the task that came over it, and the child that works on it."""

    connection: socket.socket
    task: dict[str, Any] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)
    pid: int = 0
    pidfd: int = -1
    usage: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    next_sample: float = 0.0

    def sample(self) -> None:
        """Look at the child's memory: often at first, then every ten seconds."""
        if self.pid and time.time() >= self.next_sample:
            benchmark_files.sample(self.pid, self.usage)
            self.samples += 1
            self.next_sample = time.time() + min(TICK * 2**self.samples, 10)


class Server:
    """Answers requests between imports and after them; see forerun.jobs.server."""

    def __init__(self, listener: socket.socket, folder: str):
        self.listener, self.folder = listener, folder
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._end)
        self.jobs: list[_Job] = []
        self.corrections: list[tuple[str, float, dict[str, float]]] = []
        self.planned: list[str] = []
        self.ended = False

    def run(self, modules: list[str], at_once: bool) -> None:
        """Import `modules`, then answer until the process that started this one has ended."""
        self.planned = list(modules)
        while not (at_once or self.jobs or self.ended):
            self.turn(None)
        while self.planned:
            importlib.import_module(self.planned.pop(0))
            self.turn(0)
            if self.ended:
                return
        gc.collect()
        gc.freeze()  # what is loaded now stays shared with the children
        while not self.ended:
            self.turn(TICK if self.corrections or any(job.pid for job in self.jobs) else None)

    def turn(self, timeout: float | None) -> None:
        """Handle what has happened; fork for each task whose modules are there."""
        for key, _ in self.selector.select(timeout):
            key.data(key.fileobj)
        for job in [job for job in self.jobs if job.task and not job.pid]:
            if not any(name in self.planned for name in job.task.get("imports", [])):
                self._fork(job)
        for job in self.jobs:
            job.sample()
        self.corrections = [c for c in self.corrections if not benchmark_files.correct(*c)]

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(5)
        job = _Job(connection)
        try:
            header, job.files, _, _ = socket.recv_fds(connection, 8, 2)
            size, text = int.from_bytes(header, "big"), b""
            while len(text) < size and (data := connection.recv(size - len(text))):
                text += data
            task = json.loads(text)
        except (OSError, ValueError):
            task = {}
        if task.pop("identity", None) != identity() or len(job.files) != 2:
            self._close(job)  # another environment or a stranger: it has to help itself
            return
        job.task = task
        self.jobs.append(job)
        self.selector.register(connection, selectors.EVENT_READ, lambda _: self._left(job))

    def _fork(self, job: _Job) -> None:
        parent = os.getpid()
        job.pid = os.fork()
        if job.pid == 0:
            _be_child(job, parent)
        job.pidfd = os.pidfd_open(job.pid)
        self.selector.register(job.pidfd, selectors.EVENT_READ, lambda _: self._reap(job))
        self._say(job, {"pid": job.pid})

    def _left(self, job: _Job) -> None:
        """End the child of a job that was killed, or that has asked for it."""
        if job not in self.jobs:
            return  # its child has ended at the same moment
        self.selector.unregister(job.connection)
        if job.pid:
            _kill(job.pid)
        else:
            self.jobs.remove(job)
            self._close(job)

    def _reap(self, job: _Job) -> None:
        _kill(job.pid)  # what the child has started and left; itself it is only a number by now
        _, status, used = os.wait4(job.pid, 0)
        self.selector.unregister(job.pidfd)
        os.close(job.pidfd)
        self.jobs.remove(job)
        peak, cpu = figures(used)
        job.usage |= {"max_rss": max(peak, job.usage.get("max_rss", 0)), "cpu_time": cpu}
        if path := job.task.get("benchmark"):
            self.corrections.append((path, time.time(), job.usage))
        if job.connection in self.selector.get_map():
            self.selector.unregister(job.connection)
        self._say(job, {"status": status, "peak_mb": peak, "cpu_seconds": cpu, "usage": job.usage})
        self._close(job)

    def _say(self, job: _Job, message: dict[str, Any]) -> None:
        with suppress(OSError):  # nobody waits for it any more
            job.connection.sendall(json.dumps(message).encode() + b"\n")

    def _close(self, job: _Job) -> None:
        job.connection.close()
        for descriptor in job.files:
            os.close(descriptor)
        job.files = []

    def _end(self, _: Any) -> None:
        self.ended = True

    def finish(self) -> None:
        """End what still works, write the last figures, leave nothing behind."""
        for job in self.jobs:
            if job.pid:
                _kill(job.pid)
        for correction in self.corrections:
            benchmark_files.correct(*correction)
        shutil.rmtree(self.folder, ignore_errors=True)


def _kill(pid: int) -> None:
    """End a child and what it has started itself: it leads a process group."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _be_child(job: _Job, parent: int) -> None:
    """Become what the job asked for: its files, environment and folder. Never returns."""
    status = 1
    try:
        out, result = job.files
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        worker.die_with_parent(parent)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(result, 3)
        os.closerange(4, 4096)
        os.environ.clear()
        os.environ.update(job.task["environment"])
        tempfile.tempdir = None
        os.umask(job.task["umask"])
        os.chdir(job.task["cwd"])
        outcome = worker.perform(job.task)
        with os.fdopen(3, "w") as pipe:
            json.dump(outcome, pipe)
        atexit._run_exitfuncs()  # as an interpreter that ends: some libraries end their helpers so
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    descriptor, folder, at_once, *engines = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    worker.die_with_parent(os.getppid(), signal.SIGTERM)
    server = Server(socket.socket(fileno=int(descriptor)), folder)
    # The lightest first: a statistical model need not wait for the neural libraries.
    chosen = sorted((ENGINES[name] for name in engines), key=lambda engine: len(engine.heavy))
    known = [name for engine in chosen for name in engine.imports]
    try:
        server.run(list(dict.fromkeys(known)), at_once == "True")
    finally:
        server.finish()


if __name__ == "__main__":
    main()
