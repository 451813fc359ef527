"""The child process that runs one task: ``python -m forerun.jobs.worker``.

It reads its task (JSON) from standard input: the function to call, its arguments, the progress file
and the descriptor for the result. What it prints goes to the log. It ends with its parent, so
nothing keeps training when a job is killed. Children that the server forks
(:mod:`forerun.jobs.server_process`) do the same without starting an interpreter.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.base.parent import end_with_parent
from forerun.runs.outcome import Failure, Outcome


def bound(threads: int) -> dict[str, str]:
    """Environment variables that hold numerical libraries to a number of threads."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")
    return {f"{name}_NUM_THREADS": str(threads) for name in names}


def figures(usage: resource.struct_rusage) -> tuple[float, float]:
    """Peak memory (MB) and CPU seconds of a process that has ended."""
    scale = 1024 if sys.platform == "linux" else 1024**2
    return round(usage.ru_maxrss / scale, 1), round(usage.ru_utime + usage.ru_stime, 2)


class ProgressFile:
    """Writes step, loss and elapsed seconds to a small file, about once a second."""

    def __init__(self, path: str, **fixed: Any):
        self.path, self.fixed = path, fixed
        self.started = time.time()
        self.written = 0.0

    def __call__(self, step: int, max_steps: int, loss: float | None) -> None:
        now = time.time()
        if now - self.written < 1 and step < max_steps:
            return  # often enough for an eye, rare enough to cost nothing
        self.written = now
        state = {"step": step, "max_steps": max_steps, "loss": loss}
        state |= {"elapsed": round(now - self.started, 1), "updated_at": now}
        write_json(self.path, self.fixed | state)


def perform(task: dict[str, Any]) -> Outcome:
    """Call the task's function; return its outcome, whatever happens."""
    try:
        arguments = dict(task["arguments"])
        if task.get("progress"):
            arguments["progress"] = ProgressFile(task["progress"], **task["labels"])
            arguments["progress"](0, 0, None)
        for name in task.get("imports", []):
            importlib.import_module(name)
        module, _, function = task["function"].rpartition(":")
        work = getattr(importlib.import_module(module), function)
        bind_threads(task["threads"])
        work(**arguments)
    except UserError as error:
        return Outcome(status="failed", error=Failure("UserError", str(error)))
    except MemoryError as error:
        message = f"out of memory: {error}; give the job more, or set a smaller windows_batch_size"
        return Outcome(status="failed", error=Failure("MemoryError", message))
    except BaseException as error:
        traceback.print_exc()
        message = " ".join(str(error).split())[:1000] or repr(error)
        return Outcome(status="failed", error=Failure(type(error).__name__, message))
    return Outcome(status="ok")


def bind_threads(threads: int) -> None:
    """Keep torch, BLAS and numba to the job's threads, whatever they were loaded with."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "numba" in sys.modules:
        numba = sys.modules["numba"]
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads, user_api="blas")


def main() -> None:
    task = json.load(sys.stdin)
    end_with_parent(signal.SIGKILL, task["parent"])
    outcome = perform(task)
    with os.fdopen(task["result"], "w") as pipe:
        json.dump(outcome.as_dict(), pipe)


if __name__ == "__main__":
    main()
