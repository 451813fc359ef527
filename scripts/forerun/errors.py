"""What a user can get wrong, said in one clear line."""

from __future__ import annotations

import errno
from collections.abc import Iterable

#: Errors of the system that mean a full disk.
FULL = (errno.ENOSPC, errno.EDQUOT)


class UserError(Exception):
    """A mistake in configuration, data or arguments.

    ``str(error)`` is one line that says what is wrong, where, and what to do. Scripts and the
    command line print it without a traceback and end with exit code 2.
    """


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known word, or an empty string."""
    found = nearest(word, known, 1)
    return f" (did you mean '{found[0]}'?)" if found else ""


def nearest(word: str, known: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the known words that are most like a word, the nearest first.

    Case, separators and leading zeros make no difference: ``shop_1`` finds ``shop_01`` before
    ``shop_21``. Among words that are equally alike, near numbers come first.
    """


import errno
