"""The server process: imports the forecasting libraries and forks a child for each job.

:mod:`forerun.jobs.server` starts it as ``python -m forerun.jobs.server_process``. For each job it
forks a keeper (:mod:`forerun.jobs.keeper`), which forks the child that runs the task.

When all but the slow engines are imported it forks once more: that process imports them and serves
the jobs that need them. It has a separate socket, so no other job waits for these imports.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

from forerun.base.parent import end_with_parent
from forerun.config.engines import ENGINES
from forerun.jobs.keeper import keep
from forerun.jobs.server import identity

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
        gc.enable()
        end_with_parent(signal.SIGTERM, server)
        for listener in listeners:
            listener.close()
        keep(connection, task)
    finally:
        os._exit(0)


def _reap(options: int = os.WNOHANG) -> None:
    for pid in list(KEEPERS):
        if os.waitpid(pid, options)[0]:
            KEEPERS.discard(pid)


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
    gc.disable()  # until a child works
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
