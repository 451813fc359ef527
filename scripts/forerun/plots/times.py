"""Ticks of time axes: few, round and without overlap."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import (
    AutoDateLocator,
    ConciseDateFormatter,
    DateLocator,
    DayLocator,
    HourLocator,
    MinuteLocator,
    MonthLocator,
    SecondLocator,
    YearLocator,
    num2date,
)
from matplotlib.ticker import MaxNLocator

from forerun.plots.text import Numbers, text_width

_TICK = 0.72
"""Inches from tick to tick of a time axis; the widest label is ``12:30`` or ``2024``."""


def time_axis(axes: Axes, times: pd.Series, width: float) -> None:
    """Give the x axis ticks for time stamps or for integers, as many as fit `width` inches.

    Set the limits of the axis first.
    """
    if pd.api.types.is_datetime64_any_dtype(times):
        locator = _locator(*axes.get_xlim(), most=max(2, int(width / _TICK)))
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        longest = text_width(f"{max(abs(value) for value in axes.get_xlim()):,.0f}", 9) + 0.35
        most = max(2, int(width / longest))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))
        axes.xaxis.set_major_formatter(Numbers())


def _locator(start: float, end: float, most: int) -> DateLocator:
    """Return the finest of the round intervals that gives at most so many ticks.

    matplotlib's AutoDateLocator fails with a warning for few ticks, and places some of them (29 and
    1 March) closer together than the others.
    """
    previous: DateLocator | None = None
    for days, locator in _candidates():
        if (end - start) / days > 3 * most:
            continue
        ticks = locator.tick_values(num2date(start), num2date(end))
        count = sum(start <= tick <= end for tick in ticks)
        if count <= most:
            return previous if count < 2 and previous is not None else locator
        previous = locator if count <= most + 1 else None
    return AutoDateLocator()


def _candidates() -> Iterator[tuple[float, DateLocator]]:
    """Return intervals from fine to coarse: days between ticks, and where they are."""
    for step in (1, 5, 15, 30):
        yield step / 86400, SecondLocator(bysecond=range(0, 60, step))
    for step in (1, 2, 5, 10, 15, 30):
        yield step / 1440, MinuteLocator(byminute=range(0, 60, step))
    for step in (1, 2, 3, 6, 12):
        yield step / 24, HourLocator(byhour=range(0, 24, step))
    yield 1, DayLocator()
    yield 2, DayLocator(bymonthday=range(1, 30, 2))
    yield 4, DayLocator(bymonthday=range(1, 28, 4))
    yield 7, DayLocator(bymonthday=(1, 8, 15, 22))
    yield 15, DayLocator(bymonthday=(1, 15))
    for step in (1, 2, 3, 6):
        yield 30 * step, MonthLocator(bymonth=range(1, 13, step))
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500):
        yield 365 * step, YearLocator(step)
