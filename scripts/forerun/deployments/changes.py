"""What has changed in the data since the last origin: said, never passed over.

Each check has a threshold that a person can follow; none of them stops a forecast except data
from which nothing can be forecast, which reading them refuses.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forerun.base.text import plural
from forerun.evaluation.scales import naive_scale

#: Newest observations that are compared with all before, and how far the level may move.
RECENT, LEVEL, SPREAD = 8, 4.0, 3.0
#: Most series that are named.
LISTED = 5


@dataclass
class Changes:
    """Names of series, by what happened to them.

    Attributes
    ----------
    new, vanished : series that the last origin did not have, or only it had
    late : series that end before the origin
    restated : values that differ from what was known before
    gone : values that are no longer in the data
    columns : columns of the file that are gone, whether the run uses them or not
    outside : series with newest values far outside the range of the values before
    level, variance : series whose newest values lie elsewhere, or spread more, than those before
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
        """Return what there is to say, for ``record.json``."""
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
    """Return what is known of each series: the content of ``series.parquet``.

    Columns: ``unique_id``, ``last`` (time), ``rows``, ``scale`` (mean absolute error of the
    seasonal naive forecast in sample, as MASE has it), ``low``, ``high``, and of the
    :data:`RECENT` newest values and of all before: ``recent``, ``before`` (means),
    ``recent_spread``, ``before_spread`` (standard deviations).

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
    """Compare the series at an origin with those at the origin before (None: there is none)."""
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
    # The error of a mean of RECENT values, if they were like those before; trends and seasons
    # make it too small, hence the wide threshold.
    error = series["before_spread"] / np.sqrt(RECENT)
    moved = (series["recent"] - series["before"]).abs() > LEVEL * error
    wider = series["recent_spread"] > SPREAD * series["before_spread"]
    enough = (series["rows"] >= 3 * RECENT) & (error > 0)
    found.level = names[moved & enough & far].tolist()
    found.variance = names[wider & enough].tolist()
    return found
