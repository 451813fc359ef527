"""One training job: run its piece in a child process, leave a product and an outcome."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.errors import is_full, no_space
from forerun.base.files import write_json
from forerun.base.parent import end_with_parent
from forerun.base.publishing import discard, sweep
from forerun.base.terminal import complain
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec
from forerun.config.models import spec as find
from forerun.jobs import fingerprint, gpus, isolate, lease, model_cache
from forerun.runs import session
from forerun.runs.outcome import Outcome

#: How often a fit is begun whose job is killed as a whole (not only its child) before it counts as
#: failed: the next try only writes that down.
TRIES = 2
#: Bytes that must be free before a fit begins.
ROOM = 1_000_000
#: The rules' `retries`. More than that, as one job may hold several fits: each needs its own tries.
RETRIES = 4


@dataclass
class Piece:
    """What a training job has to do; see :func:`forerun.jobs.isolate.run` for the fields."""

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
    reuse: bool = True
    time_limit: float | None = None
    gpu_jobs: int = 1


def perform(piece: Piece) -> dict[str, Any]:
    """Do the piece. Whatever happens, the outcome is written; a failure leaves an empty product."""
    end_with_parent()
    if session.is_orphaned(Path(piece.arguments["config"]).parent):
        sys.exit("the workflow that started this job has ended")
    path = piece.log.removesuffix(".log") + ".claim"
    try:
        with lease.held(path, count=piece.tries > 1) as claim:
            _refuse_full_disk(piece)
            if claim.waited and (made := _made_meanwhile(piece)):
                return made
            return _performed(piece, claim.deaths)
    except OSError as error:
        if not is_full(error):
            raise
        place = Path(piece.arguments["config"]).parent
        complain(f"forerun: error: {no_space(place)}")
        sys.exit(2)


def _refuse_full_disk(piece: Piece) -> None:
    """Refuse to train where the result cannot be written."""
    if shutil.disk_usage(Path(piece.arguments["config"]).parent).free < ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _made_meanwhile(piece: Piece) -> dict[str, Any] | None:
    """Return the outcome of the job that this one has waited for, if that one succeeded."""
    outcome = Outcome.read(piece.outcome)
    done = Path(piece.product).exists() and outcome is not None and outcome.is_ok
    return outcome.as_dict() if outcome and done else None


def _performed(piece: Piece, deaths: int) -> dict[str, Any]:
    """Take the product from the store, or train; neither if that has killed its job each time."""
    _clear(piece.product)
    settings = read_frozen(piece.arguments["config"])
    spec = find(settings, piece.model)
    what = _identity(piece, settings, spec)
    result = _killed(piece, deaths) if deaths >= TRIES else None
    if not result and what and (entry := model_cache.find(_store(piece), fingerprint.key(what))):
        with suppress(OSError):  # pruned in between
            result = _reused(piece, entry)
    if not result and piece.tries > RETRIES:  # nobody may have counted: no folder is shared
        result = _killed(piece, RETRIES)
    if not result:
        jobs = piece.gpu_jobs * gpus.are_used(settings, spec)
        with gpus.slot(jobs) as variables:
            result = _trained(piece, ENGINES[spec.engine].module, variables)
        if result["status"] == "ok" and what:
            with suppress(OSError):  # no room for the store is no failure of the model
                seconds = result["seconds"]
                model_cache.put(
                    _store(piece), what, piece.product, piece.run, seconds, _beside(piece)
                )
    if result["status"] != "ok" and is_full(result["error"]["message"]):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if result["status"] != "ok":
        _placeholder(piece.product)
        what_came = f"{piece.function} {result['status']}: {result['error']['message']}"
        line = f"forerun: {piece.run} {piece.model} {what_came}"
        complain(f"{line} (log: {piece.log})")
    return result


def _trained(piece: Piece, engine: str, variables: dict[str, str]) -> dict[str, Any]:
    """Do the piece in a child process, if there is time for it."""
    limit = _limit(piece)
    if limit and limit.seconds <= 0:
        return _told(piece, limit.status, "TimeLimit", limit.reason, piece.failures + 1)
    return isolate.run(
        f"forerun.forecasting.training:{piece.function}",
        piece.arguments,
        piece.outcome,
        piece.log,
        progress=piece.log.removesuffix(".log") + ".progress.json",
        labels={"run": piece.run, "model": piece.model, "stage": piece.function},
        imports=["forerun.forecasting.training", engine],
        threads=piece.threads,
        limit=limit,
        attempt=piece.failures + 1,
        log_file=piece.log_file,
        variables=variables,
    )


def _identity(piece: Piece, settings: dict[str, Any], spec: ModelSpec) -> dict[str, Any] | None:
    """What determines the piece's product; None if it is not to be shared."""
    if not piece.reuse:
        return None
    arguments = piece.arguments
    fold = arguments.get("fold")
    return fingerprint.ingredients(settings, spec, arguments["data"], fold, piece.threads)


