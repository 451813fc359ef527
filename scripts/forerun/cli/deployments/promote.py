"""``promote``: put a challenger into service if it passes the gates."""

from __future__ import annotations

from typing import Annotated

import typer

from forerun.base.errors import UserError
from forerun.cli.deployments.common import NameArgument, RunOption, Why, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    run_id: RunOption,
    force: Annotated[
        bool, typer.Option("--force", help="Promote even if a gate is not passed; needs --reason.")
    ] = False,
    reason: Why = "",
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> int:
    """Put a run into service if it forecasts better than the champion on common origins.

    The conditions are the gates of deployment.yaml. If one is not met, a table of all is printed
    and the exit code is 1.
    """
    from forerun.base.terminal import echo
    from forerun.cli.console import cell, show, table
    from forerun.deployments.folder import named_run
    from forerun.deployments.service import check_gates, promote

    if force and not reason:
        raise UserError("--force needs --reason: it is kept in champions.jsonl")
    one = deployment(name, output_dir, directory).require()
    run_id = named_run(one.output, run_id)
    if run_id == one.champion().run_id:
        echo(f"run {run_id} is in service already")
        return 0
    try:
        checks = check_gates(one, run_id)
    except UserError:
        if not force:
            raise
        checks = []
    rows = [
        (c.name, cell(c.value), cell(c.limit), "passed" if c.passed else "NOT PASSED", c.detail)
        for c in checks
    ]
    if rows:
        show(table(["gate", "found", "limit", "", ""], rows, f"{run_id} for {name}"))
    if not force and not all(check.passed for check in checks):
        echo(f"run {run_id} is not promoted; --force --reason '...' promotes it anyway")
        return 1
    report(promote(one, run_id, checks, reason))
    return 0
