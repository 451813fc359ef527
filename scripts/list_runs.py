"""Print the table of all runs."""

from typing import TYPE_CHECKING

from forerun.base.terminal import echo
from forerun.cli.run_table import report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(runs):
    """Print the table of the runs in the folder `runs`."""
    echo(report(runs))


if __name__ == "__main__":
    main(runs=snakemake.params.runs)
