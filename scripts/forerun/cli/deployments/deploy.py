"""``deploy``: put a run into service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from forerun.cli.deployments.common import NameArgument, RunOption, Why, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    run_id: RunOption,
    data_file: Annotated[
        str,
        typer.Option("--data-file", "-d", metavar="FILE", help="The table, or a pattern: in/*.csv"),
    ],
    every: Annotated[
        str,
        typer.Option("--every", metavar="SPAN", help="Time between origins: 1W, 3M, 4 steps..."),
    ] = "1 steps",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Model whose forecast is used; the ensemble if omitted.",
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", help="Metric that gates and policies compare.")
    ] = "mae",
    static_file: Annotated[str | None, typer.Option("--static-file", metavar="FILE")] = None,
    futr_file: Annotated[str | None, typer.Option("--futr-file", metavar="FILE")] = None,
    reason: Why = "",
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Put a completed run into service: the deployment NAME forecasts with it from now on.

    All other settings (retraining, gates of a promotion) are in deployments/NAME/deployment.yaml.
    """
    from forerun.base.terminal import echo
    from forerun.deployments.folder import named_run
    from forerun.deployments.service import deploy

    values: dict[str, Any] = {
        "data_file": data_file, "every": every, "model": model, "metric": metric,
        "static_file": static_file, "futr_file": futr_file,
    }  # fmt: skip
    one = deployment(name, output_dir, directory)
    run_id = named_run(one.output, run_id)
    report(deploy(one, run_id, {k: v for k, v in values.items() if v is not None}, reason))
    echo(f"settings: {one.config}", f"next: forerun forecast {name}")
