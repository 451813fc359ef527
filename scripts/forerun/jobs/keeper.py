"""The keeper of one job of the server: forks the job's child, measures it, reports its end.

:mod:`forerun.jobs.server_process` forks a keeper for each job. The keeper kills the child when the
job closes its connection.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from typing import Any, NoReturn

from forerun.base.parent import end_with_parent
from forerun.jobs import benchmark_files, helper, worker

#: Seconds until the first measurement of a child's memory, and maximum between two measurements.
FIRST, LONGEST = 0.5, 10.0
#: Seconds to wait for Snakemake to write the benchmark file of a job that has ended.
PATIENCE = 60.0


def keep(connection: Connection, task: dict[str, Any]) -> None:
    """Fork the child of a job, watch both, and report the end of the child."""
    out, result, keeper = recv_handle(connection), recv_handle(connection), os.getpid()
    usage: dict[str, float] = {}
    began = time.time()
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
        _correct(task["benchmark"], began, usage)


def _kill(pid: int) -> None:
    """Kill a child and its descendants: it leads a process group."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _correct(path: str, began: float, usage: dict[str, float]) -> None:
    """Correct the job's benchmark file with the child's figures once Snakemake has written it.

    A file written since the child `began` is that of this job, even if the job ended at once.
    """
    ended = time.time()
    try:
        while time.time() < ended + PATIENCE and not benchmark_files.correct(path, began, usage):
            time.sleep(0.1)
    except SystemExit:  # the server is being stopped
        benchmark_files.correct(path, began, usage)


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
