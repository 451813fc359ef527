"""Converting the tables of a run to the common format of the plots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from forerun.base.errors import UserError
from forerun.evaluation.arrays import ORDER, sorted_by

Frames = Mapping[str, pd.DataFrame] | pd.DataFrame
"""Results of several models: a frame per model, or one frame with a column per model."""

KEYS = ("unique_id", "ds", "cutoff", "y", "chosen")
_INTERVAL = re.compile(r"^(?P<model>.+)-(?P<side>lo|hi)-(?P<level>\d+(?:\.\d+)?)$")


def intervals(frame: pd.DataFrame, model: str) -> dict[float, tuple[str, str]]:
    """Return ``{level: (lower column, upper column)}`` of a model, the widest level first."""
    found: dict[float, dict[str, str]] = {}
    for column in frame.columns:
        match = _INTERVAL.match(str(column))
        if match and match["model"] == model:
            found.setdefault(float(match["level"]), {})[match["side"]] = column
    pairs = {level: (sides["lo"], sides["hi"]) for level, sides in found.items() if len(sides) == 2}
    return dict(sorted(pairs.items(), reverse=True))


def by_model(frames: Frames | None) -> dict[str, pd.DataFrame]:
    """Return one frame per model: keys, the model's column, its intervals.

    Parameters
    ----------
    frames
        Mapping of model to frame, or a wide frame. Frames without rows (failed models) and models
        without values are omitted.
    """
    if frames is None:
        return {}
    if isinstance(frames, pd.DataFrame):
        names = [
            str(column)
            for column in frames.columns
            if column not in KEYS and not _INTERVAL.match(str(column))
        ]
        frames = dict.fromkeys(names, frames)
    result = {}
    for model, frame in frames.items():
        if model in frame.columns and len(frame) and frame[model].notna().any():
            sides = [column for pair in intervals(frame, model).values() for column in pair]
            kept = [key for key in KEYS if key in frame.columns]
            columns = [*kept, model, *sides]
            result[model] = frame if set(frame.columns) == set(columns) else frame[columns]
    return result


def same_time(frame: pd.DataFrame, like: pd.Series | None) -> pd.DataFrame:
    """Return the frame with times as in `like`: strings from a CSV file become time stamps."""
    changed = {}
    for column in ("ds", "cutoff"):
        if column not in frame or pd.api.types.is_numeric_dtype(frame[column]):
            continue
        if pd.api.types.is_datetime64_any_dtype(frame[column]):
            continue
        numeric = like is not None and pd.api.types.is_numeric_dtype(like)
        changed[column] = (pd.to_numeric if numeric else pd.to_datetime)(frame[column])
    return frame.assign(**changed) if changed else frame


def in_order(history: pd.DataFrame) -> pd.DataFrame:
    """Return ``unique_id, ds, y`` sorted by series and time; without a copy if it is sorted."""
    keys = ["unique_id", "ds"]
    frame = history[[*keys, "y"]] if list(history.columns) != [*keys, "y"] else history
    return sorted_by(frame, keys)


def keys_of(frame: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return the key columns of a table that it has, for :class:`Computed`."""
    names = ("unique_id", "ds", "cutoff")
    return tuple(frame[name].to_numpy() for name in names if name in frame)


def as_text(ids: pd.Series) -> pd.Series:
    """Return names of series as strings; categories are kept as they need less memory."""
    kinds = ids.cat.categories if isinstance(ids.dtype, pd.CategoricalDtype) else ids
    plain = pd.api.types.is_object_dtype(kinds) or pd.api.types.is_string_dtype(kinds)
    return ids if plain else ids.astype(str)


def select(frame: pd.DataFrame, unique_ids: Iterable[object]) -> pd.DataFrame:
    """Return the rows of some series, with ``unique_id`` as strings."""
    ids = as_text(frame["unique_id"])
    part = frame[ids.isin([str(value) for value in unique_ids])]
    return part.assign(unique_id=part["unique_id"].astype(str))


def one_series(frame: pd.DataFrame, unique_id: object) -> pd.DataFrame:
    """Return the rows of one series in the order of time."""
    return same_time(select(frame, [unique_id]), None).sort_values("ds", kind="stable")


def observed(history: pd.DataFrame, unique_id: object) -> pd.DataFrame:
    """Return ``ds, y`` of a series up to its last observation.

    The frozen data have known future values of other columns in rows after the last ``y``.
    """
    part = one_series(history, unique_id)[["ds", "y"]].reset_index(drop=True)
    positions = np.flatnonzero(part["y"].notna().to_numpy())
    return part.iloc[: positions[-1] + 1] if len(positions) else part.iloc[:0]


def pick(models: Iterable[str] | None, frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the models to draw: the requested ones that have results, otherwise all."""
    chosen = list(frames) if models is None else [name for name in models if name in frames]
    if not chosen:
        asked = "" if models is None else f" of {', '.join(models)}"
        raise UserError(f"there is nothing to draw: no results{asked} in the tables given")
    return chosen


def values(frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as floats, with infinities as NaN."""
    array = frame[column].to_numpy(dtype=float, na_value=np.nan).copy()
    array[~np.isfinite(array)] = np.nan
    return array


def with_step(cv: pd.DataFrame) -> pd.DataFrame:
    """Return cross-validation results with ``step``: 1 for the first time after the cutoff."""
    cv = sorted_by(same_time(cv, None), ORDER)
    return cv.assign(step=cv.groupby(["unique_id", "cutoff"], sort=False).cumcount() + 1)


def count_windows(cv: pd.DataFrame) -> int:
    """Return the number of windows of a series; cutoffs may differ between series."""
    return int(cv.groupby("unique_id", observed=True)["cutoff"].nunique().max())
