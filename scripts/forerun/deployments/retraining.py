"""When a new run is due.

Studies of retraining (arXiv 2505.00356, 2506.05776) find that rare retraining keeps accuracy, so
the default is never: forecasting again with the same models.
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
from forerun.deployments.periods import origin_name, parse_time
from forerun.deployments.runs import InService, champion, data_end, promised
from forerun.runs.paths import free_run_id


def retrain_due(deployment: Deployment) -> str:
    """Return why a new run is due under the deployment's policy; empty if none is."""
    settings = deployment.settings()
    policy = settings.retrain
    if policy.every is None and policy.worse_by is None:
        return ""
    one = champion(deployment)
    live = [origin for origin in origins.origins(deployment) if not origin.is_backfill]
    if not live:
        return ""
    dated = not live[-1].name.lstrip("-").isdigit()
    if policy.every is not None:
        end = data_end(one.folder, dated)
        due = policy.every.after(end, one.settings["freq"])
        if parse_time(live[-1].name, dated, "forecasts") >= due:
            return f"the champion's data end at {origin_name(end)}, more than {policy.every} ago"
        return ""
    limit = promised(one, settings.metric)
    errors = recent_errors(deployment, one, settings.metric, policy.origins)
    assert policy.worse_by is not None
    if limit is None or len(errors) < policy.origins:
        return ""
    if all(value > limit * (1 + policy.worse_by) for value in errors):
        return (
            f"{settings.metric} was worse than promised by more than {policy.worse_by:.0%} on the "
            f"last {policy.origins} origins"
        )
    return ""


def recent_errors(deployment: Deployment, one: InService, metric: str, number: int) -> list[float]:
    """Return the error of a run's main model on its last live origins, the newest last."""
    rows = summaries.whole_origins(summaries.by_step(deployment), one.line.run_id, one.model)
    rows = rows[rows["kind"] == "live"]
    if not len(rows):
        return []
    return [float(value) for value in rows[metric].dropna().tail(number)]


def new_run_id(deployment: Deployment, request: str) -> str:
    """Return the run that an interrupted call of the same request has begun, or else a free id.

    A free id is the deployment's name and today's date.

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
    """Return the settings file of a run: equal where data and settings are.

    Parameters
    ----------
    assignments : ``key=value`` of ``--set``
    """
    asked = json.dumps({"data": files.checksum, "set": list(assignments)})
    return f"# {asked}\n{dump(settings)}"


def training_settings(deployment: Deployment, files: inputs.Source) -> dict[str, Any]:
    """Return the champion's settings for a run on other data.

    How its run was carried out (workers, limits, paths) is not among them: this call decides.
    """
    frozen = read_recorded(deployment.run(deployment.champion().run_id) / "config.yaml")
    left_out = schema.marked("x-operational") | {"run_id", "output_dir", "data_file", "warm_start"}
    settings = {key: value for key, value in frozen.items() if key not in left_out}
    settings["data_file"] = files.data
    for key, path in (("static_file", files.static), ("futr_file", files.future)):
        if path:
            settings[key] = path
    return settings
