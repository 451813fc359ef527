"""User errors, reported in one clear line."""

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

    ``str(error)`` is one line that says what is wrong, where, and what to do. Scripts and commands
    print it without a traceback and exit with code 2.
    """


def suggest(word: str, names: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` with the most similar name, or an empty string."""
    similar = nearest(word, names, 1)
    return f" (did you mean '{similar[0]}'?)" if similar else ""


def nearest(word: str, names: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the names most similar to a word, the most similar first.

    Case, separators and leading zeros are ignored: ``shop_1`` finds ``shop_01`` before
    ``shop_21``. Ties are broken by the distance of the numbers in the names.
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
    """Normalize a word so that spellings of the same name are equal."""
    text = re.sub(r"[\s_.-]+", "_", str(word).lower()).strip("_")
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"(?<=[a-z])(?=\d)", "_", text))


def _distance(one: str, other: str) -> float:
    """Return the distance between the numbers in two words."""
    first, second = (re.findall(r"\d{1,15}", word) for word in (one, other))
    if len(first) != len(second):
        return float("inf")
    return float(sum(abs(int(a) - int(b)) for a, b in zip(first, second, strict=True)))


def is_full(error: BaseException | str | None) -> bool:
    """Return whether an error or its message reports a full disk."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    text = str(error or "")
    phrases = [f"{_NO_SPACE} in '", *map(os.strerror, FULL)]
    return any(phrase in text for phrase in phrases)


def no_space(place: object = None) -> str:
    """Return the message for a full disk."""
    where = f"in '{place}'" if place else "on the disk"
    return f"{_NO_SPACE} {where}; free some space and rerun the command"


def system_error(error: OSError, place: object = None) -> str:
    """Describe a system error in one line.

    Parameters
    ----------
    place : folder that was written to, for errors without a file name
    """
    if is_full(error):
        return no_space(place or (Path(str(error.filename)).parent if error.filename else None))
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = f" '{error.filename}'" if error.filename else ""
    return f"{reason}:{where or ' (no file name given)'}; fix this and rerun the command"


def check_path(key: str, path: object) -> None:
    """Refuse a path with Snakemake placeholders: ``{name}``, ``<name>``."""
    if re.search(r"[{}]|<\w+>", str(path)):
        raise UserError(
            f"{key}: '{path}' contains braces or <...>, which are placeholders in Snakemake; "
            "choose a path without them"
        )
