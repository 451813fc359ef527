"""What a user can get wrong, said in one clear line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in configuration, data or arguments.

    ``str(error)`` is one line that says what is wrong, where, and what to do. Scripts and the
    command line print it without a traceback and end with exit code 2.
    """


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known word, or an empty string.

    Case is ignored when words are compared: ``nhits`` finds ``NHITS``.
    """
    lowered = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(str(word).lower(), lowered, n=1, cutoff=0.6)
    return f" (did you mean '{lowered[nearest[0]]}'?)" if nearest else ""
