"""``runs-page``: write an HTML page with all runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, workspace


def command(
    output_dir: OutputDir = None,
    directory: Directory = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="File of the page; runs.html next to the folder runs/ if omitted.",
        ),
    ] = None,
) -> None:
    """Write an overview page of all runs: search, sort, best error over time, links to reports."""
    from forerun.base.errors import UserError
    from forerun.base.terminal import echo
    from forerun.report.runs_page import write_runs_page

    work = workspace(output_dir, directory)
    runs = work.runs
    if not runs.is_dir():
        raise UserError(f"there is no folder {runs}; create a run with 'train'")
    echo(str(write_runs_page(runs, to or work.output / "runs.html")))
