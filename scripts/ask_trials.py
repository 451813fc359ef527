"""Propose the trials of a round of a search, or promote those of the previous round."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.jobs.logs import recording
from forerun.jobs.search import ask
from forerun.runs.paths import RunPaths

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, study, number, log):
    """Write ``search/<study>/round_<number>.json``."""
    with recording(log):
        ask(RunPaths(Path(config).parent), study, number)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        study=snakemake.wildcards.study,
        number=int(snakemake.wildcards.round),
        log=snakemake.log[0],
    )
