"""When a new run is due.

Studies of retraining (arXiv 2505.00356, 2506.05776) find that rare retraining keeps accuracy, so
the default is never: forecasting again with the same models.
"""

from __future__ import annotations

from typing import Any

from forerun.config import schema
from forerun.config.frozen import read_recorded
from forerun.deployments import origins, scores, source
from forerun.deployments.folder import Deployment
from forerun.deployments.periods import origin_name, parse_time
from forerun.deployments.runs import InService, data_end, open_run, promised


def retrain_due(deployment: Deployment) -> str:
    """Return why a new run is due under the deployment's policy; empty if none is."""
    settings = deployment.settings()
    policy, line = settings.retrain, deployment.champion()
    if policy.every is None and policy.worse_by is None:
        return ""
    champion = open_run(deployment, line, "champion", settings.model)
    live = [one for one in origins.origins(deployment) if not one.is_backfill]
    if not live:
        return ""
    dated = not live[-1].name.lstrip("-").isdigit()
    if policy.every is not None:
        end = data_end(champion.folder, dated)
        due = policy.every.after(end, champion.settings["freq"])
        if parse_time(live[-1].name, dated, "forecasts") >= due:
            return f"the champion's data end at {origin_name(end)}, more than {policy.every} ago"
        return ""
    limit = promised(champion, settings.metric)
    errors = recent_errors(deployment, champion, settings.metric, policy.origins)
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
    path = deployment.folder / "scores.csv"
    if not path.is_file():
        return []
    table = scores.read_summary(path)
    rows = table[
        (table["run_id"] == one.line.run_id)
        & (table["model"] == one.model)
        & (table["step"] == 0)
        & (table["kind"] == "live")
    ].sort_values("origin")
    return [float(value) for value in rows[metric].dropna().tail(number)]


def new_run_id(deployment: Deployment) -> str:
    """Return a free run id: the deployment's name and today's date."""
    from datetime import date

    base = f"{deployment.name}_{date.today():%Y%m%d}"
    run_id, number = base, 1
    while deployment.run(run_id).exists():
        number += 1
        run_id = f"{base}_{number}"
    return run_id


def training_settings(deployment: Deployment, files: source.Source) -> dict[str, Any]:
    """Return the champion's settings for a run on other data.

    How its run was carried out (workers, limits, paths) is not among them: this call decides.
    """
    frozen = read_recorded(deployment.run(deployment.champion().run_id) / "config.yaml")
    left_out = schema.marked("x-operational") | {"run_id", "output_dir", "data_file"}
    settings = {key: value for key, value in frozen.items() if key not in left_out}
    settings["data_file"] = files.data
    for key, path in (("static_file", files.static), ("futr_file", files.future)):
        if path:
            settings[key] = path
    return settings
