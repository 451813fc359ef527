"""Refusals: user errors reported by jobs, for the exit code of the call.

A refused job writes ``logs/<rule>.refused.json`` next to its log, with the message and the time. It
is removed when the job or a call on the run starts again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from forerun.base.clock import now
from forerun.base.files import write_json

_ENDING = ".refused.json"


def path_of(log: str | Path) -> Path:
    """Return the path of the refusal of a job with this log."""
    return Path(str(log).removesuffix(".log") + _ENDING)


def write(log: str | Path, message: str) -> None:
    """Write the refusal of a job; errors while writing are ignored."""
    with suppress(OSError):
        write_json(path_of(log), {"message": message, "at": now()})


def clear(log: str | Path) -> None:
    """Remove the refusal of an earlier attempt of a job."""
    with suppress(OSError):
        path_of(log).unlink(missing_ok=True)


def clear_run(run: str | Path) -> None:
    """Remove the refusals of earlier calls on a run."""
    for path in Path(run, "logs").rglob(f"*{_ENDING}"):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def is_refused(run: str | Path) -> bool:
    """Return whether a job of the run was refused since :func:`clear_run`."""
    return any(Path(run, "logs").rglob(f"*{_ENDING}"))
