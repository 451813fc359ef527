"""Categorical columns and their values, which are frozen with the run.

The key ``categorical`` names columns; ``categories`` contains the values of each, from the data.
Strings are encoded by their position in that list; numbers are kept. Models that support categories
use the column itself, all others a 0/1 column for each value but the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The column of the series, as a category.
SERIES = "series_category"
#: Maximum number of values of a column.
MOST = 1000
#: The code of a string not seen in training.
UNSEEN = -1.0


def names(settings: Mapping[str, Any]) -> list[str]:
    """Return the names of categorical columns in models; runs of earlier versions have none."""
    series = settings.get("id_col")
    return [SERIES if name == series else name for name in settings.get("categorical") or ()]


def values(settings: Mapping[str, Any], column: str) -> list[float]:
    """Return the values of a column as numbers, as in ``data.parquet``."""
    found = (settings.get("categories") or {}).get(column) or []
    if any(isinstance(value, str) for value in found):
        return [float(code) for code in range(len(found))]
    return [float(value) for value in found]


def dummies(settings: Mapping[str, Any], column: str) -> dict[str, float]:
    """Return the 0/1 columns of a categorical column, each with the value encoded as 1."""
    found = (settings.get("categories") or {}).get(column) or []
    numbers = values(settings, column)
    return {
        f"{column}={_shown(value)}": number
        for value, number in list(zip(found, numbers, strict=True))[1:]
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def expanded(settings: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    """Return columns with 0/1 columns in place of categorical ones whose values are known."""
    categorical = set(names(settings))
    found: list[str] = []
    for name in columns:
        known = name in categorical and (settings.get("categories") or {}).get(name)
        found += dummies(settings, name) if known else [name]
    return found


def problems(settings: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each name that is not a column of a model."""
    exogenous = {name for key in ("hist_exog", "futr_exog", "stat_exog") for name in settings[key]}
    return [
        f"categorical has '{name}'; it must be one of hist_exog, futr_exog, stat_exog or id_col"
        for name in settings["categorical"]
        if name not in exogenous | {settings["id_col"]}
    ]
