"""All that these rules ask of Snakemake itself, beyond its language; tests/test_internals.py tries each.

Everything else in these rules is the documented language and the library in scripts/forerun. The
first file that is included: it finds the library.
"""

import os
import sys
from functools import cache
from pathlib import Path

# `current_basedir`: the folder of these rules, which has the library beside it, whatever is
# installed. A module that comes from a Git repository has no folder, only single files: there the
# installed library serves.
if isinstance(workflow.current_basedir, os.PathLike):
    sys.path.insert(0, str(Path(workflow.current_basedir).parent.parent / "scripts"))

from forerun.base.errors import UserError
from forerun.base.terminal import complain
from forerun.config import typed
from forerun.config.layers import Layers
from forerun.runs import snapshot
from forerun.runs.closed import outdated

#: `modifier.is_main_snakefile`: whether another workflow uses these rules as a module. Its files,
#: options and experiments are none of ours then.
IS_MODULE = not workflow.modifier.is_main_snakefile()

#: `is_main_process`: false in a job that this or another machine runs; it takes what was planned.
IS_PLANNING = workflow.is_main_process

#: `resource_settings.nodes`: jobs run on this machine, not on those of a cluster.
RUNS_HERE = workflow.resource_settings.nodes is None

#: `local_exec`, `cores`: the cores that jobs share; elsewhere each job has cores of its own.
CORES = workflow.cores if workflow.local_exec else None

#: `storage_registry`: what is stored where no folder is shared (`--default-storage-provider s3`).
STORAGE = workflow.storage_registry.default_storage_provider


def refuse(error):
    """End with one line and exit code 2: the user can fix this."""
    complain(error, before="forerun: error: ")
    raise SystemExit(2)


def get_layers():
    """Return what this call asks for, as it was typed.

    `config_settings`: `config` has lost which file or option a value is from, and Snakemake has read a
    run id such as 2024_11 as a number.
    """
    given = workflow.config_settings
    options = typed.options(given.config or {}, given.config_args or [])
    try:
        return Layers.of(given.configfiles, options, not given.replace_workflow_config)
    except UserError as error:
        refuse(error)


def get_targets():
    """Return the words of the command line: targets are among them.

    `sys.argv`: Snakemake sets `workflow.dag_settings` after it has read the rules, and a target that
    is complete needs a rule (complete.smk). Not for `--delete-all-output`, which would take it for a
    file that can be made again, and not in a job, whose command line names its inputs.
    """
    deletes = any(word.startswith("--delete-") for word in sys.argv)
    return sys.argv if IS_PLANNING and not deletes else []


def list_stored(folder):
    """Return the objects below a folder of the default storage.

    `storage_registry`, `storage_settings`: functions decide by files, which lie elsewhere here.
    """
    prefix = workflow.storage_settings.default_storage_prefix.rstrip("/")
    stored = STORAGE.object(f"{prefix}/{folder}")
    if not hasattr(stored, "get_subkeys"):
        refuse("runs can be kept in S3 storage, and in no other")
    return [
        snapshot.Stored(
            one.key.removeprefix(f"{stored.key}/"), one.last_modified, one.Object().download_file
        )
        for one in (stored.get_subkeys() if stored.bucket_exists() else [])
    ]


@cache
def rerun_outdated(run_id):
    """Have the existing files of unfinished work made again, as `--forcerun` would.

    `dag.forcefiles`: the age of files cannot tell what a killed call has left, and a profile can
    switch off that changed parameters count. Only the plan shows which runs a call is about, so this
    is the one side effect of asking for a plan: it is asked for with the barriers (get_barrier).
    """
    files = outdated(get_run(run_id), get_settings(run_id))
    workflow.dag.forcefiles.update(f"{RUNS}/{run_id}/{file}" for file in files)


def await_scores(run_id):
    """Plan what depends on the scores of a run once they exist.

    `checkpoints`: documented, but it is known to functions only, and by an attribute.
    """
    checkpoints.score_models.get(run_id=run_id)


def get_jobs(planned=False):
    """Return the jobs of the plan that belong to runs; only those that are to run if `planned`.

    `dag.jobs`, `dag.needrun_jobs`: what a call works on shows only when it is planned. Rules of
    others may have a wildcard of the same name.
    """
    jobs = workflow.dag.needrun_jobs() if planned else workflow.dag.jobs
    return [
        job
        for job in jobs
        if (run_id := job.wildcards_dict.get("run_id"))
        and any(f"{RUNS}/{run_id}/" in str(path) for path in job.output)
    ]


def has_own_environments():
    """Tell whether jobs run in environments of conda or a container (`deployment_settings`)."""
    return bool(workflow.deployment_settings.deployment_method)


def limit_resource(name, amount):
    """Let jobs that run at once take no more of a resource, unless the call says how much.

    `global_resources`, `register_resource`, `scheduler.global_resources`: a resource of the command
    line or a profile would be fixed before this machine and the runs were looked at.
    """
    if name not in workflow.global_resources:
        workflow.register_resource(name, amount)
        workflow.scheduler.global_resources[name] = amount  # what jobs take is counted
