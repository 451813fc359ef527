"""Functions for the rules: settings, inputs and parameters by wildcards; resources.smk has more.

Short functions only: decisions are in the library, uses of Snakemake's internals in internals.smk.
Completed outputs are treated as source files: the rules that make them have a barrier as an input,
a path that cannot exist (get_barrier).
"""

from forerun.config import names, search
from forerun.config.windows import folds
from forerun.forecasting import shards
from forerun.runs import closed, paths, scores
from forerun.runs.json_files import plot_labels
from forerun.runs.request import Request
from forerun.runs.search import trials


def ask(question, *about):
    """Call a function of the library; a user error ends the call in one line."""
    try:
        return question(*about)
    except UserError as error:
        refuse(error)


LAYERS = None if IS_MODULE else ask(get_layers)
config.update(LAYERS.all if LAYERS else {})

RUNS = ask(paths.runs_folder, config.get("output_dir"))
#: Folder of deployments, next to the runs.
DEPLOYMENTS = (Path(RUNS).parent / "deployments").as_posix()
PARTS_OF_A_RUN = ["predictions", "plots", "report.html"]

#: Folder that functions read: the runs themselves, or a local snapshot of runs in object storage.
HERE = f".snakemake/forerun/{RUNS}" if STORAGE else RUNS

REQUEST = Request(Path(HERE), config, LAYERS, CORES, IS_PLANNING)


pathvars:
    runs=RUNS,
    deployments=DEPLOYMENTS,


# Run ids are checked with their settings, which gives a better message than a missing rule.
wildcard_constraints:
    run_id="[^/]+",
    model=paths.MODEL,
    fold=r"\d+",
    study=paths.MODEL,
    round=r"\d+",
    place=r"\d+",
    scatteritem=r"\d+-of-\d+",
    deployment="[^/]+",


def refresh():
    """Update the local snapshot of runs in object storage."""
    if STORAGE:
        snapshot.refresh(HERE, list_stored(RUNS))


refresh()

# -- Settings ---------------------------------------------------------------------------------


@cache
def get_default_run():
    """Return the run that `snakemake` without targets makes."""
    return ask(REQUEST.default_run)


def get_settings(run_id):
    settings = ask(REQUEST.settings, run_id)
    if STORAGE and settings.get("warm_start"):
        refuse("warm_start needs runs in a folder; it does not work with runs in object storage")
    return settings


def get_asked_settings(wildcards):
    return get_settings(wildcards.run_id)


def get_specs(run_id):
    return ask(REQUEST.models, run_id)


def get_models(run_id):
    return list(get_specs(run_id))


def get_folds(run_id):
    return list(range(len(folds(get_settings(run_id)))))


def get_setting(key):
    """Return a function of the wildcards that returns an operational setting."""

    def setting(wildcards):
        return ask(REQUEST.operational, wildcards.run_id, key)

    return setting


def get_model_names(wildcards):
    return get_models(wildcards.run_id)


def get_threads(wildcards):
    return get_settings(wildcards.run_id)["threads"]


# -- Files --------------------------------------------------------------------------------------


def get_run(run_id):
    return REQUEST.run(run_id)


@cache
def get_closed(run_id):
    """Return the closed outputs of a run at the start of the call."""
    return ask(closed.Closed.of, get_run(run_id))


def get_local(path):
    """Mark a path as local if the runs are in object storage."""
    return local(path) if STORAGE else path


def get_barrier(pattern):
    """Return an input function: a path that cannot exist if the output `pattern` is closed.

    Jobs have no barrier, as another job may complete the fit before a cluster starts them.
    """

    def barrier(wildcards):
        if not IS_PLANNING:
            return []
        run_id = wildcards.run_id
        path = get_closed(run_id).barrier(pattern.format(**dict(wildcards.items())))
        if not get_closed(run_id).is_sealed:
            rerun_outdated(run_id)
        return [get_local(f"{HERE}/{run_id}/{path}")] if path else []

    return barrier


def get_tables(wildcards):
    """Return the source tables of a new run, or the barrier of an existing run."""
    if barrier := get_barrier("config.yaml")(wildcards):
        return {"barrier": barrier}
    tables = ask(REQUEST.tables, wildcards.run_id)
    return {key: get_local(path) for key, path in tables.items()}


def get_fold_files(pattern):
    """Return an input function: `pattern` for each fold of the model."""

    def files(wildcards):
        return collect(pattern, fold=get_folds(wildcards.run_id), allow_missing=True)

    return files


def get_open(files):
    """Return an input function: the result of `files`, or nothing for a sealed run.

    For rules whose outputs a seal closes: their barrier stops them, so Snakemake need not plan
    their other inputs.
    """

    def open_files(wildcards):
        closed = IS_PLANNING and get_closed(wildcards.run_id).is_sealed
        return [] if closed else files(wildcards)

    return open_files


def get_model_files(pattern):
    """Return an input function: `pattern` for each model of the run."""

    def files(wildcards):
        return collect(pattern, model=get_models(wildcards.run_id), allow_missing=True)

    return files


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


def get_plot_setting(key):
    """Return a function of the wildcards that returns a setting of plots."""

    def setting(wildcards):
        return ask(REQUEST.plot_setting, wildcards.run_id, key)

    return setting


def get_plot_labels(wildcards):
    return plot_labels(get_run(wildcards.run_id).plots, wildcards.name)


def get_complete_targets(is_kind):
    """Return the targets of this call that are closed and exist, as files or as folders."""
    named = sorted({Path(target) for target in get_targets() if Path(target).is_relative_to(RUNS)})
    parts = [path.relative_to(RUNS) for path in named]
    return [f"{RUNS}/{part}" for part in parts if is_kind(f"{HERE}/{part}") and is_complete(part)]


def is_complete(part):
    return get_closed(part.parts[0]).holds("/".join(part.parts[1:]))


# -- Searches -------------------------------------------------------------------------------------


def get_study(wildcards):
    """Return the search of a job."""
    return ask(search.study, get_settings(wildcards.run_id), wildcards.study)


def get_search(wildcards):
    """Return the result of the search for a model's arguments; nothing for other models."""
    study = get_specs(wildcards.run_id)[wildcards.model].search
    if study and STORAGE:
        refuse("searches need runs in a folder; they do not work with runs in object storage")
    return [f"{RUNS}/{wildcards.run_id}/{search.FOLDER}/{study}/{search.CHOSEN}"] if study else []


def get_deployment(wildcards):
    """Return the files whose change makes an update due."""
    from forerun.deployments import inputs

    if STORAGE:
        refuse("deployments need runs in a folder; they do not work with runs in object storage")
    return ask(inputs.inputs, Path(DEPLOYMENTS).parent, wildcards.deployment)


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
