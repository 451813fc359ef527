"""The job of a fit: train it in a child process, or reuse an equal fit, and write the outcome."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged
from forerun.base.clock import now
from forerun.base.errors import UserError, is_full, no_space
from forerun.base.files import write_text
from forerun.base.garbage import end_fast
from forerun.base.parent import end_with_parent
from forerun.base.publishing import discard, sweep
from forerun.base.terminal import echo_error
from forerun.config import search
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec
from forerun.forecasting import checkpoint
from forerun.jobs import (
    child_task,
    fingerprint,
    gpus,
    helper,
    lease,
    model_cache,
    search_time,
)
from forerun.runs import session
from forerun.runs.fit import Fit
from forerun.runs.outcome import UNFINISHED, Failure, Outcome
from forerun.runs.paths import RunPaths
from forerun.runs.search import Trial, chosen

#: Number of attempts of a fit whose whole job is killed (not only its child); then it has failed.
TRIES = 2
#: Minimum free space on the disk to start a fit, in bytes.
ROOM = 1_000_000
#: `retries` of the rules: more than `TRIES`, as one job may run several fits.
RETRIES = 4
#: Errors after which a retry resumes from the checkpoint; after others it starts again with step 1.
INTERRUPTIONS = ("TimeLimit", "ProcessKilled", "JobKilled", "MemoryError")


@dataclass(frozen=True)
class Job:
    """A fit with its operational settings.

    Attributes
    ----------
    threads : number of threads of torch, BLAS and numba
    failures : number of consecutive failures of the fit so far
    tries : number of times Snakemake has started this job, including this one
    max_time : maximum duration of the fit in seconds
    time_limit : maximum duration of the call in seconds
    log_file : additional file for the output of the fit
    reuse : whether to reuse equal fits of other runs, and to store this one for reuse
    gpu_jobs : number of jobs that share a GPU
    checkpoint_minutes : minutes between two checkpoints of a network; none if None
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
    checkpoint_minutes: float | None = None

    @property
    def folder(self) -> Path:
        return self.fit.run.folder


def perform(job: Job) -> Outcome:
    """Run the fit and write its outcome in any case; a failed fit has an empty product."""
    end_with_parent()
    end_fast()
    if session.is_orphaned(job.folder):
        sys.exit("the workflow that started this job has ended")
    try:
        with lease.held(job.fit.lease_path, count=job.tries > 1) as held:
            if shutil.disk_usage(job.folder).free < ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if held.waited and job.fit.is_completed() and (outcome := job.fit.outcome()):
                return outcome
            return _performed(job, held.deaths)
    except OSError as error:
        if not is_full(error):
            raise
        echo_error(f"forerun: error: {no_space(job.folder)}")
        sys.exit(2)


def _performed(job: Job, deaths: int) -> Outcome:
    """Reuse an equal fit or train, unless the job was killed too often."""
    fit = job.fit
    _clear(fit.product_path)
    settings = read_frozen(fit.run.config)
    spec = fit.spec(settings)
    if spec.members:
        from forerun.jobs import averaging  # imports pandas

        return _announced(fit, averaging.average(fit, spec, job.failures + 1))
    outcome = _without_arguments(job, settings, spec)
    saves = job.checkpoint_minutes is not None and checkpoint.is_supported(spec)
    what = _ingredients(job) if (job.reuse or saves) and not outcome else None
    saved = _checkpoint(job, what, deaths) if saves and what else None
    header = _header(job, saved)
    fruitless = deaths - (header.deaths if header else 0)  # attempts that saved nothing
    if not outcome and fruitless >= TRIES:
        outcome = _killed(job, deaths, header)
    if not outcome and what and job.reuse:
        outcome = _reused(job, what)
    if not outcome and job.tries > RETRIES:  # without a shared folder, leases count no deaths
        outcome = _killed(job, RETRIES, header)
    if not outcome:
        with gpus.slot(job.gpu_jobs * gpus.are_used(settings, spec)) as variables:
            outcome = _trained(job, settings, ENGINES[spec.engine].module, variables, saved)
        if outcome.is_ok and what and job.reuse:
            with suppress(OSError):  # a full disk does not fail the model
                model_cache.put(fit, what, outcome.seconds)
    if outcome.is_ok or (outcome.error and outcome.error.kind not in INTERRUPTIONS):
        fit.checkpoint_path.unlink(missing_ok=True)
    if not outcome.is_ok and is_full(outcome.reason):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return _announced(fit, outcome)


def _announced(fit: Fit, outcome: Outcome) -> Outcome:
    """Say why a fit failed and create its placeholder; return the outcome."""
    if not outcome.is_ok:
        _placeholder(fit)
        line = f"forerun: {fit.run.run_id} {fit.model} {fit.stage} {outcome.status}"
        echo_error(f"{line}: {outcome.reason} (log: {fit.log_path})")
    return outcome


def _without_arguments(job: Job, settings: dict[str, Any], spec: ModelSpec) -> Outcome | None:
    """Return the outcome of a fit whose arguments were not found; None if there are arguments."""
    fit = job.fit
    if isinstance(fit, Trial):
        if fit.candidate(settings):
            return None
        reason = "too few trials of earlier rounds succeeded"
        return _never_started(job, "skipped", Failure("NoTrial", reason), 1)
    if spec.search is None:
        return None
    study = search.study(settings, spec.search)
    found = chosen(fit.run, study)
    if study.models.index(spec.name) < len(found.trials):
        return None
    error = Failure("SearchFailed", found.reason)
    status = found.status if found.status in UNFINISHED else "failed"
    return _never_started(job, status, error, job.failures + 1)


