"""The server: it has imported the forecasting libraries and forks a child for each job that asks.

:mod:`forerun.jobs.server` starts it as ``python -m forerun.jobs.server_process``. For each job it
forks a keeper, which forks the child that does the work, measures it, ends it when the job closes
its connection, and reports how it ended.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import Any, NoReturn

from forerun.base.parent import end_with_parent
from forerun.config.engines import ENGINES
from forerun.jobs import benchmark_files, worker
from forerun.jobs.server import identity

#: Seconds until a child's memory is read for the first time, and between two readings at most.
FIRST, LONGEST = 0.5, 10.0
#: Seconds that Snakemake has for writing the benchmark file of a job that has ended.
PATIENCE = 60.0


def serve(listener: socket.socket, modules: list[str], at_once: bool) -> NoReturn:
    """Import `modules` and fork for each job; a signal ends it."""
    waiting: list[tuple[Connection, dict[str, Any]]] = []
    while True:
        for request in [
            one for one in waiting if not set(one[1].get("imports", [])) & set(modules)
        ]:
            waiting.remove(request)
            _fork_keeper(listener, *request)
        importing = bool(modules) and (at_once or bool(waiting))
        if importing:
            importlib.import_module(modules.pop(0))
            if not modules:
                gc.collect()
                gc.freeze()  # what is loaded now stays shared with the children
        if wait([listener], 0 if importing else None):
            waiting += _accept(listener)
        _reap()


def _accept(listener: socket.socket) -> list[tuple[Connection, dict[str, Any]]]:
    """Return a new connection with its task; nothing for another environment or a stranger."""
    connection = Connection(listener.accept()[0].detach())
    with suppress(OSError, EOFError, ValueError):
        task = json.loads(connection.recv_bytes()) if connection.poll(5) else {}
        if task.pop("identity", None) == identity():
            return [(connection, task)]
    connection.close()
    return []


#: The keepers that have not ended, by process id.
KEEPERS: set[int] = set()


def _fork_keeper(listener: socket.socket, connection: Connection, task: dict[str, Any]) -> None:
    server = os.getpid()
    if pid := os.fork():
        KEEPERS.add(pid)
        connection.close()
        return
    try:
        KEEPERS.clear()
        end_with_parent(signal.SIGTERM, server)
        listener.close()
        _keep(connection, task)
    finally:
        os._exit(0)


def _reap(options: int = os.WNOHANG) -> None:
    for pid in list(KEEPERS):
        if os.waitpid(pid, options)[0]:
            KEEPERS.discard(pid)


# -- In a keeper --------------------------------------------------------------------------------


def _keep(connection: Connection, task: dict[str, Any]) -> None:
    """Fork the child of a job, watch both, report how the child ended."""
    out, result, keeper = recv_handle(connection), recv_handle(connection), os.getpid()
    usage: dict[str, float] = {}
    pid, pause = os.fork(), FIRST
    if pid == 0:
        _work(task, out, result, keeper)
    try:
        os.close(out)
        os.close(result)
        child = os.pidfd_open(pid)
        connection.send_bytes(b"{}")  # the work has started
        while not wait([connection, child], pause):
            benchmark_files.sample(pid, usage)
            pause = min(2 * pause, LONGEST)
    finally:  # the child has ended, the job has ended or wants that, or the server has ended
        _kill(pid)
    _, status, used = os.wait4(pid, 0)
    peak, cpu = worker.figures(used)
    usage |= {"max_rss": max(peak, usage.get("max_rss", 0)), "cpu_time": cpu}
    ended = {"status": status, "peak_mb": peak, "cpu_seconds": cpu, "usage": usage}
    with suppress(OSError):  # nobody waits for it any more
        connection.send_bytes(json.dumps(ended).encode())
    connection.close()
    if task.get("benchmark"):
        _correct(task["benchmark"], usage)


def _kill(pid: int) -> None:
    """End a child and what it has started itself: it leads a process group."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _correct(path: str, usage: dict[str, float]) -> None:
    """Put the child's figures into its job's benchmark file as soon as Snakemake has written it."""
    ended = time.time()
    try:
        while time.time() < ended + PATIENCE and not benchmark_files.correct(path, ended, usage):
            time.sleep(0.1)
    except SystemExit:  # the server is being stopped
        benchmark_files.correct(path, ended, usage)


# -- In a child ---------------------------------------------------------------------------------


def _work(task: dict[str, Any], out: int, result: int, keeper: int) -> NoReturn:
    """Become what the job asked for (its files, environment and folder) and do its task."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        end_with_parent(signal.SIGKILL, keeper)
        for number, descriptor in enumerate([os.open(os.devnull, os.O_RDONLY), out, out, result]):
            os.dup2(descriptor, number)
        os.closerange(4, 4096)
        os.environ.clear()
        os.environ.update(task["environment"])
        tempfile.tempdir = None
        os.umask(task["umask"])
        os.chdir(task["cwd"])
        outcome = worker.perform(task)
        with os.fdopen(3, "w") as pipe:
            json.dump(outcome.as_dict(), pipe)
        atexit._run_exitfuncs()  # as an interpreter that ends: some libraries end their helpers so
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end(number: int, frame: Any) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a parent with threads is reported once for each
    sys.exit()


def main() -> None:
    descriptor, folder, at_once, *engines = sys.argv[1:]
    signal.signal(signal.SIGTERM, _end)
    end_with_parent()
    # The lightest first: a statistical model need not wait for the neural libraries.
    chosen = sorted((ENGINES[name] for name in engines), key=lambda engine: len(engine.heavy))
    modules = list(dict.fromkeys(name for engine in chosen for name in engine.imports))
    try:
        serve(socket.socket(fileno=int(descriptor)), modules, at_once == "True")
    finally:
        for pid in KEEPERS:
            os.kill(pid, signal.SIGTERM)
        _reap(0)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
