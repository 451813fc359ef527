"""``rollback``: put the champion before the present one into service again."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.deployments.common import NameArgument, Why, deployment, tell
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", "-r", metavar="ID", help="That run: repeating it is safe."),
    ] = None,
    reason: Why = "",
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Put the champion before the present one into service again."""
    from forerun.deployments.service import rollback

    tell(rollback(deployment(name, output_dir, directory), reason, run_id))
