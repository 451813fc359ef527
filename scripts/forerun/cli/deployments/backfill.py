"""``backfill``: forecast from earlier origins, as if they were new."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.deployments.common import DataFile, NameArgument, deployment, tell
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="The first origin.")],
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="Between origins: 4W")],
    data_file: DataFile = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Forecast from earlier origins. Each sees only what there was then; marked as backfill.

    A run whose own data end later than an origin would have seen the future there: that origin is
    left out, and said.
    """
    from forerun.deployments.forecast import backfill

    tell(backfill(deployment(name, output_dir, directory), start, every, data_file))
