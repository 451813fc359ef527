"""All that is due for a deployment, in one call.

Imports no pandas before something is due: most calls from cron find nothing.
"""

from __future__ import annotations

from forerun.base.files import sha256, write_text
from forerun.deployments import inputs
from forerun.deployments.folder import Deployment
from forerun.deployments.made import Made
from forerun.deployments.settings import Retrain


def update(deployment: Deployment, data_file: str | None = None) -> Made:
    """Record what is new in the data, forecast where an origin is due, and score.

    Where the data are those of the last call and every origin is scored, nothing is read.
    """
    deployment.require()
    files = inputs.find(deployment.settings(), data_file)
    deployment.champion()
    if _last(deployment) == _state(deployment, files):
        return Made(lines=[f"nothing is due: nothing new in {files.data}"], changed=False)
    from forerun.deployments.forecast import forecast
    from forerun.deployments.scores import read_adjustments
    from forerun.deployments.service import score

    read_adjustments(deployment)  # first: it refuses a file that cannot be read
    made = forecast(deployment, data_file)
    scored = score(deployment)
    note(deployment, files)
    return Made([*made.origins, *scored.origins], [*made.lines, *scored.lines])


def retrain_due(deployment: Deployment) -> str:
    """Return why a new run is due under the deployment's policy; empty if none is."""
    if deployment.settings().retrain == Retrain():  # never
        return ""
    from forerun.deployments import retraining

    return retraining.retrain_due(deployment)


def _last(deployment: Deployment) -> str:
    """Return what the last update has seen: a shortcut that may be removed at any time."""
    try:
        return (deployment.folder / ".updated").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _state(deployment: Deployment, files: inputs.Source) -> str:
    """Return the checksums of all that an update depends on, and the newest vintage."""
    read = (
        *(deployment.config, deployment.champions, deployment.challengers),
        deployment.adjustments,
    )
    sums = [sha256(path) if path.is_file() else "-" for path in read]
    newest = [f"{path.name} {path.stat().st_size}" for path in deployment.vintages()[-1:]]
    return "\n".join([files.checksum, *sums, *newest])


def note(deployment: Deployment, files: inputs.Source) -> None:
    """Note that everything is done for these data: the next update is a matter of one look."""
    write_text(deployment.folder / ".updated", _state(deployment, files))
