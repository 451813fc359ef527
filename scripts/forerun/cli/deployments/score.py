"""``score``: compare earlier forecasts with actual values."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.deployments.common import NameArgument, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    actuals: Annotated[
        str | None,
        typer.Option("--actuals", metavar="FILE", help="A table with the newest values."),
    ] = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Score every origin whose actual values have arrived or changed."""
    from forerun.deployments.service import score

    report(score(deployment(name, output_dir, directory), actuals))
