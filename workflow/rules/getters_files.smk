"""Functions for the rules: files of a run and their barriers.

Completed outputs are treated as source files: the rules that make them have a barrier as an input,
a path that cannot exist (get_barrier).
"""

from forerun.runs import closed


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
        return [get_local(f"{HERE}/{run_id}/{path}")] if path else []

    return barrier


def get_tables(wildcards):
    """Return the source tables of a new run, or the barrier of an existing run."""
    if barrier := get_barrier("config.yaml")(wildcards):
        return {"barrier": barrier}
    tables = ask(REQUEST.tables, wildcards.run_id)
    return {key: get_local(path) for key, path in tables.items()}


def get_fit_files(outcome):
    """Return an input function: what a fit with this outcome needs besides configuration and data.

    A single function, as Snakemake's overhead for each one exceeds the work of these: the result
    of a search, and the same fit of each member if the model is a mean.
    """
    barrier = get_barrier(outcome)

    def files(wildcards):
        run_id, model = wildcards.run_id, wildcards.model
        members = get_specs(run_id)[model].members or []
        parts = [outcome.format(**dict(wildcards.items()) | {"model": one}) for one in members]
        return {
            "search": get_search(run_id, model),
            "members": [f"{RUNS}/{run_id}/{part}" for part in parts],
            "barrier": barrier(wildcards),
        }

    return files


def get_fold_files(wildcards):
    """Return outcomes and results of a model's folds, and the barrier of its status."""
    run_id, model = wildcards.run_id, wildcards.model
    closed = IS_PLANNING and get_closed(run_id).is_sealed
    start = f"{RUNS}/{run_id}/parts/{model}/fold_"
    numbers = [] if closed else get_folds(run_id)
    return {
        "folds": [f"{start}{number}.json" for number in numbers],
        "results": [f"{start}{number}.parquet" for number in numbers],
        "barrier": get_barrier("status/{model}.json")(wildcards),
    }


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


def get_complete_targets(is_kind):
    """Return the targets of this call that are closed and exist, as files or as folders."""
    named = sorted({Path(target) for target in get_targets() if Path(target).is_relative_to(RUNS)})
    parts = [path.relative_to(RUNS) for path in named]
    return [f"{RUNS}/{part}" for part in parts if is_kind(f"{HERE}/{part}") and is_complete(part)]


def is_complete(part):
    return get_closed(part.parts[0]).holds("/".join(part.parts[1:]))


def get_deployment(wildcards):
    """Return the files whose change makes an update due."""
    from forerun.deployments import inputs

    if STORAGE:
        refuse("deployments need runs in a folder; they do not work with runs in object storage")
    return ask(inputs.inputs, Path(DEPLOYMENTS).parent, wildcards.deployment)
