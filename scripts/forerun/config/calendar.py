"""The key ``calendar``: its terms and their columns.

A term is a name (``month``), a name with a number (``fourier:3``, or ``fourier:2:week``) or a
country (``holidays:DE``, ``holidays:DE-BY``). :mod:`forerun.data.calendar` computes the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from forerun.base.errors import UserError, suggest

#: Terms with one 0/1 column for each value but the first, and their values.
LEVELS = {
    "month": range(1, 13),
    "quarter": range(1, 5),
    "dayofweek": range(7),
    "hour": range(24),
}
#: Terms with one column.
NUMBERS = ("day", "week", "dayofyear", "weekend")
PERIODS = ("year", "month", "week", "day")
MOST_PAIRS = 50
_NAMES = (*LEVELS, *NUMBERS, "fourier", "holidays")
_COUNTRY = re.compile(r"[A-Z]{2,3}(-[A-Z0-9]{1,4})?")


@dataclass(frozen=True)
class Term:
    """One term of the calendar.

    Attributes
    ----------
    name
        One of :data:`LEVELS` and :data:`NUMBERS`, or ``fourier`` or ``holidays``.
    pairs, period
        Of ``fourier``: the number of sines and cosines, and their period.
    country, region
        Of ``holidays``.
    """

    name: str
    pairs: int = 0
    period: str = "year"
    country: str = ""
    region: str | None = None

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        if self.name in LEVELS:
            return [f"calendar_{self.name}_{value}" for value in LEVELS[self.name][1:]]
        if self.name == "fourier":
            pairs = range(1, self.pairs + 1)
            return [f"calendar_{self.period}_{f}{n}" for n in pairs for f in ("sin", "cos")]
        if self.name == "holidays":
            return [f"calendar_holidays_{'_'.join(filter(None, (self.country, self.region)))}"]
        return [f"calendar_{self.name}"]


def term(written: str) -> Term:
    """Read one item of the key.

    Raises
    ------
    UserError
        It is not a term; the message lists the valid ones.
    """
    name, *arguments = str(written).split(":")
    if name in (*LEVELS, *NUMBERS) and not arguments:
        return Term(name)
    if name == "fourier":
        pairs, period, *more = [*arguments, *("", "year")[len(arguments) :]]
        number = int(pairs) if re.fullmatch(r"\d{1,2}", pairs) else 0
        if 1 <= number <= MOST_PAIRS and period in PERIODS and not more:
            return Term(name, pairs=number, period=period)
        form = f"fourier:N or fourier:N:PERIOD, N from 1 to {MOST_PAIRS}, PERIOD one of "
        raise UserError(f"'{written}' must be {form}{', '.join(PERIODS)}")
    if name == "holidays":
        if len(arguments) == 1 and _COUNTRY.fullmatch(arguments[0]):
            country, _, region = arguments[0].partition("-")
            return Term(name, country=country, region=region or None)
        raise UserError(f"'{written}' must be holidays:COUNTRY or holidays:COUNTRY-REGION (DE-BY)")
    forms = "month, quarter, dayofweek, hour, day, week, dayofyear, weekend, fourier:N, holidays:DE"
    raise UserError(f"'{written}' is not a calendar term{suggest(name, _NAMES)}; valid are {forms}")


def terms(settings: Mapping[str, Any]) -> list[Term]:
    """Return the terms of resolved settings; runs of earlier versions have none."""
    return [term(written) for written in settings.get("calendar") or ()]


def columns(settings: Mapping[str, Any]) -> list[str]:
    """Return the names of all calendar columns."""
    return list(dict.fromkeys(name for one in terms(settings) for name in one.columns))


def problems(written: Iterable[Any]) -> list[str]:
    """Return one sentence for each invalid term."""
    found = []
    for item in written:
        try:
            term(item)
        except UserError as error:
            found.append(f"calendar: {error}")
    return found
