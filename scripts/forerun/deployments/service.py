"""Changes to a deployment's runs (deploy, challenge, promote, roll back), and scoring of origins.

Each function takes the deployment's lock, works completely or not at all, and returns messages.
Repeating a call changes nothing, except a rollback without a run id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from forerun.base.errors import UserError
from forerun.base.files import write_text
from forerun.base.text import plural
from forerun.config.settings import read_frozen
from forerun.deployments import actuals, gates, inputs, scores, source
from forerun.deployments.folder import Appointment, Deployment, append, appointment, read_journal
from forerun.deployments.losses import LOSSES
from forerun.deployments.result import Result
from forerun.deployments.runs import champion, check_horizon, check_run, main_model
from forerun.deployments.settings import Settings
from forerun.forecasting.choice import choose
from forerun.runs.paths import RunPaths
from forerun.runs.state import failed_models

#: Maximum number of origins that are named.
LISTED = 5


def deploy(deployment: Deployment, run_id: str, values: dict[str, Any], why: str = "") -> Result:
    """Put a run into service under a new name.

    Parameters
    ----------
    values : content of ``deployment.yaml``; ``horizon`` is taken from the run
    """
    if deployment.exists():
        raise UserError(
            f"deployment '{deployment.name}' exists: 'forerun challenge' and 'forerun promote' "
            "put another run into service"
        )
    folder = check_run(deployment, run_id)
    settings = read_frozen(folder / "config.yaml")
    given = Settings.of(values | {"horizon": settings["horizon"]}, "deploy")
    main_model(folder, choose(folder, settings), given.model)
    source.read(inputs.find(given), folder, settings)
    with deployment.locked():
        text = yaml.safe_dump(given.as_dict(), sort_keys=False, allow_unicode=True)
        write_text(deployment.config, text)
        append(deployment.champions, appointment(deployment, run_id, "deploy", why=why))
    return Result(lines=[f"deployment {deployment.name}: run {run_id} is in service"])


def challenge(deployment: Deployment, run_id: str, why: str = "") -> Result:
    """Make a run forecast in parallel with the champion from the next origin on."""
    deployment.require()
    folder = check_run(deployment, run_id)
    settings = read_frozen(folder / "config.yaml")
    with deployment.locked():
        if run_id == deployment.champion().run_id:
            raise UserError(f"run '{run_id}' is the champion of '{deployment.name}' already")
        check_horizon(deployment, run_id, settings)
        if run_id not in [line.run_id for line in deployment.challenging()]:
            line = appointment(deployment, run_id, "challenge", why=why)
            append(deployment.challengers, line)
    return Result(lines=[f"deployment {deployment.name}: run {run_id} challenges "
                       f"{deployment.champion().run_id}"])  # fmt: skip


def rollback(deployment: Deployment, why: str = "", run_id: str | None = None) -> Result:
    """Put an earlier champion into service again.

    Parameters
    ----------
    run_id : the champion to return to; None for the previous one
    """
    deployment.require()
    with deployment.locked():
        lines = read_journal(deployment.champions)
        if lines[-1].run_id == run_id:
            return Result(lines=[f"run {run_id} is in service already"])
        served = _served(lines)
        if len(served) < 2:
            raise UserError(f"deployment '{deployment.name}' has had no champion before this one")
        before = served[-2].run_id
        if run_id not in (None, before):
            raise UserError(f"'{before}' was in service before this run, not '{run_id}'")
        check_run(deployment, before)
        append(deployment.champions, appointment(deployment, before, "rollback", why=why))
    return Result(lines=[f"deployment {deployment.name}: run {before} is in service again"])


def _served(lines: list[Appointment]) -> list[Appointment]:
    """Return the champions after applying rollbacks, each of which undoes a promotion."""
    stack: list[Appointment] = []
    for line in lines:
        if line.event == "rollback" and len(stack) > 1:
            stack.pop()
        else:
            stack.append(line)
    return stack


def score(deployment: Deployment, data_file: str | None = None) -> Result:
    """Score the origins whose values have arrived or changed."""
    deployment.require()
    with deployment.locked():
        if data_file is not None:
            files = inputs.find(deployment.settings(), data_file)
            one = champion(deployment)
            history = source.read(files, one.folder, one.settings).data.history
            actuals.write(deployment, actuals.compare(deployment, history), files.checksum)
        done = scores.update(deployment)
    if not done:
        return Result(lines=["nothing to score"])
    listed = ("the newest are " if len(done) > LISTED else "") + ", ".join(done[-LISTED:])
    return Result(done, [f"scored {plural(len(done), 'origin')}: {listed}"])


def check_gates(deployment: Deployment, run_id: str) -> list[gates.Check]:
    """Return the checks that a run has to pass before it is promoted."""
    settings = deployment.settings()
    serving = champion(deployment)
    folder = check_run(deployment, run_id)
    own = read_frozen(folder / "config.yaml")
    check_horizon(deployment, run_id, own)
    choice = choose(folder, own)
    challenger = main_model(folder, choice, None)
    loss = LOSSES.get(settings.metric)
    if loss is None:
        names = ", ".join(LOSSES)
        raise UserError(f"deployment.yaml: metric must be one of {names}, not '{settings.metric}'")
    table = scores.read_detail(deployment, runs=[serving.line.run_id, run_id])
    models = (serving.model, challenger)
    pairs = gates.paired(table, serving.line.run_id, run_id, models) if len(table) else table
    if not len(pairs):
        raise UserError(
            f"run '{run_id}' has no scored origin in common with the champion yet: 'forerun "
            "challenge' it, then 'forecast' or 'backfill', and 'score'"
        )
    return gates.evaluate(
        pairs, settings.gates, loss, _overlap(pairs), _new_failures(serving.folder, folder)
    )


def _overlap(pairs: pd.DataFrame) -> int:
    """Return the maximum number of consecutive origins whose forecasts share a time."""
    times = pairs.groupby("ds")["origin"].nunique()
    return max(1, int(times.max()))


def _new_failures(champion: Path, challenger: Path) -> int:
    """Count the models that failed in the challenger but not in the champion."""
    before, after = (failed_models(RunPaths(f).leaderboard) for f in (champion, challenger))
    return len(set(after) - set(before))


def promote(
    deployment: Deployment, run_id: str, checks: list[gates.Check], why: str = ""
) -> Result:
    """Put a run into service and record the values of its checks in ``champions.jsonl``."""
    settings = read_frozen(check_run(deployment, run_id) / "config.yaml")
    check_horizon(deployment, run_id, settings)
    figures = {check.name: float(check.value) for check in checks if check.value == check.value}
    with deployment.locked():
        if deployment.champion().run_id == run_id:
            return Result(lines=[f"run {run_id} is in service already"])
        line = appointment(deployment, run_id, "promote", why=why, figures=figures)
        append(deployment.champions, line)
    return Result(lines=[f"deployment {deployment.name}: run {run_id} is in service"])
