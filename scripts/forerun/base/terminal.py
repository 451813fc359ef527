"""Printing to a terminal: output cannot move the cursor or reverse the direction of text."""

from __future__ import annotations

import sys
from typing import IO

from forerun.base.text import visible


def write(*lines: object, file: IO[str] | None = None, before: str = "") -> None:
    """Print lines at once, with control characters written out and `before` in front of each.

    Parameters
    ----------
    file : standard output if not given
    """
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in (part for text in lines for part in str(text).split("\n")):
        shown = f"{before}{visible(line)}"
        print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def complain(*lines: object, before: str = "") -> None:
    """Print lines to standard error, as :func:`write` does."""
    write(*lines, file=sys.stderr, before=before)
