"""``rename``: rename a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from forerun.base.errors import UserError
from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Force = Annotated[bool, typer.Option("--force", help="Rename or delete even if the run is sealed.")]


def command(
    run: RunArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="New id of the run.")],
    yes: Yes = False,
    force: Force = False,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Rename a run. Its frozen files are not changed and keep the old name."""
    from forerun.base.publishing import publish, sweep
    from forerun.base.terminal import echo
    from forerun.cli.console import confirm
    from forerun.cli.locks import alone
    from forerun.runs.paths import check_run_id

    work = workspace(output_dir, directory)
    sweep(work.runs)
    folder = work.folder(run)
    run = folder.name
    target = work.runs / check_run_id(new)
    if os.path.lexists(target):
        raise UserError(f"run '{new}' exists; choose another name")
    with alone(folder, moved=target):
        refuse_sealed(folder, force, "renamed")
        confirm(f"Rename run '{run}' to '{new}'?", yes)
        try:
            publish(folder, target)
        except FileExistsError:
            raise UserError(f"run '{new}' exists; choose another name") from None
    echo(f"run {run} is now {new}")


def refuse_sealed(folder: Path, force: bool, what: str) -> None:
    """Refuse to change a sealed run, or a run in service, without ``--force``."""
    from forerun.deployments.folder import serving
    from forerun.runs.state import is_sealed

    if not force and (names := serving(folder.parent.parent, folder.name)):
        raise UserError(
            f"run '{folder.name}' is in service in deployment {', '.join(names)}; it is {what} "
            "only with --force, and the deployment then needs another champion"
        )
    if is_sealed(folder) and not force:
        raise UserError(f"run '{folder.name}' is sealed; it is {what} only with --force")
