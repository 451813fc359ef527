"""Collection of the fits of a model: its cross-validation results and its status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.bounded import Damaged
from forerun.base.files import write_csv
from forerun.config import seeds, weight_folders
from forerun.config.frozen import read_frozen
from forerun.config.models import spec
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.intervals import complete_results
from forerun.evaluation.measures import Measures
from forerun.evaluation.metrics import KEYS, means, score
from forerun.forecasting.engines import fallback
from forerun.jobs.benchmark_files import correct, read_benchmark
from forerun.runs.fit import Fit, fits
from forerun.runs.outcome import ModelStatus, Outcome
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import VALUES, read_history
from forerun.runs.tables import read_frame


def collect(run: RunPaths, model: str) -> ModelStatus:
    """Write ``cv_results_<model>.csv`` and ``status/<model>.json``; return the status.

    The status includes the mean of each metric, so that models can be ranked before all are
    completed.
    """
    settings = read_frozen(run.config)
    every = {fit: _outcome(fit) for fit in fits(run, settings, model)}
    frame, status = collected(run, settings, model, every)
    costs = _costs(every, is_mean=bool(spec(settings, model).members))
    status = replace(status, **costs)
    write_csv(run.cv_results(model), frame)
    status.write(run.status(model))
    return status


def collected(
    run: RunPaths, settings: dict[str, Any], model: str, every: Mapping[Fit, Outcome]
) -> tuple[pd.DataFrame, ModelStatus]:
    """Return a model's cross-validation results, and its status without costs.

    Intervals that the model does not provide are added to the results.

    Parameters
    ----------
    every : outcomes of its fits; the final fit may be missing
    """
    unfinished = [outcome for outcome in every.values() if not outcome.is_ok]
    scores: dict[str, float | None] = {}
    if unfinished:
        frame = pd.DataFrame(columns=[*KEYS, model])
    else:
        history = read_history(run.data, VALUES)
        tables = [pd.read_parquet(fit.product_path) for fit in every if fit.fold is not None]
        one = len(tables) == 1  # which concatenation would copy
        frame = sorted_results(tables[0] if one else pd.concat(tables, ignore_index=True))
        frame = complete_results(frame, model, history, settings)
        measures = Measures.of(settings, run.folder)
        scores = means(score(frame, model, history, settings, measures), model, measures)
    unfinished.sort(key=lambda outcome: outcome.status != "failed")  # failed before skipped
    worst = unfinished[0] if unfinished else Outcome(status="ok")
    final = every.get(Fit(run, model))
    return frame, ModelStatus(
        model=model,
        status=worst.status,
        stage=worst.stage,
        error=worst.error,
        note=_note(settings, model, every),
        log=worst.log,
        attempts=max(outcome.attempts for outcome in every.values()),
        reused_from=final.reused_from if final else None,
        finished_at=max(outcome.finished_at for outcome in every.values()),
        scores=scores,
    )


def collect_model(folder: str, model: str) -> None:
    """Collect the fits of a model of the run in `folder`."""
    collect(RunPaths(Path(folder)), model)


def _outcome(fit: Fit) -> Outcome:
    """Read the outcome of a fit; refuse a damaged one."""
    if outcome := fit.outcome():
        return outcome
    raise Damaged(f"{fit.outcome_path}: is damaged; remove it to run this fit again")


def _note(settings: dict[str, Any], model: str, fits: Iterable[Fit]) -> str | None:
    """Return notes on series that the model could not forecast, pretrained weights, and seeds."""
    own = spec(settings, model)
    notes = (_fallback(fits), weight_folders.note(own), seeds.note(own))
    return "; ".join(note for note in notes if note) or None


def _fallback(fits: Iterable[Fit]) -> str:
    """Return a note on the series that the model could not forecast; empty if there are none."""
    tables = [
        read_frame(path, texts=("unique_id",), times=("cutoff",))
        for fit in fits
        if (path := fit.kept_path(fallback.TABLE)).is_file()
    ]
    return fallback.note(pd.concat(tables)) if tables else ""


def _costs(outcomes: dict[Fit, Outcome], is_mean: bool) -> dict[str, Any]:
    """Return time and memory from the benchmark files, or from the outcomes if one is missing.

    Parameters
    ----------
    is_mean : whether the model is a mean of seeds: its job takes longer to start than to compute
    """
    seconds, memory = {}, []
    for fit, outcome in outcomes.items():
        forked = bool(outcome.usage)  # Snakemake did not see the process
        if forked:
            correct(str(fit.benchmark_path), 0, dict(outcome.usage))
        measured = read_benchmark(fit.benchmark_path)
        # A job may have waited for the server to fork: use the seconds of the child.
        inside = forked or is_mean
        seconds[fit] = outcome.seconds if inside else measured.get("seconds", outcome.seconds)
        memory.append(measured.get("peak_memory_mb", outcome.peak_memory_mb))
    measured_memory = [value for value in memory if value is not None]
    return {
        "train_seconds": round(sum(seconds[fit] for fit in seconds if fit.fold is None), 2),
        "cv_seconds": round(sum(seconds[fit] for fit in seconds if fit.fold is not None), 2),
        "peak_memory_mb": max(measured_memory, default=None),
    }
