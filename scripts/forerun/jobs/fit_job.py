"""The job of one fit: train it in a child process, or reuse an equal one; write its outcome."""

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

from forerun.base.clock import now
from forerun.base.errors import is_full, no_space
from forerun.base.files import write_text
from forerun.base.parent import end_with_parent
from forerun.base.publishing import discard, sweep
from forerun.base.terminal import complain
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec
from forerun.config.models import spec as find
from forerun.jobs import fingerprint, gpus, isolate, lease, model_cache
from forerun.runs import session
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome

#: How many times a fit is attempted when its whole job is killed (not only its child) before it
#: counts as failed: the next try only writes that down.
TRIES = 2
#: Bytes that must be free before a fit starts.
ROOM = 1_000_000
#: The rules' `retries`. More than that, as one job may hold several fits: each needs its own tries.
RETRIES = 4


@dataclass(frozen=True)
class Job:
    """A fit, and how it is carried out.

    Attributes
    ----------
    threads : torch, BLAS and numba are held to this number
    failures : how many times in a row the fit has failed
    tries : how many times Snakemake has started this job, this time included
    max_time : seconds that the fit may take
    time_limit : seconds that the call may take
    log_file : gets what the fit prints, as its log does
    reuse : whether an equal fit of another run is taken, and this one stored for others
    gpu_jobs : how many jobs share a GPU
    """

    fit: Fit
    threads: int = 1
    failures: int = 0
    tries: int = 1
    max_time: float | None = None
    time_limit: float | None = None
    log_file: str | None = None
    reuse: bool = True
    gpu_jobs: int = 1

    @property
    def folder(self) -> Path:
        return self.fit.run.folder


def perform(job: Job) -> Outcome:
    """Make the fit. Whatever happens, the outcome is written; a failure leaves an empty product."""
    end_with_parent()
    if session.is_orphaned(job.folder):
        sys.exit("the workflow that started this job has ended")
    try:
        with lease.held(job.fit.lease_path, count=job.tries > 1) as claim:
            if shutil.disk_usage(job.folder).free < ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if claim.waited and job.fit.is_completed() and (outcome := job.fit.outcome()):
                return outcome
            return _performed(job, claim.deaths)
    except OSError as error:
        if not is_full(error):
            raise
        complain(f"forerun: error: {no_space(job.folder)}")
        sys.exit(2)


def _performed(job: Job, deaths: int) -> Outcome:
    """Reuse an equal fit, or train; neither if that has killed its job each time."""
    fit = job.fit
    _clear(fit.product_path)
    settings = read_frozen(fit.run.config)
    spec = find(settings, fit.model)
    what = _identity(job, settings, spec)
    outcome = _killed(job, deaths) if deaths >= TRIES else None
    if not outcome and what:
        outcome = _reused(job, what)
    if not outcome and job.tries > RETRIES:  # nobody may have counted: no folder is shared
        outcome = _killed(job, RETRIES)
    if not outcome:
        with gpus.slot(job.gpu_jobs * gpus.are_used(settings, spec)) as variables:
            outcome = _trained(job, ENGINES[spec.engine].module, variables)
        if outcome.is_ok and what:
            store, beside = model_cache.of_run(job.folder), fit.kept_prefix
            with suppress(OSError):  # no room for the store is no failure of the model
                run_id, product = fit.run.run_id, fit.product_path
                model_cache.put(store, what, product, run_id, outcome.seconds, beside)
    if not outcome.is_ok:
        if is_full(outcome.reason):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _placeholder(fit)
        line = f"forerun: {fit.run.run_id} {fit.model} {fit.stage} {outcome.status}"
        complain(f"{line}: {outcome.reason} (log: {fit.log_path})")
    return outcome


