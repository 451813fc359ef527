"""Seal a run: record the sha256 of all frozen files."""

from pathlib import Path
from typing import TYPE_CHECKING

from forerun.base.errors import UserError
from forerun.jobs.logs import recording
from forerun.runs import summary
from forerun.runs.listing import read_run
from forerun.runs.seal import seal
from forerun.runs.state import failed_models

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(folder, leaderboard, sealed, models, accept_failures, log):
    """Write ``SEALED`` into the run's `folder`."""
    with recording(log):
        failed = failed_models(leaderboard)
        if failed and not accept_failures:
            named = "; ".join(f"{model}: {reason}" for model, reason in failed.items())
            raise UserError(f"not sealed as models failed ({named}); accept_failures=true seals it")
        if set(models) <= set(failed):
            raise UserError("not sealed: all models failed")
        seal(folder, sealed, failed=list(failed))
        summary.write(folder, read_run(folder))


if __name__ == "__main__":
    main(
        folder=str(Path(snakemake.input.config).parent),
        leaderboard=snakemake.input.leaderboard,
        sealed=snakemake.output[0],
        models=snakemake.params.models,
        accept_failures=snakemake.params.accept_failures,
        log=snakemake.log[0],
    )
