"""``forecast``: forecast from the end of the newest data."""

from __future__ import annotations

from forerun.cli.deployments.common import DataFile, NameArgument, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    data_file: DataFile = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Forecast from the end of the newest data, with the champion and its challengers.

    Nothing is trained. Each origin is written once, so repeating the command does nothing.
    """
    from forerun.deployments.forecast import forecast

    report(forecast(deployment(name, output_dir, directory), data_file))
