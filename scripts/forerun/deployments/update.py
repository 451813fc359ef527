"""All that is due for a deployment, in one call."""

from __future__ import annotations

from dataclasses import dataclass

from forerun.base.files import write_text
from forerun.deployments import actuals, scores, source
from forerun.deployments.folder import Deployment
from forerun.deployments.forecast import Made, forecast
from forerun.deployments.service import score


@dataclass
class Updated(Made):
    """What an update has done.

    Attributes
    ----------
    changed : whether there is anything new to see
    """

    changed: bool = False


def update(deployment: Deployment, data_file: str | None = None) -> Updated:
    """Record what is new in the data, forecast where an origin is due, and score.

    Where the data are those of the last call and every origin is scored, nothing is read.
    """
    deployment.require()
    files = source.find(deployment.settings(), data_file)
    state = _state(deployment, files)  # first: it refuses adjustments that cannot be read
    if actuals.source(deployment) == files.checksum and _last(deployment) == state:
        return Updated(lines=[f"nothing is due: nothing new in {files.data}"])
    made = forecast(deployment, data_file)
    scored = score(deployment)
    note(deployment, files)
    return Updated([*made.origins, *scored.origins], [*made.lines, *scored.lines], changed=True)


def _last(deployment: Deployment) -> str:
    """Return what the last update has seen: a shortcut that may be removed at any time."""
    try:
        return (deployment.folder / ".updated").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _state(deployment: Deployment, files: source.Source) -> str:
    _, mark = scores.read_adjustments(deployment)
    return f"{files.checksum} {mark}"


def note(deployment: Deployment, files: source.Source) -> None:
    """Note that everything is done for these data: the next update is a matter of one look."""
    write_text(deployment.folder / ".updated", _state(deployment, files))
