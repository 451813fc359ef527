"""Calendar columns of the past and the future: months, weekdays, Fourier terms, holidays.

They are computed from the times, so they are not saved in a run and not needed in a future file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from forerun.base.errors import UserError
from forerun.config.calendar import LEVELS, Term, columns, terms

if TYPE_CHECKING:
    import numpy.typing as npt

_DAY = pd.Timedelta(days=1)
#: Terms that are constant for time steps of at least so many days.
_LONGEST = {"hour": 1.0, "dayofweek": 7.0, "weekend": 7.0, "week": 7.0, "day": 28.0}
_LONGEST |= {"dayofyear": 365.0, "month": 365.0, "quarter": 365.0}
_PERIODS = {"day": 1.0, "week": 7.0, "month": 28.0, "year": 365.0}


def check(settings: Mapping[str, Any]) -> None:
    """Raise an error for terms that are constant at the times of a run, and unknown countries.

    Parameters
    ----------
    settings : with the frequency of the run
    """
    wanted, freq = terms(settings), settings["freq"]
    if not wanted:
        return
    if isinstance(freq, int):
        raise UserError("calendar needs dates, but the times are integers; remove it")
    step = _step_in_days(freq)
    for one in wanted:
        longest = _PERIODS[one.period] if one.name == "fourier" else _LONGEST.get(one.name)
        if longest is not None and step >= longest:
            raise UserError(f"calendar: {one.name} is the same at all times of freq {freq}")
        if one.name == "holidays":
            _holidays(one, range(2020, 2021))


def _step_in_days(freq: str) -> float:
    start = pd.Timestamp("2021-01-01")
    times = pd.date_range(start, periods=3, freq=freq)
    return float((times[2] - times[1]) / _DAY)


def with_calendar(
    history: pd.DataFrame, future: pd.DataFrame | None, settings: Mapping[str, Any], steps: int
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Add the calendar columns to the history and to the steps after it.

    Parameters
    ----------
    history : ``unique_id``, ``ds``..., sorted by series and time
    future : given values of other columns after each series' end; None if there are none
    steps : number of steps after each series' end

    Returns
    -------
    tuple
        Both tables; the second has a row for each step, with NaN where a value was not given.
    """
    from utilsforecast.feature_engineering import time_features

    if not columns(settings):
        return history, future
    freq = settings["freq"]
    functions: list[Any] = [partial(_values, term=one, freq=freq) for one in terms(settings)]
    added, later = time_features(history, freq=freq, features=functions, h=steps)
    if future is not None:
        later = later.merge(future, on=["unique_id", "ds"], how="left")
    given = [name for name in settings["futr_exog"] if name not in later]
    return added, later.assign(**dict.fromkeys(given, np.nan))


def _values(times: pd.DatetimeIndex, term: Term, freq: str) -> pd.DataFrame:
    found = _MAKERS.get(term.name, _numbers)(times, term, freq)
    return pd.DataFrame(found, columns=term.columns, dtype=float)


def _levels(times: pd.DatetimeIndex, term: Term, freq: str) -> npt.NDArray[Any]:
    values = np.asarray(getattr(times, term.name))
    return values[:, None] == np.array(LEVELS[term.name][1:])[None, :]


def _numbers(times: pd.DatetimeIndex, term: Term, freq: str) -> npt.NDArray[Any]:
    if term.name == "weekend":
        return (np.asarray(times.dayofweek) >= 5)[:, None]
    source = times.isocalendar().week if term.name == "week" else getattr(times, term.name)
    return np.asarray(source, dtype=float)[:, None]


def _fourier(times: pd.DatetimeIndex, term: Term, freq: str) -> npt.NDArray[Any]:
    """Return sines and cosines of the elapsed share of the period at each time."""
    day = np.asarray((times - times.normalize()) / _DAY)
    before: Any
    before, length = {
        "day": (0, 1),
        "week": (times.dayofweek, 7),
        "month": (times.day - 1, times.days_in_month),
        "year": (times.dayofyear - 1, 365 + times.is_leap_year),
    }[term.period]
    angles = 2 * np.pi * (np.asarray(before) + day) / np.asarray(length)
    pairs = [f(n * angles) for n in range(1, term.pairs + 1) for f in (np.sin, np.cos)]
    return np.column_stack(pairs)


def _holiday_counts(times: pd.DatetimeIndex, term: Term, freq: str) -> npt.NDArray[Any]:
    """Return the number of holidays in each step: 0 or 1 for steps of at most a day."""
    starts, ends = _spans(times, freq)
    years = range(int(starts.year.min()), int(ends.year.max()) + 1)
    days = _holidays(term, years)
    counts = np.searchsorted(days, ends.to_numpy()) - np.searchsorted(days, starts.to_numpy())
    return np.asarray(counts, dtype=float)[:, None]


def _spans(times: pd.DatetimeIndex, freq: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return for each time the first day of its step and the day after the last one."""
    days = times.normalize()
    if _step_in_days(freq) < 5:  # a business day spans itself only
        return days, days + _DAY
    offset = to_offset(freq)
    # Weeks and periods that end at their time stamp, such as ME, span the days before it.
    if offset.name.startswith("W") or "End" in type(offset).__name__:
        return pd.DatetimeIndex([time - offset for time in days]) + _DAY, days + _DAY
    return days, pd.DatetimeIndex([time + offset for time in days])


def _holidays(term: Term, years: range) -> npt.NDArray[np.datetime64]:
    """Return the days of all holidays of some years, sorted."""
    from holidays import country_holidays

    try:
        found = country_holidays(term.country, subdiv=term.region, years=years)
    except NotImplementedError:
        where = f"{term.country}-{term.region}" if term.region else term.country
        raise UserError(
            f"calendar: the package holidays has no holidays of '{where}'; write a country and "
            "optionally a region by their ISO 3166 codes, such as DE or DE-BY"
        ) from None
    return np.array(sorted(found), dtype="datetime64[ns]")


_Maker = Callable[[pd.DatetimeIndex, Term, str], "npt.NDArray[Any]"]
_MAKERS: dict[str, _Maker] = {
    **dict.fromkeys(LEVELS, _levels),
    "fourier": _fourier,
    "holidays": _holiday_counts,
}
