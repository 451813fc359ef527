"""Arithmetic of the direct linear model: from the last values of a series to all steps at once.

One matrix for all series maps a window of lags to the horizon. The last value is subtracted from
each window, which is then divided by its mean absolute change (logarithms are not), so that series
of any level and size can share the matrix. It minimizes absolute errors relative to the error of
the seasonal naive forecast of the series: a ridge regression in closed form is solved several times
with smaller weights for windows with large errors (iteratively reweighted least squares).

With random features (an extreme learning machine) the map is not linear: rectified linear units
with random, fixed weights are inputs besides the lags, and the regression stays in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forerun.data.parsing import Floats
from forerun.evaluation.scales import naive_error

#: Number of iterations, and the smallest residual relative to the median, used as a floor.
ITERATIONS, SMALLEST = 6, 0.1
#: Exponent of the number of windows in a series' weight: 0 weights series equally, 1 windows.
POWER = 0.25
#: Maximum number of values in all windows; limits memory and time.
MOST_VALUES = 20_000_000
#: Minimum number of windows per coefficient of a step; fewer lags are used otherwise.
WINDOWS = 2
#: Floor of the error of the seasonal naive forecast, which is divided by.
SMALLEST_ERROR = 1e-9
#: Minimum number of windows per lag for random features, and the spread of their thresholds.
FEATURE_WINDOWS, THRESHOLD = 20, 0.5
#: Largest and, inverted, smallest size of a series relative to the median, for its weight.
MOST_SIZE = 1e3
#: Scaled lags are clipped to this absolute value.
LARGEST = 50.0


@dataclass
class Regression:
    """Coefficients by number of lags, shape (inputs, steps); a short series uses fewer lags.

    Attributes
    ----------
    scaled : whether windows are divided by their mean absolute change
    features : weights of the random features, shape (lags + 1, features), by number of lags; the
        inputs are the lags, a one, and the features, if there are any
    """

    by_lags: dict[int, Floats]
    scaled: bool = True
    features: dict[int, Floats] = field(default_factory=dict)

    def forecast(self, series: Sequence[Floats]) -> Floats:
        """Return forecasts, shape (series, steps); NaN for a series without values."""
        steps = next(iter(self.by_lags.values())).shape[1]
        result = np.full((len(series), steps), np.nan)
        ladder = np.array(sorted(self.by_lags))
        rung = np.searchsorted(ladder, [len(values) for values in series], side="right") - 1
        for number, lags in enumerate(ladder):
            chosen = np.flatnonzero(rung == number)
            if len(chosen):
                windows = np.stack([series[int(one)][-lags:] for one in chosen])
                inputs, last, change = _measured(windows, self.scaled)
                inputs = _with_features(inputs, self.features.get(int(lags)))
                result[chosen] = inputs @ self.by_lags[int(lags)] * change + last
        return result


@dataclass(frozen=True)
class Features:
    """Random features: their number, their size relative to the lags, and the seed."""

    number: int = 0
    scale: float = 0.3
    seed: int = 1


def by_size(series: Sequence[Floats], season: int, power: float) -> Floats:
    """Return weights of series: their seasonal naive error relative to the median, to a power."""
    error = _naive_errors(series, season)
    return np.clip(error / np.median(error), 1 / MOST_SIZE, MOST_SIZE) ** power


def _naive_errors(series: Sequence[Floats], season: int) -> Floats:
    return np.array([max(naive_error(values, season), SMALLEST_ERROR) for values in series])


def ladder(lags: int, season: int, steps: int) -> list[int]:
    """Return the numbers of lags to fit, from `lags` down to 1."""
    shorter = {2 * season, season, steps, 4, 2, 1}
    return sorted({lags, *(each for each in shorter if 0 < each < lags)}, reverse=True)


def fit(
    series: Sequence[Floats],
    lags: int,
    steps: int,
    season: int,
    penalty: float,
    scaled: bool = True,
    features: Features = Features(),
    importance: Floats | None = None,
) -> Regression:
    """Fit the regression; it repeats the last value if no series is longer than `steps`.

    Parameters
    ----------
    series : values of each series, finite
    penalty : of the coefficients, relative to the mean square of the lags
    features : random features, none by default; left out with few windows
    importance : array, shape (series,): weight of each series; equal by default
    """
    found, drawn = {}, {}
    random = np.random.default_rng(features.seed)
    for number in ladder(lags, season, steps):
        windows = _Windows.of(series, number, steps, season, features.number, importance)
        if windows is None or not (number == 1 or len(windows.lags) >= WINDOWS * (number + 1)):
            continue
        inputs, last, change = _measured(windows.lags, scaled)
        if features.number and len(inputs) >= FEATURE_WINDOWS * (number + 1):
            drawn[number] = _drawn(inputs, features, random)
        targets = (windows.targets - last) / change
        unit = windows.naive / change[:, 0]
        inputs = _with_features(inputs, drawn.get(number))
        found[number] = _solve(inputs, targets, windows.weight, unit, penalty, number + 1)
    return Regression(found or {1: np.zeros((2, steps))}, scaled, drawn)


def _drawn(inputs: Floats, features: Features, random: np.random.Generator) -> Floats:
    """Return random weights of features of inputs whose last column is one."""
    lags = inputs.shape[1] - 1
    weights = random.standard_normal((lags + 1, features.number))
    weights[:lags] /= np.sqrt(lags)
    weights[lags] *= THRESHOLD * float(np.sqrt((inputs[:, :lags] ** 2).mean()))
    return features.scale * weights


def _with_features(inputs: Floats, weights: Floats | None) -> Floats:
    if weights is None:
        return inputs
    return np.hstack([inputs, np.maximum(inputs @ weights, 0.0)])


@dataclass
class _Windows:
    """Training windows of all series.

    Attributes
    ----------
    lags, targets : arrays, shape (windows, lags) and (windows, steps)
    weight : array, shape (windows,)
    naive : array, shape (windows,): error of the seasonal naive forecast of its series
    """

    lags: Floats
    targets: Floats
    weight: Floats
    naive: Floats

    @classmethod
    def of(
        cls,
        series: Sequence[Floats],
        lags: int,
        steps: int,
        season: int,
        features: int = 0,
        importance: Floats | None = None,
    ) -> _Windows | None:
        enough = np.array([len(values) >= lags + steps for values in series])
        long = [values for values, usable in zip(series, enough, strict=True) if usable]
        if not long:
            return None
        most = max(1, MOST_VALUES // (len(long) * (lags + steps + features)))
        views = [_spread(sliding_window_view(values, lags + steps), most) for values in long]
        counts = np.array([len(view) for view in views])
        whole = np.concatenate(views)
        naive = np.repeat(_naive_errors(long, season), counts)
        weight = counts ** (POWER - 1.0)
        weight = np.repeat(weight if importance is None else weight * importance[enough], counts)
        return cls(whole[:, :lags], whole[:, lags:], weight, naive)


def _spread(view: Floats, most: int) -> Floats:
    """Return at most `most` windows of a series, evenly spread over its length."""
    if len(view) <= most:
        return view
    return view[np.linspace(0, len(view) - 1, most).round().astype(int)]


def _measured(windows: Floats, scaled: bool) -> tuple[Floats, Floats, Floats]:
    """Return inputs with a column of ones, the last values, and the mean absolute changes."""
    last = windows[:, -1:]
    if not scaled:
        one = np.ones_like(last)
        return np.hstack([windows - last, one]), last, one
    change = np.abs(np.diff(windows, axis=1) if windows.shape[1] > 1 else windows)
    floor = 1e-3 * np.abs(windows).mean(axis=1, keepdims=True) + 1e-9
    change = np.maximum(change.mean(axis=1, keepdims=True), floor)
    inputs = np.clip((windows - last) / change, -LARGEST, LARGEST)
    return np.hstack([inputs, np.ones((len(inputs), 1))]), last, change


def _solve(
    inputs: Floats, targets: Floats, weight: Floats, naive: Floats, penalty: float, measured: int
) -> Floats:
    """Return the coefficients, shape (inputs, steps).

    Parameters
    ----------
    naive : array, shape (windows,): error of the seasonal naive forecast in the unit of `targets`
    measured : the penalty is relative to the mean square of this many first inputs
    """
    base = weight / np.maximum(naive, 1e-2 * np.median(naive))
    usual = np.sqrt((targets**2).mean(axis=1))
    error = usual + np.median(usual)
    coefficients = np.zeros((inputs.shape[1], targets.shape[1]))
    for _ in range(ITERATIONS):
        floor = max(SMALLEST * float(np.median(error)), 1e-12)
        root = np.sqrt(base / np.maximum(error, floor))[:, None]
        weighted = inputs * root
        gram = weighted.T @ weighted
        size = float(np.trace(gram[:measured, :measured]))
        gram += np.eye(len(gram)) * max(penalty * size / measured, 1e-12)
        coefficients = np.linalg.solve(gram, weighted.T @ (targets * root))
        error = np.abs(targets - inputs @ coefficients).mean(axis=1)
    return coefficients
