"""Run one piece of training in a process of its own, and tell what came of it.

A model that raises, is killed, or takes too long is an outcome, not an error: the job that asked
goes on, and the run says "failed" with a reason a user can act on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from forerun.files import read_json, write_json

#: Seconds between two looks at the child, and between two lines about its progress.
POLL, SPEAK = 0.1, 10.0


def now() -> str:
    """The time, UTC, as text."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def run(
    function: str,
    arguments: dict[str, Any],
    outcome: str,
    log: str,
    progress: str,
    labels: dict[str, Any],
    threads: int = 1,
    max_time: float | None = None,
    attempt: int = 1,
    log_file: str | None = None,
) -> dict[str, Any]:
    """Run ``forerun.training.<function>(**arguments)`` in a child; write and return its outcome.

    Parameters
    ----------
    outcome : path of the JSON file that says what happened (written last)
    log : everything the child prints; `log_file`, if given, gets the same
    progress : the child keeps its step and loss in this file while it trains
    labels : what the piece is called: ``run``, ``model``, ``stage``
    threads : torch, BLAS and numba are held to this number
    max_time : seconds after which the child is ended
    attempt : how often this piece was tried, this time included

    Returns
    -------
    dict with ``status`` (ok or failed), ``stage``, ``error`` (``class`` and ``message``, or None),
    ``seconds``, ``peak_memory_mb``, ``attempts``, ``log``, ``started_at``, ``finished_at``.
    """
    started, started_at = time.time(), now()
    task = {"function": function, "arguments": arguments, "threads": threads, "labels": labels}
    task |= {"progress": progress, "parent": os.getpid()}
    Path(progress).parent.mkdir(parents=True, exist_ok=True)
    Path(progress).unlink(missing_ok=True)
    with _logs(log, log_file) as write:
        child = _Child(task, threads, write)
        result = child.wait(max_time, lambda: _speak(labels, progress))
    result |= {"stage": labels["stage"], "seconds": round(time.time() - started, 2)}
    result |= {"attempts": attempt, "log": log, "started_at": started_at, "finished_at": now()}
    write_json(outcome, result)
    return result


class _Child:
    """The process in which the piece runs."""

    def __init__(self, task: dict[str, Any], threads: int, write: Any):
        self.reader, result = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "forerun.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(threads),
            pass_fds=[result],
        )
        os.close(result)
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(task | {"result": result}).encode())
        self.process.stdin.close()
        self.copier = threading.Thread(target=_copy, args=(self.process.stdout, write), daemon=True)
        self.copier.start()

    def wait(self, max_time: float | None, speak: Any) -> dict[str, Any]:
        """Wait for the end; end the child when it is too slow or when nobody waits for it."""
        parent, began, spoke, reason = os.getppid(), time.time(), time.time(), None
        with _ending_with_signals(self.process):
            while (ended := os.wait4(self.process.pid, os.WNOHANG))[0] == 0:
                time.sleep(POLL)
                if os.getppid() != parent:
                    self.process.kill()
                    sys.exit("the workflow that started this job has ended")
                if max_time and not reason and time.time() - began > max_time:
                    reason = f"it ran longer than max_time: {max_time:g} s and was ended"
                    self.process.kill()
                if time.time() - spoke > SPEAK:
                    spoke = time.time()
                    speak()
        _, status, usage = ended
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.copier.join(timeout=5)
        with os.fdopen(self.reader) as pipe:
            text = pipe.read()
        peak = round(usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2), 1)
        result = json.loads(text) if text and not reason else _dead(status, peak, reason)
        return result | {"peak_memory_mb": peak}


def _dead(status: int, peak: float, reason: str | None) -> dict[str, Any]:
    """Say in words why a child left no result."""
    code = os.waitstatus_to_exitcode(status)
    if reason:
        return {"status": "failed", "error": {"class": "TimeLimit", "message": reason}}
    if code >= 0:
        message = f"the training process ended with exit code {code} and no result; see its log"
        return {"status": "failed", "error": {"class": "ProcessDied", "message": message}}
    name = signal.Signals(-code).name
    message = f"the training process was killed by {name} at {peak:g} MB"
    if name == "SIGKILL":
        message += (
            "; most often the machine ran out of memory: give the job more, run fewer jobs at "
            "once, or set a smaller windows_batch_size or batch_size"
        )
    return {"status": "failed", "error": {"class": "ProcessKilled", "message": message}}


def _environment(threads: int) -> dict[str, str]:
    """The child's environment: this library first on the path, threads bound everywhere."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")
    bound = {f"{name}_NUM_THREADS": str(threads) for name in names}
    library = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")]))
    fixed = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    return os.environ | bound | fixed


@contextmanager
def _ending_with_signals(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let SIGTERM and SIGINT to this process end the child first."""

    def end(number: int, frame: Any) -> None:
        process.kill()
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logs(*paths: str | None) -> Iterator[Any]:
    """Open the logs; give a function that writes bytes to all of them."""
    files: list[IO[bytes]] = []
    for number, path in enumerate(paths):
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            files.append(open(path, "ab" if number else "wb", buffering=0))
    try:
        yield lambda data: [file.write(data) for file in files]
    finally:
        for file in files:
            file.close()


def _copy(source: IO[bytes], write: Any) -> None:
    for line in source:
        write(line)


def _speak(labels: dict[str, Any], progress: str) -> None:
    """Print one plain line about the step the child has reached."""
    state = read_json(progress) or {}
    line = f"{labels['run']} {labels['model']} {labels['stage']}: "
    if not state.get("step"):
        print(f"{line}starting", file=sys.stderr, flush=True)
        return
    left = state["elapsed"] / state["step"] * (state["max_steps"] - state["step"])
    loss = "" if state["loss"] is None else f", loss {state['loss']:.4g}"
    text = f"{line}step {state['step']} of {state['max_steps']}{loss}, about {left:.0f} s left"
    print(text, file=sys.stderr, flush=True)
