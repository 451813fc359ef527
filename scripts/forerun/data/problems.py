"""Problems of the data, collected and reported together in one line, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from forerun.base.errors import UserError

MAX_PROBLEMS = 20
MAX_LENGTH = 4000


class Problems:
    """Collects problems to report them together, and notes on what was inferred or changed.

    Parameters
    ----------
    where : str
        Subject of the check; starts the message.
    """

    def __init__(self, where: str = "the data") -> None:
        self.where = where
        self.texts: list[str] = []
        self.notes: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.texts)

    def add(self, text: str) -> None:
        """Add a problem: what, how often, an example, what to do."""
        self.texts.append(text)

    def note(self, *texts: str) -> None:
        """Add notes: what was inferred, converted, filled or dropped."""
        self.notes += texts

    def check(self) -> None:
        """Raise `UserError` with all problems so far, if there are any."""
        if not self.texts:
            return
        message = "; ".join(self.texts[:MAX_PROBLEMS])
        more = len(self.texts) - MAX_PROBLEMS
        ending = f"; and {more} more problems" if more > 0 else ""
        if len(message) > MAX_LENGTH:
            message, ending = message[:MAX_LENGTH], " ... (shortened)"
        # Names may contain line breaks of any kind, which split() without arguments removes.
        raise UserError(" ".join(f"{self.where}: {message}{ending}".split()))


def show(value: Any, limit: int = 60) -> str:
    """Return a value in quotes, on one line, shortened to about `limit` characters."""
    text = repr(str(value))
    return text if len(text) <= limit else f"{text[:limit]}...'"


def show_time(value: int, dated: bool) -> str:
    """Return a time (nanoseconds since 1970, or an integer) for messages."""
    return str(pd.Timestamp(value)).removesuffix(" 00:00:00") if dated else str(value)


def name_series(ids: Sequence[Any]) -> str:
    """Return ``series 'a'`` or ``3 series, e.g. 'a'``."""
    return f"series {show(ids[0])}" if len(ids) == 1 else f"{len(ids)} series, e.g. {show(ids[0])}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row`` or ``3 rows``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
