"""Create a run: validate the data; freeze data, provenance and configuration."""

from typing import TYPE_CHECKING

from forerun.jobs.helper import record

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(settings, **job):
    """Freeze a run; see :func:`forerun.forecasting.freeze.freeze`."""
    record(
        "forerun.forecasting.freeze:freeze",
        log_file=settings["log_file"],
        is_measured=True,
        settings=settings,
        **job,
    )


if __name__ == "__main__":
    main(
        settings=snakemake.params.settings,
        data_file=snakemake.input.data_file,
        to={name: snakemake.output[name] for name in ("data", "provenance", "config")},
        run_id=snakemake.wildcards.run_id,
        log=snakemake.log[0],
    )
