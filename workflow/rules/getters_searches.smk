"""Functions for the rules: searches of models' arguments."""

from forerun.config import search
from forerun.runs.search import trials


def get_study(wildcards):
    """Return the search of a job."""
    return ask(search.study, get_settings(wildcards.run_id), wildcards.study)


def get_search(run_id, model):
    """Return the result of the search for a model's arguments; nothing for other models."""
    study = get_specs(run_id)[model].search
    if study and STORAGE:
        refuse("searches need runs in a folder; they do not work with runs in object storage")
    return [f"{RUNS}/{run_id}/{search.FOLDER}/{study}/{search.CHOSEN}"] if study else []


def get_earlier_trials(wildcards):
    """Return the files of all rounds of a search, or of those before the round of the job."""
    before = int(wildcards.round) if hasattr(wildcards, "round") else None
    run, study = get_run(wildcards.run_id), get_study(wildcards)
    found = trials(run, study, before)
    folder = f"{RUNS}/{run.run_id}/{search.FOLDER}/{study.name}"
    return {
        "outcomes": [f"{folder}/{trial.name}.json" for trial in found],
        "results": [f"{folder}/{trial.name}.parquet" for trial in found],
        "rounds": [f"{folder}/round_{number}.json" for number in sorted({t.round for t in found})],
    }
