"""Scores of the models of a run and of their combinations, and their ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.bounded import Damaged
from forerun.base.files import write_csv, write_json
from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.config.names import FORMER
from forerun.data.forecastable import without_forecasts
from forerun.evaluation.measures import Measures
from forerun.evaluation.metrics import leaderboard
from forerun.evaluation.scoring import Scored, score_all
from forerun.runs.outcome import Failure, ModelStatus
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import VALUES, read_history
from forerun.runs.state import NO_FORECAST
from forerun.runs.tables import read_cv_results


def score(
    config: str,
    models: Sequence[str],
    cv_results: Sequence[str],
    statuses: Sequence[str],
    outputs: Mapping[str, str],
) -> None:
    """Score the models and write the files `outputs`.

    Parameters
    ----------
    models : names of the models of the files `cv_results` and `statuses`, in the same order
    outputs : paths of ``metrics``, ``leaderboard``, ``ensemble`` (the weights), and of the
        cross-validation results ``cv_per_series`` and ``cv_ensemble``
    """
    states = {model: _status(path) for model, path in zip(models, statuses, strict=True)}
    results = dict(zip(models, cv_results, strict=True))
    run = RunPaths(Path(config).parent)
    scored, table = ranked(run, read_frozen(config), states, results, read_cv_results)
    for name, frame in scored.results.items():
        write_csv(outputs[f"cv_{name}"], frame)
    write_json(outputs["ensemble"], scored.record)
    write_csv(outputs["metrics"], scored.metrics)
    write_csv(outputs["leaderboard"], table)
    for former in FORMER:  # an unfinished run of an earlier version is scored again
        Path(outputs["metrics"]).with_name(f"cv_results_{former}.csv").unlink(missing_ok=True)


def ranked(
    run: RunPaths,
    settings: dict[str, Any],
    states: dict[str, ModelStatus],
    results: Mapping[str, Any],
    read: Callable[[Any], pd.DataFrame],
) -> tuple[Scored, pd.DataFrame]:
    """Return the scores of the models that did not fail, and the leaderboard.

    The combinations use only models that can forecast, so that scores and forecasts are of the same
    ensemble; of a network with several seeds they use the mean.

    Parameters
    ----------
    states : status of each model
    results, read : where cross-validation results of each model are, and how to read them
    """
    history = read_history(run.data, VALUES)
    measures = Measures.of(settings, run.folder)
    good = {model: results[model] for model, status in states.items() if status.is_ok}
    silent = without_forecasts(settings, run.data)
    parts = {spec.name for spec in specs(settings) if spec.member_of}
    members = [name for name in good if name not in silent and name not in parts]
    scored = score_all(good, history, settings, members, measures, read)
    states = states | {
        model: replace(states[model], status=NO_FORECAST, error=Failure(message=reason))
        for model, reason in silent.items()
        if model in good
    }
    table = leaderboard(scored.metrics, states | scored.states, settings, measures)
    return scored, table


def _status(path: str) -> ModelStatus:
    if status := ModelStatus.read(path):
        return status
    raise Damaged(f"{path}: is damaged; remove it to create it again")
