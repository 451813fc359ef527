"""Run one task in a child process and report its outcome.

A model that raises an error, is killed or takes too long results in an outcome, not in an error:
the other fits continue, and the run reports the failure with its reason.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

from forerun.base.clock import now
from forerun.base.errors import UserError
from forerun.base.signals import handled_by
from forerun.base.terminal import echo_error
from forerun.jobs import benchmark_files, children, gpus
from forerun.runs import refusals
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.progress import Progress

#: Seconds between two checks of the child, and between two messages about its progress.
POLL, REPORT = 0.05, 10.0


@dataclass(frozen=True)
class Limit:
    """Maximum duration of a child, with the status, reason and error class if it is exceeded."""

    seconds: float
    status: str
    reason: str
    kind: str = "TimeLimit"


@dataclass(frozen=True)
class Task:
    """A function to call in a child process.

    Attributes
    ----------
    function : ``module:name``
    arguments : its arguments; that of a fit is also given ``progress``
    imports : modules that it needs
    threads : number of threads of torch, BLAS and numba
    log_file : additional log
    variables : additional environment variables of the child
    """

    function: str
    arguments: Mapping[str, Any]
    imports: Sequence[str] = ()
    threads: int = 1
    log_file: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def run(task: Task, fit: Fit, limit: Limit | None = None, attempt: int = 1) -> Outcome:
    """Run the task of a fit in a child, and write the outcome.

    The child writes the progress file and the log of the fit; the outcome is written last.

    Parameters
    ----------
    limit : maximum duration of the child
    attempt : number of this attempt
    """
    started_at, log, progress = now(), str(fit.log_path), fit.progress_path
    labels = {"run": fit.run.run_id, "model": fit.model, "stage": fit.stage}
    progress.parent.mkdir(parents=True, exist_ok=True)
    progress.unlink(missing_ok=True)
    message = asdict(task) | {"progress": str(progress), "labels": labels}
    outcome = replace(
        _attempt(message, log, task.log_file, limit, lambda: _report(fit)),
        stage=fit.stage,
        attempts=attempt,
        log=log,
        started_at=started_at,
        finished_at=now(),
        gpu=task.variables.get(gpus.VARIABLE),
    )
    if not outcome.is_ok:  # a killed child has written no message
        with _logs(None, log, task.log_file) as write:
            write(f"forerun: {outcome.status}: {outcome.reason}\n".encode())
    outcome.write(fit.outcome_path)
    return outcome


def call(task: Task, log: str) -> None:
    """Run a task in a child that must succeed.

    After a user error or another failure this process exits with one line and code 2 or 1.
    """
    refusals.clear(log)
    outcome = _attempt(asdict(task), log, task.log_file)
    if outcome.is_ok:
        return
    error = outcome.error or Failure()
    refused = error.kind == UserError.__name__
    line = f"forerun: {'error' if refused else error.kind}: {error.message}"
    with _logs(None, log, task.log_file) as write:
        write((line + "\n").encode())
    if refused:
        refusals.write(log, error.message)
    echo_error(line if refused else f"{line} (see {log})")
    sys.exit(2 if refused else 1)


def _attempt(
    message: dict[str, Any],
    log: str,
    log_file: str | None,
    limit: Limit | None = None,
    report: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run the task in a child; if the server ends meanwhile, run it in a fresh process.

    Parameters
    ----------
    message : the task as the child reads it (JSON)
    """
    message |= {"parent": os.getpid(), "benchmark": os.path.abspath(benchmark_files.of_log(log))}
    with _logs(log, log_file) as write:
        while True:
            work = _Work(message, write)
            try:
                return work.wait(limit, report)
            except children.Gone as error:
                os.close(work.reader)
                os.environ.pop(children.server.VARIABLE, None)
                write(f"note: {error}: starting again in a fresh process\n".encode())


class _Work:
    """A child that runs a task, with the pipes for its output and outcome."""

    def __init__(self, task: dict[str, Any], write: Callable[[bytes], Any]):
        read, out = os.pipe()
        self.reader, result = os.pipe()
        try:
            environment = children.environment(task["threads"]) | task["variables"]
            self.child = children.start(task, environment, out, result)
        finally:
            os.close(out)
            os.close(result)
        self.copier = threading.Thread(target=_copy, args=(read, write), daemon=True)
        self.copier.start()

    def wait(self, limit: Limit | None, report: Callable[[], None]) -> Outcome:
        """Wait for the child; kill it at the limit or when this process is ended by a signal."""
        began, reported, reached = time.time(), time.time(), None
        pause = 0.005
        with handled_by(self._end, signal.SIGTERM, signal.SIGINT):
            while (ended := self.child.poll()) is None:
                time.sleep(pause := min(POLL, pause * 1.5))
                if not self.child.started():
                    began = time.time()  # it waits for the server
                if limit and not reached and time.time() - began > limit.seconds:
                    reached = limit
                    self.child.kill()
                if time.time() - reported > REPORT:
                    reported = time.time()
                    report()
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

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Kill the child before this process ends by a signal."""
        signal.signal(number, signal.SIG_IGN)
        self.child.kill()
        sys.exit(128 + number)


def _dead(ended: children.Ended, reached: Limit | None) -> Outcome:
    """Return the outcome of a child that wrote none."""
    code = os.waitstatus_to_exitcode(ended.status)
    if reached:
        return Outcome(status=reached.status, error=Failure(reached.kind, reached.reason))
    if code >= 0:
        message = f"the training process ended with exit code {code} and no result; see its log"
        return Outcome(status="failed", error=Failure("ProcessDied", message))
    name = signal.Signals(-code).name
    message = f"the training process was killed by {name} at {ended.peak_mb:g} MB"
    if name == "SIGKILL":
        message += (
            "; most often the machine ran out of memory: request more, run fewer jobs at once, or "
            "set a smaller windows_batch_size or batch_size"
        )
    return Outcome(status="failed", error=Failure("ProcessKilled", message))


@contextmanager
def _logs(*paths: str | None) -> Iterator[Any]:
    """Open logs and yield a function that writes to all of them; the first one is truncated."""
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


def _report(fit: Fit) -> None:
    """Print one line about the progress of the child."""
    progress = Progress.read(fit.progress_path)
    words = progress.words if progress and progress.step else "starting"
    echo_error(f"{fit.run.run_id} {fit.model} {fit.stage}: {words}")
