"""``score``: compare earlier forecasts with actual values."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.deployments.common import NameArgument, deployment, tell
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    actuals: Annotated[
        str | None,
        typer.Option("--actuals", metavar="FILE", help="A table that has the newest values."),
    ] = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Score every origin whose values have arrived, or were restated since."""
    from forerun.deployments.service import score

    tell(score(deployment(name, output_dir, directory), actuals))
