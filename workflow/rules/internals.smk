"""All uses of Snakemake's internals, tested by tests/test_internals.py.

All other files use only the documented language and the library in scripts/forerun. This file is
included first, as it adds the library to the import path.
"""

import os
import sys
from functools import cache
from pathlib import Path

# `current_basedir`: the folder of these rules, with the matching library next to it. A module from a
# Git repository has no folder, so it uses the installed library.
if isinstance(workflow.current_basedir, os.PathLike):
    sys.path.insert(0, str(Path(workflow.current_basedir).parent.parent / "scripts"))

from forerun.base.errors import UserError
from forerun.base.terminal import echo_error
from forerun.config import typed
from forerun.config.layers import Layers
from forerun.runs import snapshot
from forerun.runs.closed import outdated

#: `modifier.is_main_snakefile`: whether another workflow uses these rules as a module; then its
#: files, options and experiments are not read.
IS_MODULE = not workflow.modifier.is_main_snakefile()

#: `is_main_process`: false in jobs, which use what was planned.
IS_PLANNING = workflow.is_main_process

#: `resource_settings.nodes`: whether jobs run on this machine rather than on a cluster.
RUNS_HERE = workflow.resource_settings.nodes is None

#: `local_exec`, `cores`: the cores that local jobs share; on a cluster each job has separate cores.
CORES = workflow.cores if workflow.local_exec else None

#: `storage_registry`: the default object storage (`--default-storage-provider s3`), if any.
STORAGE = workflow.storage_registry.default_storage_provider


#: Runs whose outdated files were found (rerun_outdated).
PLANNED_RUNS = set()


def refuse(error):
    """Print a user error in one line and exit with code 2."""
    echo_error(error, before="forerun: error: ")
    raise SystemExit(2)


def get_layers():
    """Return the configuration layers of this call, with values as typed.

    `config_settings`: `config` does not record the origin of values, and Snakemake parses a run id
    such as 2024_11 as a number.
    """
    given = workflow.config_settings
    options = typed.options(given.config or {}, given.config_args or [])
    try:
        return Layers.of(given.configfiles, options, not given.replace_workflow_config)
    except UserError as error:
        refuse(error)


def get_targets():
    """Return the words of the command line, which include the targets.

    `sys.argv`: Snakemake sets `workflow.dag_settings` after parsing the rules, and complete targets
    need a rule (complete.smk). Empty with `--delete-all-output`, which would delete outputs of such
    rules, and in jobs, whose command line contains their inputs.
    """
    deletes = any(word.startswith("--delete-") for word in sys.argv)
    return sys.argv if IS_PLANNING and not deletes else []


def list_stored(folder):
    """Return the objects below a folder of the default storage.

    `storage_registry`, `storage_settings`: the state of runs is read from these objects.
    """
    prefix = workflow.storage_settings.default_storage_prefix.rstrip("/")
    stored = STORAGE.object(f"{prefix}/{folder}")
    if not hasattr(stored, "get_subkeys"):
        refuse("runs can be stored in S3 storage only")
    return [
        snapshot.Stored(
            one.key.removeprefix(f"{stored.key}/"), one.last_modified, one.Object().download_file
        )
        for one in (stored.get_subkeys() if stored.bucket_exists() else [])
    ]


def rerun_outdated(wildcards):
    """Rerun the rules of existing but outdated files of a run, as `--forcerun` would.

    `dag.forcefiles`: after a killed call the age of files is not enough to decide, and profiles can
    turn off reruns for changed parameters. The runs of a call are found only while it is planned,
    so this is an input function without files, of the rule that all rules of a run depend on
    (freeze_run). It is the only one with a side effect.
    """
    run_id = wildcards.run_id
    if IS_PLANNING and run_id not in PLANNED_RUNS and not get_closed(run_id).is_sealed:
        PLANNED_RUNS.add(run_id)
        files = outdated(get_run(run_id), get_settings(run_id))
        workflow.dag.forcefiles.update(f"{RUNS}/{run_id}/{file}" for file in files)
    return []


def await_scores(run_id):
    """Delay the planning of jobs that depend on the scores of a run until they exist.

    `checkpoints`: documented, but available only inside functions.
    """
    checkpoints.score_models.get(run_id=run_id)


def get_jobs(planned=False):
    """Return the jobs of runs; with `planned` only those that will be executed.

    `dag.jobs`, `dag.needrun_jobs`: the runs of a call are known only after planning. Outputs are
    checked, as rules of other workflows may have a wildcard with the same name.
    """
    jobs = workflow.dag.needrun_jobs() if planned else workflow.dag.jobs
    return [
        job
        for job in jobs
        if (run_id := job.wildcards_dict.get("run_id"))
        and any(f"{RUNS}/{run_id}/" in str(path) for path in job.output)
    ]


def has_own_environments():
    """Return whether jobs run in conda environments or containers (`deployment_settings`)."""
    return bool(workflow.deployment_settings.deployment_method)


def limit_resource(name, amount):
    """Limit the total of a resource over parallel jobs, unless the call sets a limit.

    `global_resources`, `register_resource`, `scheduler.global_resources`: the limit depends on this
    machine and the runs, so it cannot be set in a profile.
    """
    if name not in workflow.global_resources:
        workflow.register_resource(name, amount)
        workflow.scheduler.global_resources[name] = amount
