"""Forecast the steps after each series' end with every model of a run that did not fail."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from forerun.errors import UserError
from forerun.files import new_folder, write_csv
from forerun.inference import UNVERIFIED, refuse_damaged
from forerun.predict import combinations, forecasts, points
from forerun.recording import recording
from forerun.runs import failed_models
from forerun.training import read_run_data
from forerun.yaml_files import load_yaml

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, data, models, leaderboard, folder, log, log_file=None):
    """Write ``<model>.csv`` into `folder` for each model that the leaderboard says is well.

    ``best.csv`` and ``ensemble.csv`` combine them.
    """
    with recording(log, log_file), new_folder(folder) as temporary:
        settings = load_yaml(config)
        failed = failed_models(leaderboard)  # in its back-test, perhaps: then it has a folder
        folders = {Path(m).name: Path(m) for m in models if Path(m).name not in failed}
        if not os.environ.get(UNVERIFIED):
            refuse_damaged(Path(config).parent, folders)
        table = read_run_data(data, settings)
        frames = {}
        for model, frame in forecasts(settings, table, folders):
            write_csv(temporary / f"{model}.csv", frame)
            frames[model] = points(frame, model, frames)
        if not frames:
            raise UserError("every model failed, nothing can forecast; status/ says why")
        for name, frame in combinations(settings, table, Path(config).parent, frames):
            write_csv(temporary / f"{name}.csv", frame)


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        models=snakemake.input.models,
        leaderboard=snakemake.input.leaderboard,
        folder=snakemake.output[0],
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
