"""Helpers of the commands of deployments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forerun.cli.workspace import workspace

if TYPE_CHECKING:
    from forerun.deployments.folder import Deployment
    from forerun.deployments.result import Result

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the deployment.")]
RunOption = Annotated[
    str, typer.Option("--run-id", "-r", metavar="ID", help="Run to put into service.")
]
DataFile = Annotated[
    str | None,
    typer.Option(
        "--data-file", "-d", metavar="FILE", help="Table; that of deployment.yaml if omitted."
    ),
]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Recorded with the change.")]


def deployment(name: str, output_dir: str | None, directory: Path | None) -> Deployment:
    """Return the deployment with a name, which need not exist."""
    from forerun.deployments.folder import Deployment

    return Deployment(workspace(output_dir, directory).output, name)


def train_run(one: Deployment, run_id: str, settings: str, assignments: Sequence[str] = ()) -> int:
    """Train a run for a deployment; return the exit code.

    The settings are passed in a file, as options cannot express models with arguments. The caller
    removes it.

    Parameters
    ----------
    settings : YAML
    assignments : ``key=value`` of ``--set``, which override the settings
    """
    from forerun.base.files import write_text
    from forerun.cli.call import gather
    from forerun.cli.training import train

    file = settings_file(one, run_id)
    write_text(file, settings)
    options = {"run_id": run_id}
    if str(one.output) != ".":
        options["output_dir"] = str(one.output)
    try:
        return train(gather([file], options, (), assignments), dry_run=False, verbose=False)
    finally:
        if not one.run(run_id).exists():  # refused before it started
            file.unlink()


def settings_file(one: Deployment, run_id: str) -> Path:
    """Return the path of the settings file of a run."""
    return one.tables / f"{run_id}.yaml"


def report(result: Result) -> None:
    """Print the messages of a call; warnings go to standard error."""
    from forerun.base.terminal import echo
    from forerun.cli.console import warn

    for line in result.lines:
        if line.startswith("warning: "):
            warn(line.removeprefix("warning: "))
        else:
            echo(line)
