"""The server process: imports the forecasting libraries and forks a child for each job.

:mod:`forerun.jobs.server` starts it as ``python -m forerun.jobs.server_process``. For each job it
forks a keeper, which forks the child that runs the task, measures it, kills it when the job closes
its connection, and reports its end.
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

#: Seconds until the first measurement of a child's memory, and maximum between two measurements.
FIRST, LONGEST = 0.5, 10.0
#: Seconds to wait for Snakemake to write the benchmark file of a job that has ended.
PATIENCE = 60.0
#: What the tasks of all engines import, besides what the engines import.
COMMON = (
    *("forerun.forecasting.training", "forerun.forecasting.predict", "forerun.base.csv_text"),
    *("pyarrow.dataset", "pandas.io.formats.csvs", "pandas.core.arrays.arrow.extension_types"),
)


def serve(listener: socket.socket, modules: list[str], at_once: bool) -> NoReturn:
    """Import `modules` and fork for each job until a signal."""
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
                gc.freeze()  # keeps loaded objects in memory shared with children
        if wait([listener], 0 if importing else None):
            waiting += _accept(listener)
        _reap()


def _accept(listener: socket.socket) -> list[tuple[Connection, dict[str, Any]]]:
    """Return a new connection with its task; refuse other environments and users."""
    connection = Connection(listener.accept()[0].detach())
    with suppress(OSError, EOFError, ValueError):
        task = json.loads(connection.recv_bytes()) if connection.poll(5) else {}
        if task.pop("identity", None) == identity():
            return [(connection, task)]
    connection.close()
    return []


#: Process ids of running keepers.
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
    """Fork the child of a job, watch both, and report the end of the child."""
    out, result, keeper = recv_handle(connection), recv_handle(connection), os.getpid()
    usage: dict[str, float] = {}
    pid, pause = os.fork(), FIRST
    if pid == 0:
        _work(task, out, result, keeper)
    try:
        os.close(out)
        os.close(result)
        child = os.pidfd_open(pid)
        connection.send_bytes(b"{}")  # the task has started
        while not wait([connection, child], pause):
            benchmark_files.sample(pid, usage)
            pause = min(2 * pause, LONGEST)
    finally:  # the child or the job has ended, the job has canceled it, or the server has ended
        _kill(pid)
    _, status, used = os.wait4(pid, 0)
    peak, cpu = worker.figures(used)
    usage |= {"max_rss": max(peak, usage.get("max_rss", 0)), "cpu_time": cpu}
    ended = {"status": status, "peak_mb": peak, "cpu_seconds": cpu, "usage": usage}
    with suppress(OSError):  # the job no longer waits
        connection.send_bytes(json.dumps(ended).encode())
    connection.close()
    if task.get("benchmark"):
        _correct(task["benchmark"], usage)


def _kill(pid: int) -> None:
    """Kill a child and its descendants: it leads a process group."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _correct(path: str, usage: dict[str, float]) -> None:
    """Correct the job's benchmark file with the child's figures once Snakemake has written it."""
    ended = time.time()
    try:
        while time.time() < ended + PATIENCE and not benchmark_files.correct(path, ended, usage):
            time.sleep(0.1)
    except SystemExit:  # the server is being stopped
        benchmark_files.correct(path, ended, usage)


# -- In a child ---------------------------------------------------------------------------------


def _work(task: dict[str, Any], out: int, result: int, keeper: int) -> NoReturn:
    """Take over the job's files, environment and folder, and run its task."""
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
        atexit._run_exitfuncs()  # some libraries stop helper processes at exit
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end(number: int, frame: Any) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # sent once for each thread of the parent
    sys.exit()


def main() -> None:
    descriptor, folder, at_once, *engines = sys.argv[1:]
    signal.signal(signal.SIGTERM, _end)
    end_with_parent()
    # Light engines first: statistical models need not wait for neural libraries.
    chosen = sorted((ENGINES[name] for name in engines), key=lambda engine: len(engine.heavy))
    modules = list(dict.fromkeys(name for engine in chosen for name in engine.imports))
    modules = [*COMMON, *modules] if modules else []
    try:
        serve(socket.socket(fileno=int(descriptor)), modules, at_once == "True")
    finally:
        for pid in KEEPERS:
            os.kill(pid, signal.SIGTERM)
        _reap(0)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
