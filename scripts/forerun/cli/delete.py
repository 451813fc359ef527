"""``delete``: remove a run."""

from __future__ import annotations

import os
import shutil

from forerun.cli.rename import Force, Yes, refuse_sealed
from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace
from forerun.files import TEMPORARY


def command(
    run: RunArgument,
    yes: Yes = False,
    force: Force = False,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Remove a run and everything in it."""
    from forerun.cli.console import confirm, say
    from forerun.cli.locks import refuse_if_busy

    work = workspace(output_dir, directory)
    folder = work.folder(run)
    refuse_if_busy(folder)
    refuse_sealed(folder, force, "deleted")
    confirm(f"Delete run '{run}' with everything in it? This cannot be undone.", yes)
    if folder.is_symlink():
        folder.unlink()
    else:
        # Renamed first: interrupted half-way, there is no half run in the table.
        gone = folder.with_name(f"{TEMPORARY}deleted-{os.getpid()}-{run}")
        os.rename(folder, gone)
        shutil.rmtree(gone)
    say(f"run {run} is deleted")
