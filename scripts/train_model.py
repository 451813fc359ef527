"""Fit one model to all data of the run, in a process of its own."""

from typing import TYPE_CHECKING

from forerun.jobs.fit_job import Piece, perform

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, data, model, folder, **piece):
    """Fit `model` and save it as `folder`; an empty folder and a reason if that fails."""
    arguments = {"config": config, "data": data, "model": model, "folder": folder}
    perform(Piece("train_model", arguments, product=folder, model=model, **piece))


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        model=snakemake.wildcards.model,
        folder=snakemake.output.model,
        run=snakemake.wildcards.run_id,
        outcome=snakemake.output.outcome,
        log=snakemake.log[0],
        threads=snakemake.threads,
        tries=snakemake.resources.tries,
        **snakemake.params.how,
    )
