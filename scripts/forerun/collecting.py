"""Put the pieces of one model together: its cross-validation results and its status."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forerun.files import read_json, write_csv, write_json
from forerun.metrics import KEYS, read_benchmark


def collect(
    model: str,
    final: str,
    folds: list[str],
    results: list[str],
    benchmarks: dict[str, list[str]],
    cv_results: str,
    status: str,
) -> dict[str, Any]:
    """Write ``cv_results_<model>.csv`` and ``status/<model>.json``; return the status.

    Parameters
    ----------
    final, folds : outcomes (JSON) of the final fit and of the cross-validation fits
    results : the Parquet files of the cross-validation fits, in the order of `folds`
    benchmarks : Snakemake's benchmark files of the stages ``train_model``, ``cross_validate``
    """
    outcomes = [read_json(path) for path in [final, *folds]]
    failures = [piece for piece in outcomes if piece["status"] == "failed"]
    state = {
        "model": model,
        "status": "failed" if failures else "ok",
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
        frame = pd.concat([pd.read_parquet(path) for path in results], ignore_index=True)
        frame = frame.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    write_csv(cv_results, frame)
    write_json(status, state)
    return state


def _costs(
    outcomes: list[dict[str, Any]], benchmarks: dict[str, list[str]]
) -> dict[str, float | None]:
    """Seconds and memory from the benchmark files; from the outcomes where one is missing."""
    train, *cv = outcomes
    measured = {stage: [read_benchmark(p) for p in paths] for stage, paths in benchmarks.items()}
    pairs = [
        (measured.get("train_model", [{}])[0], train),
        *zip(measured.get("cross_validate", [{}] * len(cv)), cv, strict=True),
    ]
    seconds = [bench.get("seconds", piece["seconds"]) for bench, piece in pairs]
    memory = [bench.get("peak_memory_mb", piece["peak_memory_mb"]) for bench, piece in pairs]
    known = [value for value in memory if value is not None]
    return {
        "train_seconds": round(seconds[0], 2),
        "cv_seconds": round(sum(seconds[1:]), 2),
        "peak_memory_mb": max(known) if known else None,
    }

