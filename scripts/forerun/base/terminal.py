"""Printing to a terminal with control characters escaped."""

from __future__ import annotations

import sys
from typing import IO

from forerun.base.text import visible


def echo(*lines: object, file: IO[str] | None = None, before: str = "") -> None:
    """Print lines with control characters escaped and the prefix `before`, and flush.

    Parameters
    ----------
    file : standard output by default
    """
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    parts = [f"{before}{visible(part)}" for text in lines for part in str(text).split("\n")]
    if parts:
        shown = "\n".join(parts).encode(encoding, "backslashreplace").decode(encoding)
        print(shown, file=stream, flush=True)


def echo_error(*lines: object, before: str = "") -> None:
    """Print lines to standard error, as :func:`echo` does."""
    echo(*lines, file=sys.stderr, before=before)
