"""Seal a run: write down the sha256 of every frozen file."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.recording import recording
from forerun.runs import failed_models
from forerun.seal import seal

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(folder, leaderboard, sealed, log):
    """Write ``SEALED`` into the run's `folder`."""
    with recording(log):
        seal(folder, sealed, failed=list(failed_models(leaderboard)))


if __name__ == "__main__":
    main(
        folder=str(Path(snakemake.input.config).parent),
        leaderboard=snakemake.input.leaderboard,
        sealed=snakemake.output[0],
        log=snakemake.log[0],
    )
