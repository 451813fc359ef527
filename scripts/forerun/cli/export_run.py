"""``export``: write a run to one file that another machine can import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace


def command(
    run: RunArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Archive to write; <RUN>.tar.gz if omitted."),
    ] = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Write a run to a tar.gz archive that another machine can import and predict with."""
    from forerun.base.terminal import echo
    from forerun.cli.locks import alone
    from forerun.runs.archive import export_run

    folder = workspace(output_dir, directory).frozen(run)
    run = folder.name
    target = output or Path(f"{run}.tar.gz")
    with alone(folder):
        number = export_run(folder, target)
    echo(f"{target}: {number} files, {target.stat().st_size / 1e6:.1f} MB")
    echo(f"next, on the other machine: forerun import {target.name}")
