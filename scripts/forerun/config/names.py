"""Names: valid run ids, the combined forecasts, the reference model, and former names.

Earlier versions called the forecasts of the best model of each series ``best``. Files of their
runs keep that name, which their seals cover; readers translate it to ``per_series``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

#: Names of runs and deployments as a pattern, and in words.
RUN_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
RUN_ID_RULE = "letters, digits, '_', '.' and '-' (at most 100, starting with a letter or digit)"
#: The best model of each series, and a weighted mean of all models: columns, files, rows of tables.
PER_SERIES, ENSEMBLE = "per_series", "ensemble"
COMBINED = (PER_SERIES, ENSEMBLE)
#: All forecasts of a folder in one table: ``all.csv`` and ``all.parquet``.
TIDY = "all"
#: Column of the data of a run with the weight of each series (``weights_file``).
SERIES_WEIGHT = "series_weight"
#: Limits of positive weights of series and steps: sums of others lose digits or overflow.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-100, 1e100
#: The reference model for skill.
REFERENCE = "SeasonalNaive"
#: Beginning of the note on series that a model could not forecast.
FALLBACK = "naive forecast for"
#: Former names of combined forecasts.
FORMER = {"best": PER_SERIES}
#: File names in predictions/ and column names of results that a model must not have.
RESERVED = frozenset(
    {*COMBINED, *FORMER, TIDY, "unique_id", "ds", "y", "cutoff", "metric", "model", "chosen"}
)


def reference(settings: Mapping[str, Any]) -> str | None:
    """Return the name of the baseline against which skill is measured, or None.

    It is ``SeasonalNaive``, otherwise the first one of that class. One that forecasts a transformed
    target is another model.
    """
    plain = [
        str(item["name"])
        for item in settings["baselines"]
        if item.get("model") == REFERENCE and not item.get("transform")
    ]
    return REFERENCE if REFERENCE in plain else next(iter(plain), None)


def repetition(name: str) -> str | None:
    """Return what is wrong with a name that Snakemake takes for an endless recursion, or None.

    These are values of wildcards that end with 20 repetitions (``check_periodic_wildcards``).
    """
    match = re.search(r"(.+?)\1{19,}$", name)
    return match and f"it ends with '{match[1]}' repeated 20 times or more, which Snakemake refuses"


def current(name: str, among: Collection[str] = ()) -> str:
    """Return the current name of a model, column or interval that an earlier version wrote.

    Parameters
    ----------
    among : other names of the table; the name is kept if one of them is the current name
    """
    stem, dash, rest = name.partition("-")
    new = FORMER.get(stem)
    if new is None or new in among or (dash and not rest.startswith(("lo-", "hi-"))):
        return name
    return new + dash + rest


def current_columns(columns: Collection[str]) -> dict[str, str]:
    """Return the columns of a table that have former names, each with its current name."""
    new = {name: current(name, columns) for name in columns}
    return {name: renamed for name, renamed in new.items() if name != renamed}


def spellings(name: str) -> list[str]:
    """Return the names that a model may have in a run's files, the current one first."""
    return [name, *(former for former, new in FORMER.items() if new == name)]
