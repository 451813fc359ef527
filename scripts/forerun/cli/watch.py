"""``watch``: show live progress of a run that was started elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace


def command(
    run_id: RunArgument,
    output_dir: OutputDir = None,
    directory: Directory = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print one line for each event, also in a terminal.")
    ] = False,
) -> None:
    """Show the progress of a run until it ends (Ctrl-C stops watching, not the run)."""
    from forerun.base.terminal import echo
    from forerun.cli.board import INTERVAL, Board
    from forerun.cli.console import is_terminal
    from forerun.runs import session
    from forerun.runs.listing import read_run

    folder = workspace(output_dir, directory).folder(run_id)
    run_id = folder.name
    if not session.is_running(folder):
        row = read_run(folder)
        return echo(f"run '{run_id}' is not in use; it is {row.status}")
    with Board(folder, plain=plain or not is_terminal(), since=_since(folder)):
        while session.is_running(folder):
            time.sleep(INTERVAL)
    return echo(f"run '{run_id}' is {read_run(folder).status}")


def _since(folder: Path) -> float:
    """Return when the call that uses the run started; its session file is written later."""
    from datetime import datetime

    from forerun.runs import session

    holder = session.holder(folder)
    try:
        if holder is not None:
            return datetime.fromisoformat(str(holder.get("started_at"))).timestamp()
        return (folder / session.LOCK).stat().st_mtime
    except (OSError, ValueError):
        return time.time()
