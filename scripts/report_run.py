"""Write the report of a run: one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.helper import record

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(**job):
    """Write the page of a run; see :func:`forerun.report.run_report.record_report`."""
    record("forerun.report.run_report:record_report", is_measured=True, **job)


if __name__ == "__main__":
    main(
        folder=str(Path(snakemake.input.config).parent),
        report=snakemake.output[0],
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
