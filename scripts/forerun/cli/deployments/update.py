"""``update``: do everything that is due for a deployment."""

from __future__ import annotations

from forerun.cli.deployments.common import DataFile, NameArgument, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    data_file: DataFile = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Do everything that is due: record new values, forecast, score, and write the page.

    For cron: repeating it does nothing. Nothing is trained; if retraining is due, a message says
    so ('forerun retrain').
    """
    from forerun.base.terminal import echo
    from forerun.deployments.update import retrain_due, update

    one = deployment(name, output_dir, directory)
    result = update(one, data_file)
    report(result)
    if result.changed or not one.monitor.is_file():
        from forerun.report.monitor import write_monitor

        write_monitor(one, one.monitor)
        echo(f"page: {one.monitor}")
    if due := retrain_due(one):
        echo(f"retraining is due: {due}; 'forerun retrain {name}'")
