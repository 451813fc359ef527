"""Run one task in a child process and report its outcome.

A model that raises, is killed, or takes too long is an outcome, not an error: the other fits
continue, and the run says "failed" with a reason a user can act on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.terminal import complain
from forerun.jobs import benchmark_files, children, gpus
from forerun.runs import refusals
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.progress import Progress

#: Seconds between two looks at the child, and between two lines about its progress.
POLL, SPEAK = 0.05, 10.0


@dataclass(frozen=True)
class Limit:
    """How long a child may take, and what its end then means: a ``status`` and a reason."""

    seconds: float
    status: str
    reason: str


def run(
    function: str,
    arguments: dict[str, Any],
    fit: Fit,
    imports: list[str] | None = None,
    threads: int = 1,
    limit: Limit | None = None,
    attempt: int = 1,
    log_file: str | None = None,
    variables: dict[str, str] | None = None,
) -> Outcome:
    """Call ``function`` (``module:name``) in a child that makes a fit; write its outcome.

    Parameters
    ----------
    arguments : what the function is called with, besides ``progress``
    fit : its outcome is written last; its log gets everything the child prints, and its progress
        file the step and loss while the child trains
    imports : modules that the function needs
    threads : torch, BLAS and numba are held to this number
    limit : when the child is ended, if it is
    attempt : how many times this fit was tried, this time included
    log_file : gets the same as the log
    variables : what the child's environment says besides
    """
    started_at, log, progress = now(), str(fit.log_path), fit.progress_path
    labels = {"run": fit.run.run_id, "model": fit.model, "stage": fit.stage}
    task = {"function": function, "arguments": arguments, "threads": threads, "labels": labels}
    task |= {"progress": str(progress), "imports": imports or [], "variables": variables or {}}
    progress.parent.mkdir(parents=True, exist_ok=True)
    progress.unlink(missing_ok=True)
    outcome = replace(
        _attempt(task, log, log_file, limit, lambda: _speak(fit)),
        stage=fit.stage,
        attempts=attempt,
        log=log,
        started_at=started_at,
        finished_at=now(),
        gpu=(variables or {}).get(gpus.VARIABLE),
    )
    if not outcome.is_ok:  # a child that was killed has written nothing
        with _logs(None, log, log_file) as write:
            write(f"forerun: {outcome.status}: {outcome.reason}\n".encode())
    outcome.write(fit.outcome_path)
    return outcome


def call(
    function: str,
    arguments: dict[str, Any],
    log: str,
    imports: list[str] | None = None,
    threads: int = 1,
    log_file: str | None = None,
    variables: dict[str, str] | None = None,
) -> None:
    """Call ``function`` in a child that must succeed.

    A user's mistake or another failure ends this process with one line and exit code 2 or 1.
    """
    refusals.clear(log)
    task = {"function": function, "arguments": arguments, "threads": threads, "labels": {}}
    task["variables"] = variables or {}
    outcome = _attempt(task | {"imports": imports or []}, log, log_file, None, lambda: None)
    if outcome.is_ok:
        return
    error = outcome.error or Failure()
    mistake = error.kind == UserError.__name__
    line = f"forerun: {'error' if mistake else error.kind}: {error.message}"
    with _logs(None, log, log_file) as write:
        write((line + "\n").encode())
    if mistake:
        refusals.write(log, error.message)
    complain(line if mistake else f"{line} (see {log})")
    sys.exit(2 if mistake else 1)


def _attempt(
    task: dict[str, Any],
    log: str,
    log_file: str | None,
    limit: Limit | None,
    speak: Callable[[], None],
) -> Outcome:
    """Do the task in a child; in a fresh one if the preloaded process ends under it."""
    task |= {"parent": os.getpid(), "benchmark": os.path.abspath(benchmark_files.of_log(log))}
    with _logs(log, log_file) as write:
        while True:
            work = _Work(task, write)
            try:
                return work.wait(limit, speak)
            except children.Gone as error:
                os.close(work.reader)
                os.environ.pop(children.server.VARIABLE, None)
                write(f"note: {error}: starting again in a fresh process\n".encode())


class _Work:
    """A child that works on a task, and the pipes that lead to it."""

    def __init__(self, task: dict[str, Any], write: Callable[[bytes], Any]):
        read, out = os.pipe()
        self.reader, result = os.pipe()
        try:
            environment = children.environment(task["threads"]) | task.get("variables", {})
            self.child = children.start(task, environment, out, result)
        finally:
            os.close(out)
            os.close(result)
        self.copier = threading.Thread(target=_copy, args=(read, write), daemon=True)
        self.copier.start()

    def wait(self, limit: Limit | None, speak: Callable[[], None]) -> Outcome:
        """Wait for the end; end the child when it is too slow or when nobody waits for it."""
        began, spoke, reached = time.time(), time.time(), None
        pause = 0.005
        with _ending_with_signals(self.child):
            while (ended := self.child.poll()) is None:
                time.sleep(pause := min(POLL, pause * 1.5))
                if not self.child.started():
                    began = time.time()  # it waits for its process
                if limit and not reached and time.time() - began > limit.seconds:
                    reached = limit
                    self.child.kill()
                if time.time() - spoke > SPEAK:
                    spoke = time.time()
                    speak()
        seconds = round(time.time() - began, 2)
        self.copier.join(timeout=5)
        with os.fdopen(self.reader) as pipe:
            text = pipe.read()
        outcome = Outcome.of(json.loads(text)) if text and not reached else None
        return replace(
            outcome or _dead(ended, reached),
            seconds=seconds,
            cpu_seconds=ended.cpu_seconds,
            peak_memory_mb=ended.peak_mb,
            usage=ended.usage or {},
        )


def _dead(ended: children.Ended, reached: Limit | None) -> Outcome:
    """Say in words why a child left no result."""
    code = os.waitstatus_to_exitcode(ended.status)
    if reached:
        return Outcome(status=reached.status, error=Failure("TimeLimit", reached.reason))
    if code >= 0:
        message = f"the training process ended with exit code {code} and no result; see its log"
        return Outcome(status="failed", error=Failure("ProcessDied", message))
    name = signal.Signals(-code).name
    message = f"the training process was killed by {name} at {ended.peak_mb:g} MB"
    if name == "SIGKILL":
        message += (
            "; most often the machine ran out of memory: give the job more, run fewer jobs at "
            "once, or set a smaller windows_batch_size or batch_size"
        )
    return Outcome(status="failed", error=Failure("ProcessKilled", message))


@contextmanager
def _ending_with_signals(child: children.Child) -> Iterator[None]:
    """Let SIGTERM and SIGINT to this process end the child first."""

    def end(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough
        child.kill()
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logs(*paths: str | None) -> Iterator[Any]:
    """Open the logs, the first one anew; give a function that writes bytes to all of them."""
    files: list[IO[bytes]] = []
    for number, path in enumerate(paths):
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            files.append(open(path, "ab" if number else "wb", buffering=0))  # noqa: SIM115
    try:
        yield lambda data: [file.write(data) for file in files]
    finally:
        for file in files:
            file.close()


def _copy(source: int, write: Callable[[bytes], Any]) -> None:
    with os.fdopen(source, "rb") as pipe:
        for line in pipe:
            write(line)


def _speak(fit: Fit) -> None:
    """Print one plain line about the step the child has reached."""
    progress = Progress.read(fit.progress_path)
    words = progress.words if progress and progress.step else "starting"
    complain(f"{fit.run.run_id} {fit.model} {fit.stage}: {words}")
