"""``forecast``: forecast from the newest data of a deployment."""

from __future__ import annotations

from forerun.cli.deployments.common import DataFile, NameArgument, deployment, tell
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    data_file: DataFile = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Forecast from the end of the newest data, with the champion and its challengers.

    Nothing is trained, and an origin is written once: the same command again does nothing.
    """
    from forerun.deployments.forecast import forecast

    tell(forecast(deployment(name, output_dir, directory), data_file))
