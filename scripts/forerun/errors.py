"""What a user can get wrong, said in one clear line."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

#: Errors of the system that mean a full disk.
FULL = (errno.ENOSPC, errno.EDQUOT)


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


def is_full(error: BaseException | str | None) -> bool:
    """Tell whether an error, or its message, says that a disk is full."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    text = str(error or "")
    return any(os.strerror(number) in text for number in FULL)


def no_space(place: object = None) -> str:
    """Say that there is no space left in a folder, and what to do."""
    where = f"in '{place}'" if place else "on the disk that is written to"
    return f"no space left {where}; free some space and rerun the command"


def system_error(error: OSError, place: object = None) -> str:
    """Say in one line what the system refused.

    Parameters
    ----------
    place : the folder written to, for errors that name no file
    """
    if is_full(error):
        return no_space(place or (Path(str(error.filename)).parent if error.filename else None))
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = f" '{error.filename}'" if error.filename else ""
    return f"{reason}:{where or ' (no file name given)'}; fix this and rerun the command"


def check_path(key: str, path: object) -> None:
    """Refuse a path in which Snakemake would fill in something: ``{name}``, ``<name>``."""
    if re.search(r"[{}]|<\w+>", str(path)):
        raise UserError(
            f"{key}: '{path}' has braces or <...> in it, which Snakemake takes for placeholders; "
            "choose a path without them"
        )
