"""``monitor``: write the page of a deployment and check alarms."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.cli.deployments.common import NameArgument, deployment
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="CONDITION",
            help="Exit with 1 if met: 'coverage_80<0.7'; repeatable.",
        ),
    ] = None,
    last: Annotated[
        int, typer.Option("--last", min=1, help="Number of newest scored origins to check.")
    ] = 3,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> int:
    """Write deployments/NAME/monitor.html; exit with 1 if a condition of --fail-if is met.

    Conditions apply to the champion's means over the newest scored origins: any column of
    scores.csv, and worse_than_promised (0.2: the error is 20 % above that of the back-test).
    """
    from forerun.base import text
    from forerun.base.terminal import echo
    from forerun.cli.console import warn
    from forerun.deployments import monitoring
    from forerun.deployments.runs import champion
    from forerun.report.monitor import write_monitor

    one = deployment(name, output_dir, directory).require()
    serving = champion(one)
    found = monitoring.standing(one, serving, last)
    raised = monitoring.alarms(found, fail_if or [])
    metric = one.settings().metric
    if found.got is not None:
        promised = text.error(metric, found.promised)
        echo(
            f"{text.metric(metric)} of {serving.model}: {promised} in the back-test, "
            f"{text.error(metric, found.got)} over {text.plural(found.origins, 'origin')}"
        )
    write_monitor(one, one.monitor)
    echo(f"page: {one.monitor}")
    for line in raised:
        warn(line)
    return int(bool(raised))