def _trained(job: Job, engine: str, variables: dict[str, str]) -> Outcome:
    """Train in a child process, if there is time for it."""
    fit, limit = job.fit, _limit(job)
    if limit and limit.seconds <= 0:
        error = Failure("TimeLimit", limit.reason)
        return _never_started(job, limit.status, error, job.failures + 1)
    return isolate.run(
        "forerun.forecasting.training:train",
        {"run": str(job.folder), "model": fit.model, "fold": fit.fold},
        fit,
        imports=["forerun.forecasting.training", engine],
        threads=job.threads,
        limit=limit,
        attempt=job.failures + 1,
        log_file=job.log_file,
        variables=variables,
    )


def _identity(job: Job, settings: dict[str, Any], spec: ModelSpec) -> dict[str, Any] | None:
    """Return what determines the fit's product; None if it is not to be shared."""
    if not job.reuse:
        return None
    return fingerprint.ingredients(settings, spec, job.fit.run.data, job.fit.fold, job.threads)


def _reused(job: Job, what: dict[str, Any]) -> Outcome | None:
    """Take the product of an equal fit and write the outcome; None if there is none."""
    fit, started, started_at = job.fit, time.time(), now()
    entry = model_cache.find(model_cache.of_run(job.folder), fingerprint.key(what))
    if entry is None:
        return None
    try:
        model_cache.take(entry, fit.product_path, fit.kept_prefix)
    except OSError:  # pruned in between
        return None
    source = entry.info["run_id"]
    write_text(fit.log_path, f"reused from run {source} (store entry {entry.key})\n")
    outcome = Outcome(
        status="ok",
        stage=fit.stage,
        seconds=round(time.time() - started, 2),
        attempts=job.failures + 1,
        log=str(fit.log_path),
        started_at=started_at,
        finished_at=now(),
        reused_from=source,
    )
    outcome.write(fit.outcome_path)
    return outcome


def _clear(product: Path) -> None:
    """Remove what an earlier try left when it was killed, whole or half-written.

    The lease is held, and no outcome says that the product is good.
    """
    sweep(product.parent, only=product.name)
    if product.is_dir() and not product.is_symlink():
        discard(product)
    else:
        product.unlink(missing_ok=True)


def _killed(job: Job, times: int) -> Outcome:
    """Write the outcome of a job that was killed each time before it could write one itself."""
    message = (
        f"the job was killed {times} times before it could report (SIGKILL; most often too little "
        "memory or a time limit of the cluster): give it more with --set-resources"
    )
    return _never_started(job, "failed", Failure("JobKilled", message), job.failures + times)


def _limit(job: Job) -> isolate.Limit | None:
    """Return what ends the fit first: its own ``max_time``, or the ``time_limit`` of the run."""
    limits = []
    if job.max_time:
        reason = f"it ran longer than max_time: {job.max_time:g} s and was ended"
        limits.append(isolate.Limit(job.max_time, "failed", reason))
    elapsed = session.seconds_since_start(job.folder)
    if job.time_limit is not None and elapsed is not None:
        left = job.time_limit - elapsed
        what = "not started" if left <= 0 else f"ended after {left:.0f} s"
        reason = f"{what}: the time_limit of {job.time_limit:g} s had passed"
        limits.append(isolate.Limit(left, "skipped", f"{reason}; rerun the command to resume"))
    return min(limits, key=lambda limit: limit.seconds, default=None)


def _never_started(job: Job, status: str, error: Failure, attempts: int) -> Outcome:
    """Write and return the outcome of a fit that never started."""
    at = now()
    outcome = Outcome(
        status=status,
        error=error,
        stage=job.fit.stage,
        attempts=attempts,
        log=str(job.fit.log_path),
        started_at=at,
        finished_at=at,
    )
    outcome.write(job.fit.outcome_path)
    return outcome


def _placeholder(fit: Fit) -> None:
    """Make the product of a fit that failed: an empty folder, or a table without rows."""
    if fit.fold is None:
        fit.product_path.mkdir(parents=True, exist_ok=True)
        return
    import pandas as pd

    from forerun.base.files import write_parquet

    write_parquet(fit.product_path, pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y"]))
