"""Errors of users, each reported in one clear line."""

from __future__ import annotations

import difflib
import errno
import heapq
import os
import re
from collections.abc import Iterable
from pathlib import Path

#: Errors of the system that mean a full disk.
FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_SPACE = "no space left"


class UserError(Exception):
    """A mistake in configuration, data or arguments.

    ``str(error)`` is one line that says what is wrong, where, and what to do. Scripts and the
    command line print it without a traceback and end with exit code 2.
    """


def suggest(word: str, names: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known word, or an empty string."""
    found = nearest(word, names, 1)
    return f" (did you mean '{found[0]}'?)" if found else ""


def nearest(word: str, names: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the known words that are most like a word, the nearest first.

    Case, separators and leading zeros make no difference: ``shop_1`` finds ``shop_01`` before
    ``shop_21``. Among words that are equally alike, near numbers come first.
    """
    wanted = _plain(word)
    matcher = difflib.SequenceMatcher(b=wanted)
    ranked: list[tuple[float, float, int, str]] = []
    for name in names:
        plain = _plain(name)
        matcher.set_seq1(plain)
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < cutoff:
            continue
        if (ratio := matcher.ratio()) >= cutoff:
            ranked.append((-ratio, _distance(wanted, plain), len(ranked), name))
    return [name for *_, name in heapq.nsmallest(most, ranked)]


def _plain(word: object) -> str:
    """Write a word so that spellings of the same name become equal."""
    text = re.sub(r"[\s_.-]+", "_", str(word).lower()).strip("_")
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"(?<=[a-z])(?=\d)", "_", text))


def _distance(one: str, other: str) -> float:
    """Return how far the numbers of two words lie apart."""
    first, second = (re.findall(r"\d{1,15}", word) for word in (one, other))
    if len(first) != len(second):
        return float("inf")
    return float(sum(abs(int(a) - int(b)) for a, b in zip(first, second, strict=True)))


def is_full(error: BaseException | str | None) -> bool:
    """Return whether an error, or its message, says that a disk is full."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    text = str(error or "")
    phrases = [f"{_NO_SPACE} in '", *map(os.strerror, FULL)]
    return any(phrase in text for phrase in phrases)


def no_space(place: object = None) -> str:
    """Say that there is no space left in a folder, and what to do."""
    where = f"in '{place}'" if place else "on the disk that is written to"
    return f"{_NO_SPACE} {where}; free some space and rerun the command"


def system_error(error: OSError, place: object = None) -> str:
    """Describe in one line what the system refused.

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
