"""The child process that runs one task: ``python -m forerun.jobs.worker``.

It reads its task (JSON) from standard input: the function to call, its arguments, the progress file
and the descriptor for the result. Its output goes to the log. It ends with its parent, so that
training stops when a job is killed. Children of the server (:mod:`forerun.jobs.server_process`)
do the same without a new interpreter.
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
from collections.abc import Callable
from typing import Any

from forerun.base.errors import UserError
from forerun.base.garbage import end_fast, paused
from forerun.base.parent import end_with_parent
from forerun.runs.outcome import Failure, Outcome


def bound(threads: int) -> dict[str, str]:
    """Return environment variables that limit the threads of numerical libraries."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")
    return {f"{name}_NUM_THREADS": str(threads) for name in names}


def figures(usage: resource.struct_rusage) -> tuple[float, float]:
    """Return the peak memory (MB) and CPU seconds of a process that has ended."""
    scale = 1024 if sys.platform == "linux" else 1024**2
    return round(usage.ru_maxrss / scale, 1), round(usage.ru_utime + usage.ru_stime, 2)


class ProgressFile:
    """Writes the progress of training to a small file, about once a second.

    The first one with a total is written at once: the first step may take long.
    """

    def __init__(self, path: str, **labels: str):
        self.path, self.labels = path, labels
        self.started = time.time()
        self.written = 0.0
        self.total = 0
        self.resumed = 0

    def __call__(
        self, step: int, max_steps: int, loss: float | None, resumed: bool = False
    ) -> None:
        from forerun.runs.progress import Progress  # slow to import

        now = time.time()
        if resumed:
            self.resumed = step
        elif now - self.written < 1 and step < max_steps == self.total:
            return
        self.written, self.total = now, max_steps
        elapsed = round(now - self.started, 1)
        Progress(step, max_steps, loss, elapsed, self.resumed).write(self.path, **self.labels)


def perform(task: dict[str, Any]) -> Outcome:
    """Call the function of a task; return the outcome, also after an error."""
    try:
        arguments = dict(task["arguments"])
        if task.get("progress"):
            arguments["progress"] = ProgressFile(task["progress"], **task["labels"])
            arguments["progress"](0, 0, None)
        with paused():
            for name in task.get("imports", []):
                importlib.import_module(name)
        work = named(task["function"])
        bind_threads(task["threads"])
        work(**arguments)
    except UserError as error:
        return Outcome(status="failed", error=Failure("UserError", str(error)))
    except MemoryError as error:
        message = f"out of memory: {error}; request more, or set a smaller windows_batch_size"
        return Outcome(status="failed", error=Failure("MemoryError", message))
    except BaseException as error:
        traceback.print_exc()
        message = " ".join(str(error).split())[:1000] or repr(error)
        return Outcome(status="failed", error=Failure(type(error).__name__, message))
    return Outcome(status="ok")


def named(function: str) -> Callable[..., Any]:
    """Return a function by its name, ``module:name``."""
    module, _, name = function.rpartition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def bind_threads(threads: int) -> None:
    """Limit torch, BLAS and numba to the job's threads, even if they were loaded with others."""
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
    end_fast()
    outcome = perform(task)
    with os.fdopen(task["result"], "w") as pipe:
        json.dump(outcome.as_dict(), pipe)


if __name__ == "__main__":
    main()
