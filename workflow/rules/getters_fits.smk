"""Functions for the rules of fits and forecasts: their operational settings and resources."""

from forerun.config.engines import ENGINES
from forerun.jobs import fit_history, gpus, resources
from forerun.runs import state
from forerun.runs.fit import Fit
from forerun.runs.search import Trial

# -- Fits -----------------------------------------------------------------------------------------

#: Operational settings of a fit.
FIT_SETTINGS = (*("max_time", "time_limit", "log_file", "reuse", "gpu_jobs", "checkpoint_minutes"),)


def get_fit(wildcards):
    """Return the fit of a job."""
    if hasattr(wildcards, "study"):
        numbers = {key: int(wildcards[key]) for key in ("round", "place")}
        return Trial(get_run(wildcards.run_id), wildcards.study, **numbers)
    fold = int(wildcards.fold) if hasattr(wildcards, "fold") else None
    return Fit(get_run(wildcards.run_id), wildcards.model, fold)


@cache
def get_fit_settings(run_id):
    return {key: ask(REQUEST.operational, run_id, key) for key in FIT_SETTINGS}


def get_fit_options(wildcards):
    """Return the operational settings of a fit and the number of its failures.

    A single parameter, as Snakemake checks each one for each job. The number of failures makes a
    failed fit a changed job. Trials that failed are not run again.
    """
    how = get_fit_settings(wildcards.run_id)
    is_trial = hasattr(wildcards, "study")
    return how | {"failures": 0 if is_trial else get_fit(wildcards).failures()}


def get_model(wildcards):
    """Return the model of a fit; of a trial, the first model of its search."""
    if hasattr(wildcards, "study"):
        return get_study(wildcards).models[0]
    return wildcards.model


def get_fit_priority(wildcards):
    spec = get_specs(wildcards.run_id)[wildcards.model]
    is_final = not hasattr(wildcards, "fold")
    return resources.fit_priority(spec, get_settings(wildcards.run_id), is_final)


# -- Resources ------------------------------------------------------------------------------------


def get_size(wildcards, input):
    """Return the size of the run's configuration and data in MB; 0 before the run is created."""
    if STORAGE:
        return input.size_mb
    folder = get_run(wildcards.run_id).folder
    return fit_history.size(folder) if state.is_frozen(folder) else 0


def get_usual_memory(wildcards, input, attempt):
    return resources.usual_memory(get_size(wildcards, input), attempt)


def get_collecting_memory(wildcards, input, attempt):
    return resources.collecting_memory(get_size(wildcards, input), attempt)


def get_tables_memory(wildcards, input, attempt):
    return resources.tables_memory(get_size(wildcards, input), attempt)


def get_shard_memory(wildcards, input, attempt):
    number = int(wildcards.scatteritem.rpartition("-")[2])
    return resources.shard_memory(input.size_mb, number, attempt)


@cache
def get_earlier_fits():
    """Return the costs of earlier fits; not in jobs, which already have their resources."""
    return fit_history.costs(HERE) if IS_PLANNING else []


@cache
def get_kinds(run_id, is_frozen):
    """Return the kind of fit for each model; it may change when the run is frozen."""
    return ask(resources.kinds, get_run(run_id), get_settings(run_id))


def get_training_memory(wildcards, input, attempt):
    run = get_run(wildcards.run_id)
    return resources.fit_memory(
        get_earlier_fits(),
        get_kinds(run.run_id, state.is_frozen(run.folder))[get_model(wildcards)],
        get_size(wildcards, input),
        attempt,
        get_fit(wildcards).failures(among=fit_history.OF_MEMORY),
    )


def get_training_runtime(wildcards, input, attempt):
    fast = ENGINES[get_specs(wildcards.run_id)[get_model(wildcards)].engine].local
    max_time = ask(REQUEST.operational, wildcards.run_id, "max_time")
    size = get_size(wildcards, input)  # input.size_mb starts an event loop each time
    return resources.fit_minutes(max_time, fast, size, attempt)


def get_gpus(wildcards):
    """Return 1 for a job that requests a GPU; otherwise None, which executors ignore."""
    models = get_specs(wildcards.run_id)
    is_fit = hasattr(wildcards, "model") or hasattr(wildcards, "study")
    used = [models[get_model(wildcards)]] if is_fit else list(models.values())
    return 1 if resources.needs_gpu(get_settings(wildcards.run_id), used, has_gpus) else None


@cache
def has_gpus():
    """Return whether jobs run on this machine and it has GPUs."""
    return RUNS_HERE and get_number_of_gpus() > 0


@cache
def get_number_of_gpus():
    return len(gpus.visible())


def get_tries(wildcards, attempt):
    return attempt
