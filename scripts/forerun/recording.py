"""What a script prints goes to its rule's log; a user's mistake is one line on the terminal."""

from __future__ import annotations

import io
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any

from forerun.errors import UserError


class _Tee(io.TextIOBase):
    """A text stream that writes to several files; libraries ask it for its encoding."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, files: list[IO[str]]):
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            file.write(text)
        return len(text)

    def flush(self) -> None:
        for file in self.files:
            if not file.closed:
                file.flush()


@contextmanager
def recording(log: str, log_file: str | None = None) -> Iterator[None]:
    """Send standard output and error to `log` (and `log_file`, which is appended to).

    A :class:`UserError` becomes one line ``forerun: error: ...`` and exit code 2; any other error
    leaves its traceback in the log and one line, with the log's path, on the terminal.
    """
    terminal: Any = sys.stderr
    paths = [(log, "w"), (log_file, "a")] if log_file else [(log, "w")]
    files: list[IO[str]] = []
    for path, mode in paths:
        Path(str(path)).parent.mkdir(parents=True, exist_ok=True)
        files.append(open(str(path), mode, encoding="utf-8", buffering=1))
    tee: Any = _Tee(files)
    try:
        with redirect_stdout(tee), redirect_stderr(tee), warnings.catch_warnings():
            try:
                yield
            except UserError as error:
                print(f"forerun: error: {error}", file=tee)
                print(f"forerun: error: {error}", file=terminal, flush=True)
                sys.exit(2)
            except Exception as error:
                traceback.print_exc()
                kind = type(error).__name__
                print(f"forerun: {kind}: {error} (see {log})", file=terminal, flush=True)
                sys.exit(1)
    finally:
        for file in files:
            file.close()
