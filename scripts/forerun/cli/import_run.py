"""``import``: import an exported run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, workspace


def command(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="Archive written by export.")],
    run_id: Annotated[
        str | None, typer.Option("--run-id", "-r", metavar="ID", help="New name of the run.")
    ] = None,
    max_size: Annotated[
        float,
        typer.Option("--max-size", metavar="GB", min=0, help="Maximum unpacked size."),
    ] = 20.0,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Import an exported run, completely or not at all; each entry is checked."""
    from forerun.base.terminal import echo
    from forerun.cli.console import warn
    from forerun.runs import seal
    from forerun.runs.archive import import_run
    from forerun.runs.state import is_sealed

    archive = archive.absolute()
    work = workspace(output_dir, directory)
    folder = import_run(archive, work.runs, run_id, int(max_size * 1e9))
    if is_sealed(folder):
        for checked in seal.verify_derived(folder).values():
            for line in checked.wrong:
                warn(f"{line} (differs from its recorded checksum)")
    echo(f"run {folder.name}: {folder}/", f"next: {work.next('predict', '--run-id', folder.name)}")
