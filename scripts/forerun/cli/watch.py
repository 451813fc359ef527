"""``forerun watch``: the live board of a run that was started elsewhere."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace


def command(
    run_id: RunArgument,
    output_dir: OutputDir = None,
    directory: Directory = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="One plain line per event, also in a terminal.")
    ] = False,
) -> None:
    """Show how a run goes on, until nobody works on it any more (Ctrl-C leaves it alone)."""
    from datetime import datetime

    from forerun import session
    from forerun.board import INTERVAL, Board
    from forerun.cli.console import is_terminal, say
    from forerun.listing import read_run

    folder = workspace(output_dir, directory).folder(run_id)
    holder = session.holder(folder)
    if holder is None:
        row = read_run(folder)
        return say(f"nobody works on run '{run_id}' now; it is {row.status}")
    since = datetime.fromisoformat(holder["started_at"]).timestamp()
    with Board(folder, plain=plain or not is_terminal(), since=since):
        while session.holder(folder) is not None:
            time.sleep(INTERVAL)
    return say(f"run '{run_id}' is {read_run(folder).status}")
