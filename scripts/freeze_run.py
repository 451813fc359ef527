"""Create a run: validate the data; freeze data, provenance and configuration."""

from typing import TYPE_CHECKING

from forerun.forecasting.freeze import freeze
from forerun.jobs.logs import recording

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(settings, data_file, to, run_id, log):
    """Freeze the run `run_id`; see :func:`forerun.forecasting.freeze.freeze`."""
    with recording(log, settings["log_file"]):
        freeze(settings, data_file, to, run_id)


if __name__ == "__main__":
    main(
        settings=snakemake.params.settings,
        data_file=snakemake.input.data_file,
        to={name: snakemake.output[name] for name in ("data", "provenance", "config")},
        run_id=snakemake.wildcards.run_id,
        log=snakemake.log[0],
    )
