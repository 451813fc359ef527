"""Fits of a model that is the mean of several seeds: computed from the fits of its members."""

from __future__ import annotations

import time
from dataclasses import replace

import pandas as pd

from forerun.base.clock import now
from forerun.base.files import new_folder, write_json, write_parquet, write_text
from forerun.config.models import ModelSpec
from forerun.evaluation.averaging import mean_of_members
from forerun.runs.fit import MEMBERS, Fit
from forerun.runs.outcome import Failure, Outcome


def average(fit: Fit, spec: ModelSpec, attempts: int) -> Outcome:
    """Write the product and the outcome of the mean of the members of `spec`.

    Parameters
    ----------
    attempts : number of attempts of the fit, including this one
    """
    started, started_at = time.time(), now()
    names = list(spec.members or ())
    fits = [replace(fit, model=name) for name in names]
    error, status = _problem(fits)
    if not error:
        if fit.fold is None:
            with new_folder(fit.product_path) as temporary:
                write_json(temporary / MEMBERS, {"members": names})
        else:
            tables = {one.model: pd.read_parquet(one.product_path) for one in fits}
            write_parquet(fit.product_path, mean_of_members(tables, fit.model))
    write_text(fit.log_path, f"{error.reason if error else 'mean of ' + ', '.join(names)}\n")
    outcome = Outcome(
        status=status,
        error=error,
        stage=fit.stage,
        seconds=round(time.time() - started, 2),
        attempts=attempts,
        log=str(fit.log_path),
        started_at=started_at,
        finished_at=now(),
    )
    outcome.write(fit.outcome_path)
    return outcome


def _problem(fits: list[Fit]) -> tuple[Failure | None, str]:
    """Return why members cannot be averaged, and the status; None and ``ok`` if they can."""
    for fit in fits:
        if fit.is_completed():
            continue
        outcome = fit.outcome()
        if outcome is None or outcome.is_ok:
            return Failure("MemberFailed", f"{fit.model} has no {fit.words}"), "failed"
        reason = f"{fit.model} {outcome.status}: {outcome.reason}"
        return Failure("MemberFailed", reason), outcome.status
    return None, "ok"
