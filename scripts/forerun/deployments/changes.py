"""Changes in the data since the last origin, which are reported to the user.

The checks have simple thresholds and never stop a forecast. Data that cannot be forecast from are
refused earlier, by the reader.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forerun.base.text import plural
from forerun.evaluation.scales import naive_scale

#: Number of newest observations, compared with all earlier ones, and limits of the shifts.
RECENT, LEVEL, SPREAD = 8, 4.0, 3.0
#: Maximum number of series that are named.
LISTED = 5


@dataclass
class Changes:
    """Names of changed series, by kind of change.

    Attributes
    ----------
    new, vanished : series that are missing at the previous origin, or only present there
    late : series that end before the origin
    restated : number of values that differ from earlier vintages
    gone : number of values that are no longer in the data
    columns : columns that are no longer in the file, even if the run does not use them
    outside : series whose newest values are far outside the range of the earlier ones
    level, variance : series whose newest values have another mean, or a larger variance
    """

    new: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    restated: int = 0
    gone: int = 0
    columns: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    level: list[str] = field(default_factory=list)
    variance: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the changes that were found, for ``record.json``."""
        return {name: value for name, value in asdict(self).items() if value}

    def lines(self) -> list[str]:
        """Return a sentence for each kind of change."""
        words = {
            "new": "new", "vanished": "vanished", "late": "without values at the origin",
            "outside": "with values outside the range seen before",
            "level": "with a shift in level", "variance": "with a shift in variance",
        }  # fmt: skip
        found = [
            f"{plural(len(names), 'series')} {text}: {_listed(names)}"
            for key, text in words.items()
            if (names := getattr(self, key))
        ]
        if self.columns:
            found.append(f"{plural(len(self.columns), 'column')} gone: {_listed(self.columns)}")
        if self.restated:
            found.append(f"{plural(self.restated, 'value')} restated")
        if self.gone:
            found.append(f"{plural(self.gone, 'value')} no longer in the data")
        return found


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:LISTED])
    return shown + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def describe(history: pd.DataFrame, season: int) -> pd.DataFrame:
    """Return statistics of each series: the content of ``series.parquet``.

    Columns: ``unique_id``, ``last`` (time), ``rows``, ``scale`` (in-sample mean absolute error of
    the seasonal naive forecast, as in MASE), ``low``, ``high``; for the :data:`RECENT` newest
    values and for all earlier ones ``recent``, ``before`` (means), ``recent_spread``,
    ``before_spread`` (standard deviations), ``recent_low``, ``recent_high``, ``before_low``,
    ``before_high``.

    Parameters
    ----------
    history : ``unique_id``, ``ds``, ``y``, sorted by series and time
    """
    groups = history.groupby("unique_id", sort=False, observed=True)
    from_end = groups.cumcount(ascending=False)
    newest, older = history[from_end < RECENT], history[from_end >= RECENT]
    table = groups.agg(last=("ds", "max"), rows=("y", "size"), low=("y", "min"), high=("y", "max"))
    for name, part in (("recent", newest), ("before", older)):
        values = part.groupby("unique_id", observed=True)["y"]
        table[name], table[f"{name}_spread"] = values.mean(), values.std()
        table[f"{name}_low"], table[f"{name}_high"] = values.min(), values.max()
    ids = table.index.to_numpy()
    table["scale"] = naive_scale(history, ids, season)
    return table.rename_axis("unique_id").reset_index().astype({"unique_id": str})


def find(series: pd.DataFrame, before: pd.DataFrame | None, origin: Any) -> Changes:
    """Compare the series at an origin with those at the previous one.

    Parameters
    ----------
    series, before : tables of :func:`describe`; `before` is None at the first origin
    origin : end of the data
    """
    found = Changes()
    names = series["unique_id"]
    if before is not None:
        earlier = set(before["unique_id"])
        found.new = [name for name in names if name not in earlier]
        found.vanished = sorted(earlier - set(names))
    found.late = names[series["last"] < origin].tolist()
    width = series["before_high"] - series["before_low"]
    margin = width.clip(lower=0) * 0.5
    far = (series["recent_high"] > series["before_high"] + margin) | (
        series["recent_low"] < series["before_low"] - margin
    )
    found.outside = names[far & (width > 0)].tolist()
    # Standard error of the mean of RECENT values without any change. Trend and season make it too
    # small, so the threshold is wide.
    error = series["before_spread"] / np.sqrt(RECENT)
    moved = (series["recent"] - series["before"]).abs() > LEVEL * error
    wider = series["recent_spread"] > SPREAD * series["before_spread"]
    enough = (series["rows"] >= 3 * RECENT) & (error > 0)
    found.level = names[moved & enough & far].tolist()
    found.variance = names[wider & enough].tolist()
    return found
