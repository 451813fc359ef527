"""``delete``: delete a run."""

from __future__ import annotations

from forerun.cli.rename import Force, Yes, refuse_sealed
from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace


def command(
    run: RunArgument,
    yes: Yes = False,
    force: Force = False,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Delete a run and everything in it."""
    from forerun.base.publishing import discard, sweep
    from forerun.base.terminal import echo
    from forerun.cli.console import confirm
    from forerun.cli.locks import alone

    work = workspace(output_dir, directory)
    sweep(work.runs)
    folder = work.folder(run)
    run = folder.name
    with alone(folder):
        refuse_sealed(folder, force, "deleted")
        confirm(f"Delete run '{run}' with everything in it? This cannot be undone.", yes)
        if folder.is_symlink():
            folder.unlink()
        else:
            discard(folder)
    echo(f"deleted run {run}")
