"""What happens at the start and at the end of each call. No rules here."""

import time

from forerun.evaluation import cautions
from forerun.jobs import model_cache, server
from forerun.runs import seal, session

#: Rules whose jobs import the forecasting libraries.
FORECASTING = (
    "train_baseline",
    "cross_validate_baseline",
    "train_model",
    "cross_validate",
    "predict_shard",
    "predict_run",
)

#: When this call began, in seconds since 1970.
BEGAN = time.time()

#: The process that has imported them for all jobs of this call, if there is one.
PRELOADED = []


def start_preloaded():
    """Import the forecasting libraries once for all jobs, if they run here."""
    here = workflow.is_main_process and workflow.local_exec
    if not here or workflow.deployment_settings.deployment_method:
        return  # jobs run on other machines, or in other environments
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name in FORECASTING]
    engines = {engine for job in jobs for engine in get_engines(job)}
    # Fits may all come from the store, forecasts never do.
    predicting = any(job.rule.name == "predict_run" for job in jobs)
    at_once = predicting or not (Path(RUNS) / model_cache.FOLDER).is_dir()
    if jobs and (preloaded := server.start(engines, at_once)):
        PRELOADED.append(preloaded)


def get_engines(job):
    """Return the engines that a job needs."""
    models = get_specs(job.wildcards.run_id)
    if "model" in job.wildcards_dict:
        return {models[job.wildcards.model].engine}
    return {spec.engine for spec in models.values()}


def stop_preloaded():
    while PRELOADED:
        PRELOADED.pop().stop()


def limit_gpus():
    """Let no more jobs run than this machine's GPUs have slots, unless the call says how many."""
    if not RUNS_HERE or "gpu" in workflow.global_resources or not needs_gpus():
        return
    shared = max(get_operational(run_id, "gpu_jobs") for run_id in SESSION)
    if slots := get_number_of_gpus() * shared:
        workflow.register_resource("gpu", slots)
        workflow.scheduler.global_resources["gpu"] = slots  # what jobs take is counted


def needs_gpus():
    settings = [get_settings(run_id) for run_id in SESSION]
    return any(gpus.are_used(one, spec) for one in settings for spec in specs(one))


def open_sessions():
    """Say which runs this call works on; refuse a run that somebody else works on."""
    folders = [Path(HERE) / run_id for run_id in sorted(SESSION)]
    try:
        for folder in folders:
            session.refuse_if_busy(folder)
    except UserError as error:
        refuse(error)
    for folder in folders:
        session.begin(folder)


def close_sessions():
    """Say that this call is over, and remove what killed jobs left half-written."""
    refresh()
    for run_id in SESSION:
        folder = Path(HERE) / run_id
        session.end(folder)
        if session.holder(folder) is None:
            seal.sweep(folder)


def end_with_failures():
    """End the call with exit code 1 if a run has failed models that nobody has accepted."""
    lines = []
    for run_id in sorted(SESSION):
        folder = Path(HERE) / run_id
        if state.is_sealed(folder):
            continue
        failed = unfinished_models(paths.RunPaths(folder), since=BEGAN)
        if (leaderboard := folder / "leaderboard.csv").is_file():
            failed |= state.failed_models(leaderboard)
        for model, reason in failed.items():
            lines.append(f"forerun: run '{run_id}': {model} failed: {reason}")
    if lines and not workflow.dryrun:
        advice = "the same command tries again what failed; accept_failures=true keeps it so"
        complain(*lines, f"forerun: {advice}")
        raise SystemExit(1)


def print_cautions():
    """Name the models without forecasts, and networks worse than the seasonal naive forecast."""
    for run_id in sorted(SESSION) if not workflow.dryrun else []:
        for line in cautions.of_run(Path(HERE) / run_id):
            complain(f"forerun: warning: run '{run_id}': {line}")


def end_with_refusals():
    """End the call with exit code 2 if a run was refused; leave no empty folder of it."""
    refused = [run_id for run_id in sorted(SESSION) if is_refused(Path(HERE) / run_id)]
    for run_id in refused:
        if not state.is_frozen(Path(HERE) / run_id):
            state.remove_if_never_begun(Path(HERE) / run_id)
    if refused:
        raise SystemExit(2)


def is_refused(folder):
    """Tell whether a job of this call said what the user has to mend.

    That is the data of a run that is to be created, or a model of a sealed run that was damaged.
    """
    stage = "predict_run" if state.is_sealed(folder) else "freeze_run"
    log = folder / "logs" / f"{stage}.log"
    written = log.is_file() and log.stat().st_mtime >= BEGAN
    return written and "forerun: error:" in log.read_text(encoding="utf-8", errors="replace")


onstart:
    open_sessions()
    limit_gpus()
    start_preloaded()


onsuccess:
    stop_preloaded()
    close_sessions()
    print_cautions()
    end_with_failures()


onerror:
    stop_preloaded()
    close_sessions()
    end_with_refusals()
    end_with_failures()
