"""``retrain``: train a new run with the champion's settings on today's data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forerun.cli.deployments.common import (
    DataFile,
    NameArgument,
    deployment,
    report,
    settings_file,
    train_run,
)
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id", "-r", metavar="ID", help="Name of the new run; NAME_DATE if omitted."
        ),
    ] = None,
    data_file: DataFile = None,
    warm_start: Annotated[
        bool, typer.Option("--warm-start", help="Continue the weights of the champion's networks.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Overrides a champion's setting; repeatable."
        ),
    ] = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> int:
    """Train a run with the champion's settings on today's data; it becomes a challenger.

    'forerun promote' puts it into service if it is better on common origins. Rerun the command to
    resume an interrupted run.
    """
    from forerun.base.errors import UserError
    from forerun.deployments import inputs
    from forerun.deployments.retraining import new_run_id, request_text, training_settings
    from forerun.deployments.service import challenge
    from forerun.runs.paths import check_run_id

    one = deployment(name, output_dir, directory).require()
    files = inputs.find(one.settings(), data_file)
    if not Path(files.data).is_file():
        raise UserError(f"--data-file: there is no file '{files.data}'")
    for key, _, value in (text.partition("=") for text in set_ or []):
        if key.strip() == "horizon" and value.strip() != str(one.settings().horizon):
            raise UserError(
                f"--set horizon={value}: deployment '{name}' forecasts {one.settings().horizon} "
                "steps; train and deploy another run for another horizon"
            )
    settings = training_settings(one, files)
    if warm_start:
        settings["warm_start"] = one.champion().run_id
    request = request_text(settings, files, set_ or [])
    wanted = check_run_id(run_id or new_run_id(one, request))
    if code := train_run(one, wanted, request, set_ or []):
        return code
    report(challenge(one, wanted, "retrained"))
    settings_file(one, wanted).unlink()
    return 0
