"""Tables of many series for networks: in less memory, and some series at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from neuralforecast.common._base_model import BaseModel

from forerun.data.panel import series_starts, starts_of

if TYPE_CHECKING:
    from neuralforecast import NeuralForecast

#: Number of series that a univariate model forecasts at once, a multiple of the usual batch size,
#: with which the forecasts do not depend on the division.
SIZE = 20_000
#: The same for cross-validation, which needs more memory for each series.
SIZE_OF_WINDOWS = 6_400


def compact(history: pd.DataFrame) -> pd.DataFrame:
    """Return the table in less memory: names as categories, the target in 32 bits.

    NeuralForecast converts the target to 32 bits as well, after it has made copies.
    """
    ids = history["unique_id"].to_numpy()
    starts = series_starts(ids)
    codes = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(ids)))
    names = pd.Categorical.from_codes(codes, categories=pd.Index(ids[starts]), validate=False)
    target = history["y"].to_numpy(dtype=np.float32)
    columns = {"unique_id": names, "ds": history["ds"], "y": target}
    others = {name: history[name] for name in history if name not in columns}
    return pd.DataFrame(columns | others, copy=False)


def names(ids: pd.Series, joint: bool) -> Iterator[Any]:
    """Yield the names of at most :data:`SIZE` series at a time; None if one group has them all.

    Parameters
    ----------
    joint : whether the model forecasts all series jointly
    """
    every = ids.unique()
    if joint or len(every) <= SIZE:
        yield None
        return
    for start in range(0, len(every), SIZE):
        yield every[start : start + SIZE]


def are_possible(model: Any, history: pd.DataFrame) -> bool:
    """Return whether to cross-validate a model by groups: with many series, and the same result.

    Models that forecast all series jointly cannot; automatic ones and those with embedded
    categories are fitted to the table that they forecast.
    """
    if not isinstance(model, BaseModel) or model.MULTIVARIATE:
        return False
    if getattr(model, "cat_exog_list", None):
        return False
    return len(starts_of(history["unique_id"])) > SIZE_OF_WINDOWS


def cross_validate(
    nf: NeuralForecast,
    history: pd.DataFrame,
    static: pd.DataFrame | None,
    arguments: dict[str, Any],
) -> pd.DataFrame:
    """Forecast the windows of some series at a time with a model that is fitted already.

    Parameters
    ----------
    arguments : of ``NeuralForecast.cross_validation``
    """
    starts = starts_of(history["unique_id"])
    frames = []
    for first, end in pairwise([*starts[::SIZE_OF_WINDOWS].tolist(), len(history)]):
        some = history.iloc[first:end]
        fixed = static
        if static is not None:
            fixed = static[static["unique_id"].isin(some["unique_id"].unique())]
        frames.append(nf.cross_validation(df=some, static_df=fixed, use_fitted=True, **arguments))
    return pd.concat(frames, ignore_index=True)
