"""``list-runs``: print the table of all runs."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, workspace


def command(
    output_dir: OutputDir = None,
    sort: Annotated[
        str, typer.Option("--sort", metavar="COLUMN", help="Sort by this column, e.g. error.")
    ] = "created",
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, help="Maximum number of runs to show.")
    ] = None,
    terms: Annotated[
        str, typer.Option("--filter", metavar="TERMS", help="e.g. 'horizon=12 status=complete'")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    directory: Directory = None,
) -> None:
    """Print the table of all runs, newest first.

    Duration is the training time of all models.
    """
    from forerun.base.terminal import echo
    from forerun.cli import run_table
    from forerun.cli.console import is_terminal
    from forerun.runs import listing

    work = workspace(output_dir, directory)
    rows, stray = listing.scan(work.runs)
    chosen = run_table.order(run_table.choose(rows, terms), sort, reverse)[:limit]
    if as_json:
        return echo(run_table.as_json(chosen))
    if as_csv:
        return echo(run_table.as_csv(chosen))
    width = shutil.get_terminal_size().columns if is_terminal() else None
    if chosen:
        echo(run_table.table(chosen, width))
    elif rows:
        echo(f"no matching runs in {work.runs} ({len(rows)} in total)")
    else:
        echo(run_table.nothing(work.runs))
    echo(*run_table.remarks(work.runs, stray))
    return None
