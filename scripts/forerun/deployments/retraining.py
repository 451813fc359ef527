"""Retraining: when a new run is due, and its settings.

Studies (arXiv 2505.00356, 2506.05776) find that rare retraining keeps accuracy, so the default is
``never``: the same models forecast from new data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from forerun.base.bounded import read_text
from forerun.config import schema
from forerun.config.frozen import read_recorded
from forerun.config.settings import dump
from forerun.deployments import inputs, origins, summaries
from forerun.deployments.folder import Deployment
from forerun.deployments.periods import Time, origin_name, parse_time
from forerun.deployments.runs import InService, champion, data_end, promised
from forerun.runs import metric_functions
from forerun.runs.json_files import read_provenance
from forerun.runs.paths import free_run_id
from forerun.runs.state import is_sealed


def retrain_due(deployment: Deployment) -> str:
    """Return why a new run is due under the deployment's policy; empty if none is."""
    settings = deployment.settings()
    policy = settings.retrain
    if policy.every is None and policy.worse_by is None:
        return ""
    live = [origin for origin in origins.origins(deployment) if not origin.is_backfill]
    if not live:
        return ""
    dated = not live[-1].name.lstrip("-").isdigit()
    one = champion(deployment)
    end, newest = newest_run(deployment, one, dated)
    if policy.every is not None:
        end = data_end(one.folder, dated) if end is None else end
        due = policy.every.after(end, one.settings["freq"])
        if parse_time(live[-1].name, dated, "forecasts") >= due:
            return f"the data of {newest} end at {origin_name(end)}, at least {policy.every} ago"
        return ""
    limit = promised(one, settings.metric)
    errors = recent_errors(deployment, one, settings.metric, policy.origins, end)
    assert policy.worse_by is not None
    if limit is None or len(errors) < policy.origins:
        return ""
    if all(value > limit * (1 + policy.worse_by) for value in errors):
        return (
            f"{settings.metric} was more than {policy.worse_by:.0%} above that of the back-test on "
            f"the last {policy.origins} origins"
        )
    return ""


def newest_run(deployment: Deployment, one: InService, dated: bool) -> tuple[Time | None, str]:
    """Return the latest end of data among champion and challengers, and that run's id.

    Challengers are included because a retrained run that waits for promotion must not be trained
    again. None if no run records the end of its data.
    """
    folders = {"the champion": one.folder}
    for line in deployment.challenging():
        if is_sealed(deployment.run(line.run_id)):
            folders[f"challenger '{line.run_id}'"] = deployment.run(line.run_id)
    ends = {
        name: data_end(folder, dated)
        for name, folder in folders.items()
        if read_provenance(folder)["data"].get("end") is not None
    }
    newest = max(ends, key=ends.__getitem__, default="the champion")
    return ends.get(newest), newest


def recent_errors(
    deployment: Deployment, one: InService, metric: str, number: int, since: Time | None
) -> list[float]:
    """Return the error of a run's main model on its last live origins, the newest last.

    Parameters
    ----------
    since : origins before this time are ignored; None for all
    """
    rows = summaries.whole_origins(summaries.by_step(deployment), one.line.run_id, one.model)
    rows = rows[rows["kind"] == "live"]
    if since is not None:
        rows = rows[rows["origin"] >= since]
    if not len(rows):
        return []
    return [float(value) for value in rows[metric].dropna().tail(number)]


def new_run_id(deployment: Deployment, request: str) -> str:
    """Return the id of an unfinished run of the same request, otherwise an unused one.

    An unused id consists of the deployment's name and today's date.

    Parameters
    ----------
    request : content of the settings file; :func:`request_text`
    """
    from datetime import date

    named = re.compile(rf"{re.escape(deployment.name)}_\d{{8}}(_\d+)?")
    for file in sorted(deployment.tables.glob("*.yaml"), reverse=True):
        if named.fullmatch(file.stem) and read_text(file) == request:
            return file.stem
    return free_run_id(deployment.output / "runs", f"{deployment.name}_{date.today():%Y%m%d}")


def request_text(settings: dict[str, Any], files: inputs.Source, assignments: Sequence[str]) -> str:
    """Return the content of a run's settings file, equal for equal data and settings.

    Parameters
    ----------
    assignments : ``key=value`` of ``--set``
    """
    asked = json.dumps({"data": files.checksum, "set": list(assignments)})
    return f"# {asked}\n{dump(settings)}"


def training_settings(deployment: Deployment, files: inputs.Source) -> dict[str, Any]:
    """Return the champion's settings for a run on other data.

    Settings of the call (workers, limits, paths) are not included.
    """
    run = deployment.run(deployment.champion().run_id)
    frozen = read_recorded(run / "config.yaml")
    left_out = schema.marked("x-operational") | {"run_id", "output_dir", "data_file", "warm_start"}
    settings = {key: value for key, value in frozen.items() if key not in left_out}
    settings["metric_functions"] = metric_functions.of_run(run, frozen)
    settings["data_file"] = files.data
    for key, path in (("static_file", files.static), ("futr_file", files.future)):
        if path:
            settings[key] = path
    return settings
