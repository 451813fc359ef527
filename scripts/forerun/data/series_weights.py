"""Weights of the series (``weights_file``), frozen with the data as a column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forerun.base.errors import suggest
from forerun.config.names import LARGEST_WEIGHT, SERIES_WEIGHT, SMALLEST_WEIGHT
from forerun.data.checking import Roles, check_numbers, tidy
from forerun.data.numbers import writings
from forerun.data.parsing import Floats, parse_ids, parse_numbers
from forerun.data.problems import Problems, name_series, show
from forerun.data.reading import read_table

#: Column of the weights in ``weights_file``.
WEIGHT = "weight"


def add(frame: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Return the data with the weight of each series, and notes; unchanged without a file.

    Parameters
    ----------
    frame : the checked data

    Raises
    ------
    UserError
        The table has no weight or several weights of a series, or invalid ones.
    """
    if not settings.get("weights_file"):
        return frame, []
    problems = Problems("weights_file")
    roles = Roles.of(settings)
    if roles.single:
        problems.add("the data are a single series (id_col is null), which needs no weight")
        problems.check()
    table = tidy(read_table(settings["weights_file"], roles.id, None, [roles.id, WEIGHT]), roles)
    _check_columns(table, roles.id, problems)
    weights = _weights(table, roles.id, settings.get("decimal"), problems)
    code, names = pd.factorize(frame["unique_id"])
    _compare_names(weights, [str(name) for name in names], problems)
    problems.check()
    values = weights.reindex([str(name) for name in names]).to_numpy(dtype=float)
    if not values.sum() > 0:
        problems.add("all weights are 0; at least one must be positive")
        problems.check()
    problems.note(
        f"errors are averaged with the weights of weights_file, from {values.min():g} to "
        f"{values.max():g}"
    )
    return frame.assign(**{SERIES_WEIGHT: values[code]}), problems.notes


def _check_columns(table: pd.DataFrame, id_col: str, problems: Problems) -> None:
    names = table.attrs.get("columns") or list(table.columns)
    for name in (id_col, WEIGHT):
        if name not in table.columns:
            hint = suggest(name, names) or f" (there are {', '.join(map(show, names[:8]))})"
            problems.add(f"column {show(name)} is missing{hint}")
    if not len(table):
        problems.add("there are no rows")
    problems.check()


def _weights(
    table: pd.DataFrame, id_col: str, decimal: str | None, problems: Problems
) -> pd.Series:
    """Return the weights by name, checked."""
    code, labels = parse_ids(table[id_col])
    if (code < 0).any():
        problems.add(f"no {show(id_col)} in data row {int(np.argmax(code < 0)) + 1}")
    twice = pd.Series(code[code >= 0]).duplicated().to_numpy()
    if twice.any():
        problems.add(
            f"several rows for {name_series(list(labels[pd.unique(code[code >= 0][twice])]))}"
        )
    written = writings(table, [WEIGHT], decimal, problems)
    values, wrong = parse_numbers(table[WEIGHT], written.get(WEIGHT))
    check_numbers(table[WEIGHT], wrong, problems, "")
    for what, bad in _invalid(values, wrong):
        rows = np.flatnonzero(bad & (code >= 0))
        if len(rows):
            problems.add(f"the weight of {name_series(list(labels[code[rows]]))} is {what}")
    problems.check()
    return pd.Series(values, index=labels[code].astype(str))


def _invalid(values: Floats, wrong: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [
        ("missing", np.isnan(values) & ~wrong),
        ("infinite", np.isinf(values)),
        ("negative", values < 0),
        (f"outside of {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}", _is_extreme(values)),
    ]


def _is_extreme(values: Floats) -> np.ndarray:
    """Return which weights are so small or large that sums of them lose digits or overflow."""
    return np.isfinite(values) & (
        ((values > 0) & (values < SMALLEST_WEIGHT)) | (values > LARGEST_WEIGHT)
    )


def _compare_names(weights: pd.Series, names: list[str], problems: Problems) -> None:
    """Refuse series without a weight; note weights of other series."""
    missing = [name for name in names if name not in weights.index]
    if len(missing) == len(names):
        problems.add(f"it has other series than the data ({name_series(list(weights.index))})")
    elif missing:
        problems.add(f"no weight for {name_series(missing)}")
    strange = sorted(set(weights.index) - set(names))
    if strange:
        problems.note(f"weights_file: {name_series(strange)} not in the data, ignored")
