"""Update a deployment and its page."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.base.terminal import echo
from forerun.deployments.folder import Deployment
from forerun.deployments.update import update
from forerun.jobs.logs import recording
from forerun.report.monitor import write_monitor

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(monitor, log, log_file=None):
    """Update the deployment whose page is `monitor` and write that page."""
    folder = Path(monitor).parent
    deployment = Deployment(folder.parent.parent, folder.name)
    with recording(log, log_file):
        result = update(deployment)
        write_monitor(deployment, monitor)
        echo(*result.lines)


if __name__ == "__main__":
    main(
        monitor=snakemake.output[0],
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
