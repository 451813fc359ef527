"""Printing to a terminal with control characters escaped."""

from __future__ import annotations

import sys
from typing import IO

from forerun.base.text import visible


def write(*lines: object, file: IO[str] | None = None, before: str = "") -> None:
    """Print lines with control characters escaped and the prefix `before`, and flush.

    Parameters
    ----------
    file : standard output by default
    """
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in (part for text in lines for part in str(text).split("\n")):
        shown = f"{before}{visible(line)}"
        print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def complain(*lines: object, before: str = "") -> None:
    """Print lines to standard error, as :func:`write` does."""
    write(*lines, file=sys.stderr, before=before)
