"""Write the report of a run: one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.logs import recording
from forerun.report import write_report
from forerun.runs.records import recorded_files

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(folder, report, log, log_file=None):
    """Write `report` for the run in `folder`."""
    target = Path(report)
    with (
        recording(log, log_file),
        recorded_files(target.parent, ".", target.name) as temporary,
    ):
        write_report(folder, temporary / target.name)


if __name__ == "__main__":
    main(
        folder=Path(snakemake.input.config).parent,
        report=snakemake.output[0],
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
