"""Choose the best trials of a search, which become models of the run."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.base.terminal import echo
from forerun.jobs.logs import recording
from forerun.jobs.search import conclude
from forerun.runs.paths import RunPaths

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, study, log):
    """Write ``search/<study>/study.csv`` and ``chosen.json``."""
    with recording(log):
        if reason := conclude(RunPaths(Path(config).parent), study).reason:
            echo(reason)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        study=snakemake.wildcards.study,
        log=snakemake.log[0],
    )