def _store(piece: Piece) -> Path:
    """The store of the runs among which this one lies."""
    return model_cache.of_run(Path(piece.arguments["config"]).parent)


def _beside(piece: Piece) -> str:
    """The outcome without its suffix: tables that an engine keeps lie beside it."""
    return piece.outcome.removesuffix(".json")


def _reused(piece: Piece, entry: model_cache.Entry) -> dict[str, Any]:
    """Take the product from another run and write the outcome."""
    started = time.time()
    at = isolate.now()
    model_cache.take(entry, piece.product, _beside(piece))
    source = entry.info["run_id"]
    log = Path(piece.log)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"reused from run {source} (store entry {entry.key})\n", encoding="utf-8")
    result = {
        "status": "ok",
        "error": None,
        "peak_memory_mb": None,
        "stage": piece.function,
        "seconds": round(time.time() - started, 2),
        "attempts": piece.failures + 1,
        "log": piece.log,
        "started_at": at,
        "finished_at": isolate.now(),
        "reused_from": source,
    }
    write_json(piece.outcome, result)
    return result


def _clear(product: str) -> None:
    """Remove what an earlier try left when it was killed, whole or half-written.

    The claim is held, and no outcome says that the product is good.
    """
    path = Path(product)
    sweep(path.parent, only=path.name)
    if path.is_dir() and not path.is_symlink():
        discard(path)
    else:
        path.unlink(missing_ok=True)


def _killed(piece: Piece, times: int) -> dict[str, Any]:
    """Write the outcome of a job that was killed each time before it could write one itself."""
    message = (
        f"the job was killed {times} times before it could report (SIGKILL; most often too little "
        "memory or a time limit of the cluster): give it more with --set-resources"
    )
    return _told(piece, "failed", "JobKilled", message, piece.failures + times)


def _limit(piece: Piece) -> isolate.Limit | None:
    """Return what ends the fit first: its own ``max_time``, or the ``time_limit`` of the run."""
    limits = []
    if piece.max_time:
        reason = f"it ran longer than max_time: {piece.max_time:g} s and was ended"
        limits.append(isolate.Limit(piece.max_time, "failed", reason))
    lasted = session.seconds_since_start(Path(piece.arguments["config"]).parent)
    if piece.time_limit is not None and lasted is not None:
        left = piece.time_limit - lasted
        what = "not begun" if left <= 0 else f"ended after {left:.0f} s"
        reason = f"{what}: the time_limit of {piece.time_limit:g} s had passed"
        limits.append(isolate.Limit(left, "skipped", f"{reason}; the same command goes on"))
    return min(limits, key=lambda limit: limit.seconds, default=None)


def _told(piece: Piece, status: str, kind: str, message: str, attempts: int) -> dict[str, Any]:
    """Write and return the outcome of a piece that nothing was done for."""
    result = {
        "status": status,
        "error": {"class": kind, "message": message},
        "peak_memory_mb": None,
        "stage": piece.function,
        "seconds": 0.0,
        "attempts": attempts,
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

    from forerun.base.files import write_parquet

    write_parquet(path, pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y"]))
