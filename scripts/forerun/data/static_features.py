"""Static features: one number per series, from a separate file or from columns of the data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forerun.data.checking import Roles, check_numbers
from forerun.data.numbers import Writing, writings
from forerun.data.panel import Panel
from forerun.data.parsing import Floats, parse_ids, parse_numbers
from forerun.data.problems import Problems, name_series, show

Features = dict[str, Floats]
"""Feature -> one value for each label of the panel, or NaN."""


def take(
    panel: Panel,
    roles: Roles,
    static: pd.DataFrame | None,
    decimal: str | None,
    problems: Problems,
) -> tuple[Features, Panel]:
    """Return the static features, and the panel without their columns."""
    features: Features = {}
    rest = dict(panel.columns)
    for name in roles.stat:
        if name in rest:
            features[name] = _constant(panel, name, rest.pop(name), problems)
    if static is not None and roles.stat:
        names = [name for name in roles.stat if name in static.columns]
        written = writings(static, names, decimal, problems, " in static_file")
        features |= _from_file(panel, roles, static, written, problems)
    panel.columns = rest
    return features, panel


def check(features: Features, panel: Panel, problems: Problems) -> None:
    """Report series of the panel that lack a feature."""
    present = np.unique(panel.code)
    for name, values in features.items():
        lacking = present[np.isnan(values[present]) & ~panel.damaged[present]]
        if len(lacking):
            problems.add(f"static feature {show(name)} is missing for {panel.name(lacking)}")


def _constant(panel: Panel, name: str, values: Floats, problems: Problems) -> Floats:
    given = ~np.isnan(values)
    first = panel.first_rows(given)
    feature = np.where(first >= 0, values[first], np.nan)
    differs = given & (values != feature[panel.code])
    if differs.any():
        problems.add(f"static feature {show(name)} changes within {panel.place(differs)}")
    return feature


def _from_file(
    panel: Panel,
    roles: Roles,
    static: pd.DataFrame,
    written: Mapping[str, Writing],
    problems: Problems,
) -> Features:
    code, labels = parse_ids(static[roles.id])
    twice = pd.Series(code[code >= 0]).duplicated().to_numpy()
    if twice.any():
        repeated = labels[pd.unique(code[code >= 0][twice])]
        problems.add(f"static_file has several rows for {name_series(list(repeated))}")
    if (code < 0).any():
        row = int(np.argmax(code < 0)) + 1
        problems.add(f"static_file has rows without {show(roles.id)}, first data row {row}")
    features: Features = {}
    # Features frozen with a run have no path, and may cover other series than new data.
    strange = sorted(set(labels) - set(panel.labels)) if "path" in static.attrs else []
    if strange and len(strange) == len(labels):
        problems.add(f"static_file has other series than the data ({name_series(strange)})")
        return {name: np.zeros(len(panel.labels)) for name in roles.stat if name in static.columns}
    if strange:
        problems.note(f"static_file: {name_series(strange)} not in the data, ignored")
    row_of = np.full(len(labels) + 1, -1, dtype=np.int64)  # the last entry: no such series
    row_of[code[code >= 0]] = np.flatnonzero(code >= 0)
    place = {name: number for number, name in enumerate(labels)}
    rows = row_of[[place.get(name, -1) for name in panel.labels]]
    for name in (name for name in roles.stat if name in static.columns):
        values, wrong = parse_numbers(static[name], written.get(name))
        hint = " in static_file (encode categories as numbers, e.g. one 0/1 column for each)"
        check_numbers(static[name], wrong, problems, hint)
        infinite = np.isinf(values)
        if infinite.any():
            series = name_series(list(static[roles.id][infinite].astype(str)))
            problems.add(f"static feature {show(name)} is infinite for {series}")
        values[wrong | infinite] = 0.0  # reported already
        features[name] = np.append(values, np.nan)[rows]  # -1: no such row
    return features
