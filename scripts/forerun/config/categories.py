"""Categorical columns: which there are, and the values that each may have, frozen with the run.

The key ``categorical`` names columns; ``categories`` holds the values of each, found in the data.
Text becomes codes, the place of a value in its list; numbers stay. A model that embeds or splits
categories sees the column itself, any other one a 0/1 column for each value but the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The column that tells a model which series a row belongs to.
SERIES = "series_category"
#: Maximum number of values of a column.
MOST = 1000
#: The code of a string that training has not seen.
UNSEEN = -1.0


def names(settings: Mapping[str, Any]) -> list[str]:
    """Return the categorical columns as models see them; runs of earlier versions have none."""
    series = settings.get("id_col")
    return [SERIES if name == series else name for name in settings.get("categorical") or ()]


def values(settings: Mapping[str, Any], column: str) -> list[float]:
    """Return the values of a column as numbers, as they stand in ``data.parquet``."""
    found = (settings.get("categories") or {}).get(column) or []
    if any(isinstance(value, str) for value in found):
        return [float(code) for code in range(len(found))]
    return [float(value) for value in found]


def dummies(settings: Mapping[str, Any], column: str) -> dict[str, float]:
    """Return the 0/1 columns that stand for a column, each with the value that makes it 1."""
    found = (settings.get("categories") or {}).get(column) or []
    numbers = values(settings, column)
    return {
        f"{column}={_shown(value)}": number
        for value, number in list(zip(found, numbers, strict=True))[1:]
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def expanded(settings: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    """Return columns with 0/1 columns in place of categorical ones, once their values are known."""
    categorical = set(names(settings))
    found: list[str] = []
    for name in columns:
        known = name in categorical and (settings.get("categories") or {}).get(name)
        found += dummies(settings, name) if known else [name]
    return found


def problems(settings: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each name that is no column that models use."""
    exogenous = {name for key in ("hist_exog", "futr_exog", "stat_exog") for name in settings[key]}
    return [
        f"categorical has '{name}'; it must be one of hist_exog, futr_exog, stat_exog or id_col"
        for name in settings["categorical"]
        if name not in exogenous | {settings["id_col"]}
    ]
