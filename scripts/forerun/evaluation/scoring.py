"""Scoring of all models of a run and of their combinations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pandas as pd

from forerun.config.names import COMBINED
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.intervals import complete_results
from forerun.evaluation.measures import Measures
from forerun.evaluation.metrics import KEYS, score, side_by_side
from forerun.evaluation.recipes import stack
from forerun.evaluation.selection import combine
from forerun.runs.outcome import ModelStatus
from forerun.runs.tables import read_cv_results


@dataclass
class Scored:
    """Scores of all models of a run.

    Attributes
    ----------
    metrics : ``unique_id``, ``metric``, one column for each model, ``per_series`` and ``ensemble``
    results : cross-validation results of ``per_series`` and ``ensemble``
    record : content of ``ensemble.json``
    states : status of ``per_series`` and ``ensemble``
    """

    metrics: pd.DataFrame
    results: dict[str, pd.DataFrame]
    record: dict[str, Any]
    states: dict[str, ModelStatus]


def score_all(
    sources: Mapping[str, Any],
    history: pd.DataFrame,
    settings: dict[str, Any],
    members: Collection[str] | None = None,
    measures: Measures | None = None,
    read: Callable[[Any], pd.DataFrame] = read_cv_results,
) -> Scored:
    """Score the models with cross-validation results at `sources`, and their combinations.

    Models are read one at a time; only their point forecasts are kept in memory.

    Parameters
    ----------
    members : models that the combinations may use (those that can forecast); all by default
    measures : how errors of the run are measured; see :func:`~forerun.evaluation.metrics.score`
    read : how to read the results of a model; by default from a ``cv_results_<model>.csv``
    """
    keys: list[pd.DataFrame] = []
    columns: dict[str, npt.NDArray[Any]] = {}

    def scores() -> Iterator[pd.DataFrame]:
        for model, source in sources.items():
            frame = sorted_results(read(source))
            keys[:] = keys or [frame[KEYS]]
            if members is None or model in members:
                columns[model] = _aligned(frame, model, keys[0])
            yield score(frame, model, history, settings, measures)

    tables = list(scores())
    if not columns:
        results = {name: pd.DataFrame(columns=[*KEYS, name]) for name in COMBINED}
        return Scored(side_by_side(tables, settings), results, {}, {})
    columns = dict(sorted(columns.items()))  # sums depend on their order in the last digit
    stacked = stack(keys[0], columns, history, settings, measures)
    combined = combine(stacked, settings)
    results = {}
    for name in COMBINED:
        frame = combined.results[name]
        frame = complete_results(frame, name, history, settings) if len(frame) else frame
        results[name] = frame
        if len(frame):
            tables.append(score(frame, name, history, settings, measures))
    status = ModelStatus(status="ok", note=combined.record["note"])
    states = dict.fromkeys(COMBINED, status)
    return Scored(side_by_side(tables, settings), results, combined.record, states)


def _aligned(frame: pd.DataFrame, model: str, keys: pd.DataFrame) -> npt.NDArray[Any]:
    """Return a model's forecasts for the rows of `keys`; NaN for missing ones."""
    same = len(frame) == len(keys) and all(
        (frame[name].to_numpy() == keys[name].to_numpy()).all() for name in KEYS[:3]
    )
    if not same:
        frame = keys.merge(frame[[*KEYS[:3], model]], on=KEYS[:3], how="left")
    return frame[model].to_numpy()
