"""Put the pieces of one model together: its cross-validation results and its status."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forerun.base.bounded import Damaged
from forerun.base.files import write_csv, write_json
from forerun.config.frozen import read_frozen
from forerun.evaluation.arrays import sorted_results
from forerun.evaluation.intervals import complete_results
from forerun.evaluation.metrics import KEYS, means, score
from forerun.forecasting.training import read_history
from forerun.jobs.benchmark_files import correct, read_benchmark
from forerun.runs.json_files import read_outcome


def collect(
    model: str,
    final: str,
    folds: list[str],
    results: list[str],
    benchmarks: dict[str, list[str]],
    cv_results: str,
    status: str,
    config: str,
    data: str,
) -> dict[str, Any]:
    """Write ``cv_results_<model>.csv`` and ``status/<model>.json``; return the status.

    The results get the intervals that the model does not give itself; the status gets the mean of
    each metric, so that models can be ranked before all are done.

    Parameters
    ----------
    final, folds : outcomes (JSON) of the final fit and of the cross-validation fits
    results : the Parquet files of the cross-validation fits, in the order of `folds`
    benchmarks : Snakemake's benchmark files of the stages ``train_model``, ``cross_validate``
    """
    outcomes = [_outcome(path) for path in [final, *folds]]
    failures = [piece for piece in outcomes if piece["status"] != "ok"]
    failures.sort(key=lambda piece: piece["status"] != "failed")  # rather failed than skipped
    state = {
        "model": model,
        "status": failures[0]["status"] if failures else "ok",
        "stage": failures[0]["stage"] if failures else None,
        "error": failures[0]["error"] if failures else None,
        "log": failures[0]["log"] if failures else None,
        "attempts": max(piece["attempts"] for piece in outcomes),
        "reused_from": outcomes[0].get("reused_from"),
        "finished_at": max(piece["finished_at"] for piece in outcomes),
    }
    state |= _costs(outcomes, benchmarks)
    if failures:
        frame = pd.DataFrame(columns=[*KEYS, model])
    else:
        settings = read_frozen(config)
        history = read_history(data)
        frame = pd.concat([pd.read_parquet(path) for path in results], ignore_index=True)
        frame = complete_results(sorted_results(frame), model, history, settings)
        state["scores"] = means(score(frame, model, history, settings), model)
    write_csv(cv_results, frame)
    write_json(status, state)
    return state


def _outcome(path: str) -> dict[str, Any]:
    """Read the outcome of a fit; refuse a damaged one."""
    found = read_outcome(path)
    if not found:
        raise Damaged(f"{path}: is damaged; remove it to have this fit made again")
    nothing = {"error": None, "stage": None, "log": None, "peak_memory_mb": None}
    return {**nothing, "attempts": 1, "seconds": 0.0, "finished_at": "", **found}


def _costs(
    outcomes: list[dict[str, Any]], benchmarks: dict[str, list[str]]
) -> dict[str, float | None]:
    """Seconds and memory from the benchmark files; from the outcomes where one is missing."""
    train, *cv = outcomes
    paths = [*benchmarks.get("train_model", []), *benchmarks.get("cross_validate", [])]
    for path, piece in zip(paths, outcomes, strict=False):
        if piece.get("usage"):
            correct(path, 0, piece["usage"])  # Snakemake did not see the process that worked
    measured = {stage: [read_benchmark(p) for p in paths] for stage, paths in benchmarks.items()}
    pairs = [
        (measured.get("train_model", [{}])[0], train),
        *zip(measured.get("cross_validate", [{}] * len(cv)), cv, strict=True),
    ]
    # A job whose child was forked for it may have waited for that: the child's seconds count.
    seconds = [
        piece["seconds"] if piece.get("usage") else bench.get("seconds", piece["seconds"])
        for bench, piece in pairs
    ]
    memory = [bench.get("peak_memory_mb", piece["peak_memory_mb"]) for bench, piece in pairs]
    known = [value for value in memory if value is not None]
    return {
        "train_seconds": round(seconds[0], 2),
        "cv_seconds": round(sum(seconds[1:]), 2),
        "peak_memory_mb": max(known) if known else None,
    }
