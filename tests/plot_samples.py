"""Small synthetic tables in the format of a run's files, for plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from utilsforecast.data import generate_series

LONG_NAME = "warehouse north / household goods and garden / item 4711 §$%"
assert len(LONG_NAME) == 60


@dataclass
class Sample:
    """The arguments of ``write_all``."""

    history: pd.DataFrame
    cv: dict[str, pd.DataFrame]
    predictions: dict[str, pd.DataFrame]
    leaderboard: pd.DataFrame
    settings: dict[str, Any]

    @property
    def first(self) -> str:
        """The first series."""
        return str(self.history["unique_id"].iloc[0])


def sample(
    models: int = 3,
    series: int = 2,
    horizon: int = 4,
    windows: int = 2,
    levels: tuple[int, ...] = (80,),
    integer: bool = False,
    names: list[str] | None = None,
    special: bool = True,
) -> Sample:
    """Make series with a trend and a season, and models with increasing errors."""
    history = generate_series(
        series, freq="D", min_length=60, max_length=70, with_trend=True, equal_ends=True, seed=1
    )
    kept = names or [f"series {index}" for index in range(series)]
    history["unique_id"] = [kept[int(code)] for code in history["unique_id"].cat.codes]
    history["y"] += 1.0
    if integer:
        history["ds"] = history.groupby("unique_id").cumcount() + 1
    plain = [f"Model{i:02d}" if i % 3 else f"a_long_name_of_a_model_{i:02d}" + 30 * "x"
             for i in range(models)]  # fmt: skip
    cv, future = {}, {}
    for rank, model in enumerate(plain):
        cv[model] = _tests(history, model, rank, horizon, windows, levels)
        future[model] = _future(history, model, rank, horizon, levels, integer)
    board = pd.DataFrame({
        "model": plain, "rank": range(1, models + 1), "mae": [1.0 + i for i in range(models)],
        "skill": [0.5 - i / 10 for i in range(models)], "train_seconds": 61.0, "status": "ok",
    })  # fmt: skip
    if special:
        future["ensemble"] = future[plain[0]][["unique_id", "ds"]].assign(
            ensemble=np.mean([future[model][model].to_numpy() for model in plain], axis=0)
        )
        future["per_series"] = (
            future[plain[0]].rename(columns=lambda name: name.replace(plain[0], "per_series"))
        ).assign(chosen=plain[0])
    settings = {"season_length": 7, "horizon": horizon, "sort_metric": "mae", "plot_series": 2}
    return Sample(history, cv, future, board, settings)


def _tests(
    history: pd.DataFrame,
    model: str,
    rank: int,
    horizon: int,
    windows: int,
    levels: tuple[int, ...],
) -> pd.DataFrame:
    parts = []
    for _, rows in history.groupby("unique_id", sort=True):
        for window in range(windows, 0, -1):
            start = len(rows) - window * horizon
            part = rows.iloc[start : start + horizon][["unique_id", "ds", "y"]].copy()
            part.insert(2, "cutoff", rows["ds"].iloc[start - 1])
            part[model] = part["y"] + 0.1 * (rank + 1) * np.arange(1, horizon + 1)
            parts.append(_add_levels(part, model, levels))
    return pd.concat(parts, ignore_index=True)


def _future(
    history: pd.DataFrame,
    model: str,
    rank: int,
    horizon: int,
    levels: tuple[int, ...],
    integer: bool,
) -> pd.DataFrame:
    parts = []
    for unique_id, rows in history.groupby("unique_id", sort=True):
        last = rows["ds"].iloc[-1]
        steps = np.arange(1, horizon + 1)
        times = last + steps if integer else last + pd.to_timedelta(steps, unit="D")
        values = rows["y"].to_numpy()[-7:][:horizon] + 0.2 * rank
        part = pd.DataFrame({"unique_id": unique_id, "ds": times, model: values})
        parts.append(_add_levels(part, model, levels))
    return pd.concat(parts, ignore_index=True)


def _add_levels(part: pd.DataFrame, model: str, levels: tuple[int, ...]) -> pd.DataFrame:
    for level in levels:
        part[f"{model}-lo-{level}"] = part[model] - level / 100
        part[f"{model}-hi-{level}"] = part[model] + level / 100
    return part
