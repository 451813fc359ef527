"""Put the pieces of one model together: its cross-validation results and its status."""

from typing import TYPE_CHECKING

from forerun.jobs.collect import collect
from forerun.jobs.logs import recording

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(model, final, folds, results, benchmarks, cv_results, status, config, data, log):
    """Write ``cv_results_<model>.csv`` and ``status/<model>.json``."""
    with recording(log):
        collect(model, final, folds, results, benchmarks, cv_results, status, config, data)


if __name__ == "__main__":
    main(
        model=snakemake.wildcards.model,
        final=snakemake.input.final,
        folds=list(snakemake.input.folds),
        results=list(snakemake.input.results),
        benchmarks={
            "train_model": [snakemake.params.train_benchmarks],
            "cross_validate": list(snakemake.params.cv_benchmarks),
        },
        cv_results=snakemake.output.cv_results,
        status=snakemake.output.status,
        config=snakemake.input.config,
        data=snakemake.input.data,
        log=snakemake.log[0],
    )