def _checkpoint(job: Job, what: dict[str, Any], deaths: int) -> checkpoint.Checkpoint:
    """Return where and how often the fit saves its state."""
    seconds = 60 * (job.checkpoint_minutes or 0)
    path = str(job.fit.checkpoint_path)
    return checkpoint.Checkpoint(path, fingerprint.key(what), seconds, deaths)


def _header(job: Job, saved: checkpoint.Checkpoint | None) -> checkpoint.Header | None:
    """Return the header of the checkpoint to resume from; name one that cannot be used."""
    line = f"forerun: {job.fit.run.run_id} {job.fit.model} {job.fit.stage}"
    try:
        header = saved.header() if saved else None
    except Damaged as error:
        echo_error(f"{line}: {error}; the checkpoint is ignored")
        return None
    if header:
        echo_error(f"{line}: {header.words}")
    return header


def _trained(
    job: Job,
    settings: dict[str, Any],
    engine: str,
    variables: dict[str, str],
    saved: checkpoint.Checkpoint | None,
) -> Outcome:
    """Train in a child process, if there is time left."""
    fit, limit = job.fit, _limit(job, settings)
    if limit and limit.seconds <= 0:
        error = Failure(limit.kind, limit.reason)
        return _never_started(job, limit.status, error, job.failures + 1)
    more = {"checkpoint": asdict(saved) if saved else None, "threads": job.threads}
    task = child_task.Task(
        "forerun.forecasting.training:train",
        fit.arguments() | more,
        imports=["forerun.forecasting.training", engine],
        threads=job.threads,
        log_file=job.log_file,
        variables=variables,
    )
    return child_task.run(task, fit, limit=limit, attempt=job.failures + 1)


def _ingredients(job: Job) -> dict[str, Any] | None:
    """Return what determines the product; None if the initial weights are missing."""
    given = job.fit.arguments() | {"threads": job.threads}
    what: dict[str, Any] | None = helper.ask("forerun.jobs.fit_job:ingredients", given)
    return what


def ingredients(
    run: str, model: str, fold: int | None, threads: int, trial: tuple[int, int] | None = None
) -> dict[str, Any] | None:
    """Return what determines the product of a fit; None if the initial weights are missing."""
    paths = RunPaths(Path(run))
    fit = Trial(paths, model, round=trial[0], place=trial[1]) if trial else Fit(paths, model, fold)
    try:
        return fingerprint.ingredients(fit, read_frozen(paths.config), threads)
    except UserError:
        return None  # the fit will fail with the reason


def _reused(job: Job, what: dict[str, Any]) -> Outcome | None:
    """Reuse the product of an equal fit and write the outcome; None if there is none."""
    fit, started, started_at = job.fit, time.time(), now()
    entry = model_cache.find(model_cache.of_run(job.folder), fingerprint.key(what))
    if entry is None:
        return None
    try:
        model_cache.take(entry, fit)
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
    """Remove the product and temporary files of an earlier attempt that was killed.

    The lease is held, and there is no outcome of a completed fit.
    """
    sweep(product.parent, only=product.name)
    if product.is_dir() and not product.is_symlink():
        discard(product)
    else:
        product.unlink(missing_ok=True)


def _killed(job: Job, times: int, header: checkpoint.Header | None) -> Outcome:
    """Write the outcome of a job that was killed in each attempt."""
    message = (
        f"the job was killed {times} times before it could report (SIGKILL; most often because of "
        "too little memory or a time limit of the cluster): request more with --set-resources"
    )
    if header:
        message += f"; a rerun of the command resumes at step {header.step} of {header.max_steps}"
    return _never_started(job, "failed", Failure("JobKilled", message), job.failures + times)


def _limit(job: Job, settings: dict[str, Any]) -> child_task.Limit | None:
    """Return the earliest limit: ``max_time`` of the fit, ``time_limit`` of run or search."""
    limits = []
    if isinstance(job.fit, Trial) and (limit := search_time.limit(job.fit, settings)):
        limits.append(limit)
    if job.max_time:
        reason = f"it ran longer than max_time: {job.max_time:g} s and was stopped"
        limits.append(child_task.Limit(job.max_time, "failed", reason))
    elapsed = session.seconds_since_start(job.folder)
    if job.time_limit is not None and elapsed is not None:
        left = job.time_limit - elapsed
        what = "not started" if left <= 0 else f"stopped after {left:.0f} s"
        reason = f"{what}: the time_limit of {job.time_limit:g} s had passed"
        limits.append(child_task.Limit(left, "skipped", f"{reason}; rerun the command to resume"))
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
    """Create the placeholder product of a failed fit: an empty folder, or a table without rows."""
    if fit.fold is None:
        fit.product_path.mkdir(parents=True, exist_ok=True)
        return
    import pandas as pd

    from forerun.base.files import write_parquet

    write_parquet(fit.product_path, pd.DataFrame(columns=["unique_id", "ds", "cutoff", "y"]))
