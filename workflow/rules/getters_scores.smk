"""Functions for the rules: what depends on the scores of a run, which must exist first."""

from forerun.config import names
from forerun.forecasting import shards
from forerun.runs import scores


def get_seal(wildcards):
    """Return the run's seal, or nothing if the scored run may not be sealed due to failures."""
    run_id = wildcards.run_id
    if not get_closed(run_id).is_sealed:
        await_scores(run_id)
        refresh()
        accepted = ask(REQUEST.operational, run_id, "accept_failures")
        if not ask(scores.allow_seal, get_run(run_id), get_models(run_id), accepted):
            return []
    return f"{RUNS}/{run_id}/SEALED"


def get_scores(wildcards):
    """Return the score files for intervals and combinations; older runs may have fewer."""
    get_seal(wildcards)  # waits for the scores
    run, models = get_run(wildcards.run_id), get_models(wildcards.run_id)
    return [f"{RUNS}/{run.run_id}/{name}" for name in scores.existing(run, models)]


def get_combined_results(wildcards):
    """Return cross-validation results of the combinations; older runs may have none."""
    every = {f"cv_results_{name}.csv" for name in [*names.COMBINED, *names.FORMER]}
    return [path for path in get_scores(wildcards) if os.path.basename(path) in every]


def get_shards(wildcards):
    """Return the shards of a large run; nothing if a single job predicts the run.

    Like Snakemake's scattergather with `{scatteritem}`, but the number of shards depends on the
    number of series of each run, while the directive has one number for all runs.
    """
    get_seal(wildcards)  # waits for the scores
    run_id = wildcards.run_id
    size = ask(REQUEST.operational, run_id, "shard_size")
    items = ask(shards.names, get_run(run_id).folder, get_settings(run_id), size)
    return collect("<runs>/{run_id}/shard_{scatteritem}", scatteritem=items, allow_missing=True)
