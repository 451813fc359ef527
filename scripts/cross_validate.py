"""Fit one model before held-out windows and forecast them, in a process of its own."""

from typing import TYPE_CHECKING

from forerun.jobs.fit_job import Piece, perform

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, data, model, fold, results, **piece):
    """Write the forecasts of the windows of `fold`; an empty table and a reason if that fails."""
    arguments = {"config": config, "data": data, "model": model, "fold": fold, "output": results}
    perform(Piece("cross_validate", arguments, product=results, model=model, **piece))


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        model=snakemake.wildcards.model,
        fold=int(snakemake.wildcards.fold),
        results=snakemake.output.results,
        run=snakemake.wildcards.run_id,
        outcome=snakemake.output.outcome,
        log=snakemake.log[0],
        threads=snakemake.threads,
        tries=snakemake.resources.tries,
        **snakemake.params.how,
    )
