"""One training job: run its piece in a child process, leave a product and an outcome."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun import isolate
from forerun.files import write_json
from forerun.yaml_files import load_yaml

#: How often a job that is killed as a whole (not only its child) is tried before it counts as
#: failed. The rules' `retries` is the same number: the last retry only writes that down.
TRIES = 2


@dataclass
class Piece:
    """What a training job has to do; see :func:`forerun.isolate.run` for the fields."""

    function: str
    arguments: dict[str, Any]
    product: str
    run: str
    model: str
    outcome: str
    log: str
    threads: int = 1
    max_time: float | None = None
    log_file: str | None = None
    failures: int = 0
    tries: int = 1


def perform(piece: Piece) -> dict[str, Any]:
    """Do the piece. Whatever happens, the outcome is written; a failure leaves an empty product."""
    labels = {"run": piece.run, "model": piece.model, "stage": piece.function}
    if piece.tries > TRIES:
        result = _killed(piece)
    else:
        result = isolate.run(
            f"forerun.training:{piece.function}",
            piece.arguments,
            piece.outcome,
            piece.log,
            progress=piece.log.removesuffix(".log") + ".progress.json",
            labels=labels,
            imports=["forerun.training", _engine(piece)],
            threads=piece.threads,
            max_time=piece.max_time,
            attempt=piece.failures + 1,
            log_file=piece.log_file,
        )
    if result["status"] == "failed":
        _placeholder(piece.product)
        error = result["error"]
        line = f"forerun: {piece.run} {piece.model} {piece.function} failed: {error['message']}"
        print(f"{line} (log: {piece.log})", file=sys.stderr, flush=True)
    return result


def _engine(piece: Piece) -> str:
    """The module of the model's engine: what the child has to import."""
    from forerun.engines.base import MODULES

    settings = load_yaml(piece.arguments["config"])
    items = [*settings["baselines"], *settings["models"]]
    return MODULES[next(item["engine"] for item in items if item["name"] == piece.model)]


def _killed(piece: Piece) -> dict[str, Any]:
    """Write the outcome of a job that was killed each time before it could write one itself."""
    message = (
        f"the job was killed {TRIES} times before it could report (SIGKILL; most often too little "
        "memory or a time limit of the cluster): give it more with --set-resources"
    )
    result = {
        "status": "failed",
        "error": {"class": "JobKilled", "message": message},
        "peak_memory_mb": None,
        "stage": piece.function,
        "seconds": 0.0,
        "attempts": piece.failures + TRIES,
        "log": piece.log,
        "started_at": isolate.now(),
        "finished_at": isolate.now(),
    }
    write_json(piece.outcome, result)
    return result


def _placeholder(product: str) -> None:
    """Make the product of a piece that failed: an empty folder, or a table without rows."""
    path = Path(product)
    if path.suffix != ".parquet":
        path.mkdir(parents=True, exist_ok=True)
        return
    import pandas as pd

    from forerun.files import write_parquet

    write_parquet(path, pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y"]))
