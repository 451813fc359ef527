"""Spans of calendar time or of steps, and the names of forecast origins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from forerun.base.errors import UserError

#: Units: hours, days, weeks, months, quarters, years, or steps of the data.
UNITS = ("h", "D", "W", "M", "Q", "Y", "steps")
_PERIOD = re.compile(r"(\d{1,5})\s*(h|D|W|M|Q|Y|steps?)")
_NAME = re.compile(r"-?\d{1,18}|\d{4}-\d{2}-\d{2}(?:T\d{2}-\d{2}-\d{2})?")

Time = Any  # a pandas.Timestamp, or a whole number where time is counted


@dataclass(frozen=True)
class Period:
    """A span such as ``8W``, ``3M`` or ``4 steps``.

    Months, quarters and years are those of the calendar: a month after 31 January is 28 or 29
    February. Times have no time zone, so summer time changes nothing.
    """

    number: int
    unit: str

    @classmethod
    def parse(cls, text: object, what: str) -> Period:
        """Read a span; `what` names it in the error."""
        found = _PERIOD.fullmatch(str(text).strip())
        if found is None or int(found[1]) == 0:
            raise UserError(
                f"{what}: {text!r} is not a span of time; give a number and one of "
                f"{', '.join(UNITS)}, such as 4W"
            )
        return cls(int(found[1]), "steps" if found[2].startswith("step") else found[2])

    def after(self, time: Time, freq: str | int) -> Time:
        """Return the time that is one span after `time`.

        Parameters
        ----------
        freq : frequency of the data, or the step of whole-number times
        """
        import pandas as pd

        if not isinstance(time, pd.Timestamp):
            if self.unit != "steps":
                raise UserError(f"'{self}' is calendar time, and the data count theirs in numbers")
            return int(time) + self.number * int(freq)
        if self.unit == "steps":
            return time + self.number * pd.tseries.frequencies.to_offset(str(freq))
        names = {"h": "hours", "D": "days", "W": "weeks", "M": "months", "Q": "months"}
        number = self.number * (3 if self.unit == "Q" else 1)
        span: dict[str, Any] = {names.get(self.unit, "years"): number}
        return time + pd.DateOffset(**span)

    def __str__(self) -> str:
        return f"{self.number} steps" if self.unit == "steps" else f"{self.number}{self.unit}"


def origin_name(time: Time) -> str:
    """Return the name of an origin's folder: ``2024-01-28``, ``2024-01-28T13-00-00``, ``17``."""
    import pandas as pd

    if not isinstance(time, pd.Timestamp):
        return str(int(time))
    if time == time.normalize():
        return time.strftime("%Y-%m-%d")
    return time.floor("s").strftime("%Y-%m-%dT%H-%M-%S")


def is_origin_name(name: str) -> bool:
    """Return whether a name is that of an origin's folder."""
    return _NAME.fullmatch(name) is not None


def parse_time(text: object, dated: bool, what: str) -> Time:
    """Read a time that a user gave, or the name of an origin."""
    import pandas as pd

    try:
        if not dated:
            return int(str(text))
        written = re.sub(r"T(\d{2})-(\d{2})-(\d{2})$", r"T\1:\2:\3", str(text))
        time: Any = pd.Timestamp(written)
    except (ValueError, OverflowError):
        time = None
    if time is None or pd.isna(time) or time.tzinfo is not None:
        kind = "a date such as 2024-01-28" if dated else "a whole number, as the data have"
        raise UserError(f"{what}: {text!r} is not {kind}")
    return time
