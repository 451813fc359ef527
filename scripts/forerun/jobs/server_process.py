"""The server process: imports the forecasting libraries and forks a child for each job.

:mod:`forerun.jobs.server` starts it as ``python -m forerun.jobs.server_process``. For each job it
forks a keeper, which forks the child that runs the task, measures it, kills it when the job closes
its connection, and reports its end.

When all but the slow engines are imported it forks once more: that process imports them and serves
the jobs that need them. It has a separate socket, so no other job waits for these imports.
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
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import Any, NoReturn

from forerun.base.parent import end_with_parent
from forerun.config.engines import ENGINES
from forerun.jobs import benchmark_files, helper, worker
from forerun.jobs.server import identity

#: Seconds until the first measurement of a child's memory, and maximum between two measurements.
FIRST, LONGEST = 0.5, 10.0
#: Seconds to wait for Snakemake to write the benchmark file of a job that has ended.
PATIENCE = 60.0
#: What tasks of all engines import, besides the engines' modules, and jobs that call a function in
#: a fork (:mod:`forerun.jobs.helper`).
COMMON = (
    *("pandas", "pyarrow.parquet", "pyarrow.dataset", "pandas.io.formats.csvs"),
    *("pandas.core.arrays.arrow.extension_types", "forerun.base.csv_text"),
    *("forerun.forecasting.training", "forerun.forecasting.predict", "forerun.forecasting.freeze"),
    *("forerun.jobs.fit_job", "forerun.jobs.collect", "forerun.jobs.score"),
)


def serve(
    listener: socket.socket,
    modules: list[str],
    at_once: bool,
    later: socket.socket | None = None,
    fork: Callable[[], Any] = lambda: None,
) -> NoReturn:
    """Import `modules` and fork for each job until a signal.

    Parameters
    ----------
    later : what waits for a connection before `fork` is called, unless `at_once`
    fork : called once, when all modules are imported
    """
    waiting: list[tuple[Connection, dict[str, Any]]] = []
    while True:
        for request in [
            one for one in waiting if not set(one[1].get("imports", [])) & set(modules)
        ]:
            waiting.remove(request)
            _fork_keeper([listener, *([later] if later else [])], *request)
        asked = later is not None and (at_once or bool(wait([later], 0)))
        importing = bool(modules) and (at_once or asked or bool(waiting))
        if importing:
            importlib.import_module(modules.pop(0))
            if not modules:
                gc.collect()
                gc.freeze()  # keeps loaded objects in memory shared with children
        elif asked and not modules:
            fork()
            later = None
            continue
        if listener in wait([listener, *([later] if later else [])], 0 if importing else None):
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


def _fork_keeper(
    listeners: list[socket.socket], connection: Connection, task: dict[str, Any]
) -> None:
    server = os.getpid()
    if pid := os.fork():
        KEEPERS.add(pid)
        connection.close()
        return
    try:
        KEEPERS.clear()
        end_with_parent(signal.SIGTERM, server)
        for listener in listeners:
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
        answer = helper.answer(task) if task.get("helper") else worker.perform(task).as_dict()
        with os.fdopen(3, "w") as pipe:
            json.dump(answer, pipe, default=str)
        atexit._run_exitfuncs()  # some libraries stop helper processes at exit
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end(number: int, frame: Any) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # sent once for each thread of the parent
    sys.exit()


def _fork_slow(listeners: list[socket.socket], modules: list[str], at_once: bool) -> None:
    """Fork the process that imports slow engines and serves their jobs."""
    server = os.getpid()
    if pid := os.fork():
        KEEPERS.add(pid)
        listeners.pop().close()
        return
    try:
        KEEPERS.clear()
        end_with_parent(signal.SIGTERM, server)
        listeners[0].close()
        serve(listeners[1], modules, at_once)
    finally:
        _end_keepers()
        os._exit(0)


def _end_keepers() -> None:
    for pid in KEEPERS:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    _reap(0)


def main() -> None:
    descriptors, folder, at_once, *names = sys.argv[1:]
    signal.signal(signal.SIGTERM, _end)
    end_with_parent()
    listeners = [socket.socket(fileno=int(number)) for number in descriptors.split(",")]
    engines = sorted((ENGINES[name] for name in names), key=lambda engine: len(engine.heavy))
    quick = [*COMMON] if engines else []
    quick += [name for engine in engines if not engine.heavy for name in engine.imports]
    slow = [name for engine in engines if engine.heavy for name in engine.imports]
    modules = list(dict.fromkeys(quick))
    others = [name for name in dict.fromkeys(slow) if name not in modules]
    is_now = at_once == "True"
    try:
        later = listeners[1] if len(listeners) > 1 else None
        serve(listeners[0], modules, is_now, later, lambda: _fork_slow(listeners, others, is_now))
    finally:
        _end_keepers()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
