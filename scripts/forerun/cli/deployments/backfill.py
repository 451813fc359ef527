"""``backfill``: forecast from earlier origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from forerun.cli.deployments.common import DataFile, NameArgument, deployment, report
from forerun.cli.workspace import Directory, OutputDir

if TYPE_CHECKING:
    from forerun.deployments.folder import Deployment


def command(
    name: NameArgument,
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="The first origin.")],
    every: Annotated[
        str, typer.Option("--every", metavar="SPAN", help="Time between origins, e.g. 4W")
    ],
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train a run for origins before the champion's data.")
    ] = False,
    data_file: DataFile = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> int:
    """Forecast from earlier origins with the data up to each; they are marked as backfill.

    If the data of all runs end after an origin, it is skipped with a message, or --retrain trains
    the run NAME_<origin> on the data up to it. Later origins use the newest such run; with the
    policy 'retrain: {every: ...}' of deployment.yaml more of them are trained.
    Rerun the command to resume.
    """
    from forerun.deployments.backfilling import backfill

    one = deployment(name, output_dir, directory).require()
    if retrain and (code := _train(one, start, every, data_file)):
        return code
    report(backfill(one, start, every, data_file))
    return 0


def _train(one: Deployment, start: str, every: str, data_file: str | None) -> int:
    """Train the missing runs; return the exit code of the first that fails, or 0."""
    from forerun.base.terminal import echo
    from forerun.cli.deployments.common import train_run
    from forerun.config.settings import dump
    from forerun.deployments import backfilling

    asked = backfilling.Request.of(one, start, every, data_file)
    wanted = backfilling.needed(one, asked)
    echo(backfilling.plan(wanted))
    for number, run in enumerate(wanted, 1):
        echo(f"run {number} of {len(wanted)}: {run.run_id}")
        settings = dump(backfilling.training_settings(one, asked, run))
        if code := train_run(one, run.run_id, settings):
            return code
    backfilling.clear_tables(one, asked.dated)
    return 0
