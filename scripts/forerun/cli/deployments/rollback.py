"""``rollback``: put an earlier champion into service again."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.deployments.common import NameArgument, Why, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            "-r",
            metavar="ID",
            help="The champion to return to; the previous one if omitted.",
        ),
    ] = None,
    reason: Why = "",
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Put the previous champion into service again."""
    from forerun.deployments.service import rollback

    report(rollback(deployment(name, output_dir, directory), reason, run_id))
