"""The arguments of mlforecast's models besides those of the regressor, checked without the library.

A lag transform is written ``NAME:NUMBERS`` or ``NAME:NUMBERS@LAG``: ``rolling_mean:7``,
``seasonal_mean:7:4@7``. Without a lag it includes the last value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import schema

#: Arguments of a model besides those of its regressor.
FEATURES = ("lags", "lag_transforms", "differences", "date_features", "direct", "per_series")
#: Regressors that can be fitted to each series separately.
PER_SERIES = ("LinearRegression", "Ridge")
LARGEST = 100_000
#: Lag transforms and their parameters.
TRANSFORMS: dict[str, tuple[str, ...]] = {
    "rolling_mean": ("steps",),
    "rolling_std": ("steps",),
    "rolling_min": ("steps",),
    "rolling_max": ("steps",),
    "seasonal_mean": ("season", "seasons"),
    "expanding_mean": (),
    "ewm": ("weight",),
}
_WRITTEN = re.compile(r"([a-z_]+)((?::[0-9.]+)*)(?:@([0-9]+))?")


@dataclass(frozen=True)
class LagTransform:
    """A statistic of the values up to `lag` steps before the one to forecast."""

    name: str
    numbers: tuple[float, ...]
    lag: int = 1


def lag_transform(written: Any) -> LagTransform:
    """Read one lag transform.

    Raises
    ------
    UserError
        It is invalid; the message lists the valid forms.
    """
    match = _WRITTEN.fullmatch(written) if isinstance(written, str) else None
    name = match[1] if match else str(written).partition(":")[0]
    if match is None or name not in TRANSFORMS:
        forms = ", ".join(":".join([name, *parts]) for name, parts in TRANSFORMS.items())
        raise UserError(
            f"lag_transforms has {schema.show(written)}{suggest(name, TRANSFORMS)}; write "
            f"{forms}, and @LAG for a lag other than 1"
        )
    wanted = TRANSFORMS[name]
    try:
        numbers = tuple(float(number) for number in match[2].split(":")[1:])
    except ValueError:
        numbers = ()
    lag = int(match[3] or 1)
    fits = len(numbers) == len(wanted) and all(
        0 < number < 1 if kind == "weight" else number >= 1 and number == int(number)
        for kind, number in zip(wanted, numbers, strict=False)
    )
    if not fits or not 1 <= lag <= LARGEST or any(number > LARGEST for number in numbers):
        raise UserError(
            f"lag_transforms has {schema.show(written)}; write {':'.join([name, *wanted])} with "
            "integers of at least 1 (a weight is between 0 and 1)"
        )
    return LagTransform(name, numbers, lag)


def problems(model: str, params: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each of these arguments that is invalid."""
    wrong = []
    for name in ("lags", "differences"):
        value = params.get(name) or []
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                wrong.append(f"{name} has {schema.show(number)}; it must be integers of at least 1")
    given = params.get("lag_transforms") or []
    for written in given if isinstance(given, list) else [given]:
        try:
            lag_transform(written)
        except UserError as error:
            wrong.append(str(error))
    for name in ("direct", "per_series"):
        if not isinstance(params.get(name, False), bool):
            wrong.append(f"{name} is {schema.show(params[name])}; it must be true or false")
    if params.get("per_series") is True:
        wrong += _per_series_problems(model, params)
    return wrong


def _per_series_problems(model: str, params: Mapping[str, Any]) -> list[str]:
    if model not in PER_SERIES:
        return [f"per_series is for {' and '.join(PER_SERIES)}; {model} is fitted to all series"]
    given = [name for name in FEATURES if name != "per_series" and params.get(name)]
    if given:
        return [f"{given[0]} and per_series: true exclude each other; the regression of a series "
                "uses its trend, its season and known columns"]  # fmt: skip
    return []
