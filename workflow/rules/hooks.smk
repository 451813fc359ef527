"""Hooks at the start and the end of each call; no rules."""

import gc
import time

from forerun.base.garbage import end_fast
from forerun.evaluation import cautions
from forerun.jobs import model_cache, server
from forerun.runs import refusals, seal, session, state
from forerun.runs.endings import Ending

#: Rules whose jobs import the forecasting libraries.
FORECASTING = (
    "train_baseline",
    "cross_validate_baseline",
    "train_model",
    "cross_validate",
    "run_trial",
    "predict_shard",
    "predict_run",
)

#: When this call began, in seconds since 1970.
BEGAN = time.time()

# Everything already imported stays until the end; searching it for garbage takes a quarter of the
# time of a call with nothing to do.
gc.freeze()
end_fast()

#: The server of this call, if there is one.
SERVERS = []


def get_runs():
    """Return the runs of this call."""
    planned = {job.wildcards.run_id for job in get_jobs()}
    return [get_run(run_id) for run_id in sorted(planned | COMPLETE_RUNS)]


def start_server():
    """Import the forecasting libraries once for all jobs, if they run on this machine."""
    if not IS_PLANNING or not RUNS_HERE or has_own_environments():
        return  # jobs run on other machines, or in other environments
    jobs = [job for job in get_jobs(planned=True) if job.rule.name in FORECASTING]
    engines = {engine for job in jobs for engine in get_engines(job)}
    # All fits may be reused from the cache, forecasts never are.
    predicting = any(job.rule.name == "predict_run" for job in jobs)
    at_once = predicting or not (Path(RUNS) / model_cache.FOLDER).is_dir()
    if jobs and (started := server.start(engines, at_once)):
        SERVERS.append(started)


def get_engines(job):
    """Return the engines of a job."""
    models = get_specs(job.wildcards.run_id)
    if "study" in job.wildcards_dict:
        return {get_study(job.wildcards).base.engine}
    if "model" in job.wildcards_dict:
        return {models[job.wildcards.model].engine}
    return {spec.engine for spec in models.values()}


def stop_server():
    while SERVERS:
        SERVERS.pop().stop()


def limit_gpus():
    """Limit jobs to the slots of this machine's GPUs, unless the call sets a limit."""
    runs = [run.run_id for run in get_runs()]
    if RUNS_HERE and any(resources.uses_gpus(get_settings(run_id)) for run_id in runs):
        jobs = max(ask(REQUEST.operational, run_id, "gpu_jobs") for run_id in runs)
        if slots := get_number_of_gpus() * jobs:
            limit_resource("gpu", slots)


def open_sessions():
    """Start a session on each run; refuse a run that is in use."""
    folders = [run.folder for run in get_runs()]
    for folder in folders:
        ask(session.refuse_if_busy, folder)
    for folder in folders:
        refusals.clear_run(folder)
        session.begin(folder)


def close_sessions():
    """End the sessions, and remove temporary files of killed jobs."""
    refresh()
    for run in get_runs():
        session.end(run.folder)
        if session.holder(run.folder) is None:
            seal.sweep(run.folder)


def print_cautions():
    """Print warnings about models without forecasts, and networks worse than SeasonalNaive."""
    for run in get_runs():
        for line in cautions.of_run(run.folder):
            echo_error(f"forerun: warning: run '{run.run_id}': {line}")


def end_with_failures():
    """Exit with code 2 if a job was refused, 1 if a model failed; see Ending."""
    ending = ask(Ending.of, get_runs(), BEGAN)
    echo_error(*ending.lines)
    for run_id in ending.refused:
        state.remove_if_never_started(get_run(run_id).folder)
    if ending.code:
        raise SystemExit(ending.code)


onstart:
    open_sessions()
    limit_gpus()
    start_server()


onsuccess:
    stop_server()
    close_sessions()
    print_cautions()
    end_with_failures()


onerror:
    stop_server()
    close_sessions()
    end_with_failures()
