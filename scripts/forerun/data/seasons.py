"""Finding the season of series whose times are integers, which have no calendar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forerun.data.panel import series_starts
from forerun.data.parsing import Ints

#: Seasons that are tested: quarters, weekdays, months, hours, weeks, half hours, hours a week.
CANDIDATES = (4, 5, 7, 12, 24, 48, 52, 96, 168)
#: Number of series that are tested, spread evenly.
MOST = 500
#: Part of the series that must show the season, and part that must be long enough for it.
SHARE, LONG = 0.25, 0.5
#: Seasons whose mean autocorrelation is this part of the highest are as clear.
NEARLY = 0.8
#: Standard errors that an autocorrelation must exceed: with few series chance counts for more.
MANY, FEW = 1.96, 2.8


def find(y: npt.NDArray[np.float64], code: Ints, held_out: int = 0) -> int:
    """Return the season that series show most clearly, 1 if too few show one.

    A series shows a season if the autocorrelation of its differences at that lag is significant and
    a peak: higher than at the adjacent lags. At least three seasons are needed. Of seasons that
    are about as clear the shortest counts: multiples of a season are as clear as itself.

    Parameters
    ----------
    y : values, sorted by series and time; NaN are left out
    code : number of the series of each value
    held_out : values at the end of each series that are not used
    """
    observed = ~np.isnan(y)
    y, code = y[observed], code[observed]
    parts = [part[: max(0, len(part) - held_out)] for part in np.split(y, series_starts(code)[1:])]
    parts = parts[:: max(1, len(parts) // MOST)]
    limit = MANY if len(parts) >= 20 else FEW
    shares, heights = np.zeros(len(CANDIDATES)), np.zeros(len(CANDIDATES))
    for number, season in enumerate(CANDIDATES):
        long_enough = [part for part in parts if len(part) >= 3 * season + 1]
        if len(long_enough) >= max(1, LONG * len(parts)):
            peaks = np.array([_peak(part, season, limit) for part in long_enough])
            shares[number], heights[number] = np.mean(peaks > 0), peaks.mean()
    heights[shares < SHARE] = 0.0
    if not heights.any():
        return 1
    return CANDIDATES[int(np.argmax(heights >= NEARLY * heights.max()))]


def _peak(values: npt.NDArray[np.float64], season: int, limit: float) -> float:
    """Return the autocorrelation of the differences; 0 if insignificant, or no peak."""
    steps = np.diff(values)
    steps = steps - steps.mean()
    total = float(steps @ steps)
    if not np.isfinite(total) or total <= 0:
        return 0.0
    near = [float(steps[lag:] @ steps[:-lag]) / total for lag in (season - 1, season, season + 1)]
    return near[1] if near[1] > max(limit / np.sqrt(len(steps)), near[0], near[2]) else 0.0
