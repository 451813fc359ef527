"""Naive forecasts of series that a statistical model cannot forecast, and a list of them.

Most such series are shorter than a season at a cutoff: SeasonalNaive returns NaN, AutoETS fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from forerun.config.names import FALLBACK

#: ``history -> forecasts`` of some series.
Work = Callable[[pd.DataFrame], pd.DataFrame]
#: The table of replaced forecasts next to a fit's outcome: ``unique_id`` and ``cutoff``.
TABLE = "fallback"


def replace(
    frame: pd.DataFrame, model: str, history: pd.DataFrame, naive: Work
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replace forecasts that are NaN or infinite, unless all are.

    Parameters
    ----------
    frame : ``unique_id``, ``ds``, perhaps ``cutoff``, and the columns of the model
    history : ``unique_id``, ``ds``, ``y``...: the model's input
    naive : returns naive forecasts of the series in a part of `history`, columns as in `frame`

    Returns
    -------
    frame : with naive forecasts in place of missing ones
    replaced : ``unique_id``, perhaps ``cutoff``, of the replaced forecasts
    """
    keys = [name for name in ("unique_id", "cutoff") if name in frame.columns]
    columns = [name for name in frame.columns if name == model or name.startswith(f"{model}-")]
    bad = ~np.isfinite(frame[model].to_numpy(dtype=float))
    groups = frame.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    whole = np.isin(groups, groups[bad])
    replaced = frame.loc[whole, keys].drop_duplicates(ignore_index=True)
    if whole.any() and not whole.all():
        some = history[history["unique_id"].isin(replaced["unique_id"])]
        given = naive(some).set_index([*keys, "ds"])[columns]
        place = pd.MultiIndex.from_frame(frame.loc[whole, [*keys, "ds"]])
        frame = frame.copy()
        frame.loc[whole, columns] = given.reindex(place).to_numpy()
    else:
        replaced = replaced.iloc[:0]
    return _with_intervals(frame, model, columns), replaced


def _with_intervals(frame: pd.DataFrame, model: str, columns: Iterable[str]) -> pd.DataFrame:
    """Fill missing interval limits with the median width of the other forecasts.

    Widths are relative to the size of the forecasts.
    """
    point = frame[model].to_numpy(dtype=float)
    size = np.where(point == 0, np.nan, np.abs(point))
    for name in columns:
        limit = frame[name].to_numpy(dtype=float)
        unknown = ~np.isfinite(limit) & np.isfinite(point)
        if name != model and unknown.any():
            relative = (limit - point) / size
            usual = np.nanmedian(relative) if np.isfinite(relative).any() else 0.0
            frame = frame.assign(**{name: np.where(unknown, point + usual * np.abs(point), limit)})
    return frame


def note(replaced: pd.DataFrame) -> str:
    """Return the line for log and leaderboard; empty if nothing was replaced."""
    ids = sorted(replaced["unique_id"].astype(str).unique())
    if not ids:
        return ""
    which = f"series '{ids[0]}'" if len(ids) == 1 else f"{len(ids)} series, e.g. '{ids[0]}'"
    return f"{FALLBACK} {which}, too short or unusual for this model"
