"""Logging of scripts: output goes to the rule's log, user errors also to the terminal."""

from __future__ import annotations

import errno
import io
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from forerun.base.errors import UserError, system_error
from forerun.base.parent import end_with_parent
from forerun.base.terminal import echo
from forerun.jobs.worker import named
from forerun.runs import refusals


class _Tee(io.TextIOBase):
    """Text stream that writes to several files; `encoding` exists as some libraries read it."""

    encoding = "utf-8"

    def __init__(self, files: list[IO[str]]):
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            with suppress(OSError):  # a full disk must not hide the reported error
                file.write(text)
        return len(text)

    def flush(self) -> None:
        for file in self.files:
            with suppress(OSError):
                if not file.closed:
                    file.flush()


#: System errors that users can fix: no space, no permission, too many open files.
_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE)


@contextmanager
def recording(log: str, log_file: str | None = None) -> Iterator[None]:
    """Redirect standard output and error to `log` (and append them to `log_file`).

    A :class:`UserError` or a system error that users can fix (a full disk) is printed as one line
    ``forerun: error: ...``; exit code 2; it is also recorded for the exit code of the call, see
    :mod:`forerun.runs.refusals`. The traceback of any other error is written to the log, and one
    line with the log's path to the terminal.
    """
    end_with_parent()  # it must not write at the same time as jobs of a call that resumes
    terminal: Any = sys.stderr
    paths = [(log, "w"), (log_file, "a")] if log_file else [(log, "w")]
    files: list[IO[str]] = []
    try:
        for path, mode in paths:
            Path(str(path)).parent.mkdir(parents=True, exist_ok=True)
            files.append(open(str(path), mode, encoding="utf-8", buffering=1))  # noqa: SIM115
    except OSError as error:
        _refuse(system_error(error), log, terminal)
    refusals.clear(log)
    tee: Any = _Tee(files)
    try:
        with redirect_stdout(tee), redirect_stderr(tee), warnings.catch_warnings():
            try:
                yield
            except UserError as error:
                _refuse(str(error), log, tee, terminal)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in _SYSTEM:
                    _refuse(system_error(error, Path(str(log)).parent), log, tee, terminal)
                traceback.print_exc()
                kind = type(error).__name__
                echo(f"forerun: {kind}: {error} (see {log})", file=terminal)
                sys.exit(1)
    finally:
        for file in files:
            with suppress(OSError):
                file.close()


def recorded(
    function: str, arguments: Mapping[str, Any], log: str, log_file: str | None = None
) -> int:
    """Call a function, ``module:name``, while its output is recorded; return the exit code."""
    try:
        with recording(log, log_file):
            named(function)(**arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def _refuse(message: str, log: str, *places: Any) -> NoReturn:
    refusals.write(log, message)
    for line in message.splitlines():
        for place in places:
            echo(line, file=place, before="forerun: error: ")
    sys.exit(2)
