"""Everything that is due for a deployment, in one call.

pandas is imported only if something is due, because most calls from cron find no new data.
"""

from __future__ import annotations

from forerun.base.files import sha256, write_text
from forerun.deployments import inputs
from forerun.deployments.folder import Deployment
from forerun.deployments.result import Result
from forerun.deployments.settings import Retrain


def update(deployment: Deployment, data_file: str | None = None) -> Result:
    """Record new values, forecast if an origin is due, and score.

    If data and deployment are unchanged since the last call, no table is read.
    """
    deployment.require()
    files = inputs.find(deployment.settings(), data_file)
    deployment.champion()
    if _last(deployment) == _state(deployment, files):
        return Result(lines=[f"nothing is due: nothing new in {files.data}"], changed=False)
    from forerun.deployments.forecast import forecast
    from forerun.deployments.scores import read_adjustments
    from forerun.deployments.service import score

    read_adjustments(deployment)  # first, because it refuses a damaged file
    result = forecast(deployment, data_file)
    scored = score(deployment)
    note(deployment, files)
    return Result([*result.origins, *scored.origins], [*result.lines, *scored.lines])


def retrain_due(deployment: Deployment) -> str:
    """Return why a new run is due by the deployment's policy, or an empty string."""
    if deployment.settings().retrain == Retrain():  # never
        return ""
    from forerun.deployments import retraining

    return retraining.retrain_due(deployment)


def _last(deployment: Deployment) -> str:
    """Return the state after the last update, from a file that may be deleted at any time."""
    try:
        return (deployment.folder / ".updated").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _state(deployment: Deployment, files: inputs.Source) -> str:
    """Return the checksums of all inputs of an update, and the newest vintage."""
    read = (
        *(deployment.config, deployment.champions, deployment.challengers),
        deployment.adjustments,
    )
    sums = [sha256(path) if path.is_file() else "-" for path in read]
    newest = [f"{path.name} {path.stat().st_size}" for path in deployment.vintages()[-1:]]
    return "\n".join([files.checksum, *sums, *newest])


def note(deployment: Deployment, files: inputs.Source) -> None:
    """Record that nothing is due for these data, so that the next update returns at once."""
    write_text(deployment.folder / ".updated", _state(deployment, files))
