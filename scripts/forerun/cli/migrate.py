"""``migrate``: convert an old, unversioned output folder to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, workspace


def command(
    output_dir: OutputDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; do nothing.")] = False,
    directory: Directory = None,
) -> None:
    """Move models/, metrics.csv and cv_results_*.csv of an old output folder into a run.

    First the files are archived next to the folder and the archive is verified. Nothing is deleted.
    If interrupted, rerun the command to resume.
    """
    from forerun.base.terminal import echo
    from forerun.legacy.migration import migrate, plan

    work = workspace(output_dir, directory)
    steps = plan(work.output)
    if steps is None:
        echo(f"nothing to migrate: there are no unversioned results in {work.output.absolute()}")
        return
    resumed = steps.journal.is_file()
    echo(f"{'resuming with' if resumed else 'found'}: {', '.join(steps.names)}")
    echo(f"archive: {steps.archive}", f"run: {steps.target}/")
    if dry_run:
        echo("nothing was done (--dry-run)")
        return
    folder = migrate(steps)
    command = work.next("predict", "--run-id", folder.name, "--trust")
    echo(f"done; next: {command}   (see docs/migration.md)")
