"""Compute the errors of all models of a run; rank them."""

from typing import TYPE_CHECKING

from forerun.yaml_files import load_yaml
from forerun.files import read_json, write_csv
from forerun.metrics import leaderboard, metrics_table
from forerun.recording import recording
from forerun.training import read_run_data

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(config, data, models, cv_results, statuses, metrics, board, log, log_file=None):
    """Write ``metrics.csv`` and ``leaderboard.csv``; `models` names the files' models in order."""
    with recording(log, log_file):
        settings = load_yaml(config)
        history = read_run_data(data, settings).history[["unique_id", "ds", "y"]]
        states = {model: read_json(path) for model, path in zip(models, statuses, strict=True)}
        good = {
            model: path
            for model, path in zip(models, cv_results, strict=True)
            if states[model]["status"] == "ok"
        }
        table = metrics_table(good, history, settings)
        write_csv(metrics, table)
        write_csv(board, leaderboard(table, states, settings))


if __name__ == "__main__":
    main(
        config=snakemake.input.config,
        data=snakemake.input.data,
        models=snakemake.params.models,
        cv_results=snakemake.input.cv_results,
        statuses=snakemake.input.statuses,
        metrics=snakemake.output.metrics,
        board=snakemake.output.leaderboard,
        log=snakemake.log[0],
        log_file=snakemake.params.log_file,
    )
