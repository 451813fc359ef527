"""Settings and input functions of all stages.

The settings of a run are those frozen in its config.yaml. A run that does not exist yet gets the
configuration of this call, with config/experiments/<run_id>.yaml laid over it. Where another workflow
uses these rules as a module, its `config` for the module is the configuration, and nothing else is.

What is done is a source file: the rules that make frozen files do not apply to frozen runs, to
completed fits, or to sealed runs, so nothing can make Snakemake run them again.
"""

import os
import re
import sys
from functools import cache
from pathlib import Path

if isinstance(workflow.current_basedir, os.PathLike):
    # The library beside these rules, whatever is installed. A module that comes from a Git
    # repository has no folder, only single files: there the installed library serves.
    sys.path.insert(0, str(Path(workflow.current_basedir).parent.parent / "scripts"))

from forerun.base.errors import UserError, check_path
from forerun.base.resources import DATA
from forerun.base.terminal import complain
from forerun.config import catalog, names, schema, threads, typed
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_recorded
from forerun.config.layers import Layers
from forerun.config.models import specs
from forerun.config.settings import read_frozen, resolve
from forerun.config.windows import folds
from forerun.forecasting import shards
from forerun.jobs import fit_history, gpus
from forerun.runs import paths, snapshot, state
from forerun.runs.fit import Fit, completed_outputs, fits, unfinished_models
from forerun.runs.json_files import read_plots


def refuse(error):
    """End with one line and exit code 2: the user can mend this."""
    complain(error, before="forerun: error: ")
    raise SystemExit(2)


#: Another workflow uses these rules: its files, options and experiments are none of ours.
IS_MODULE = not workflow.modifier.is_main_snakefile()


def get_layers():
    """Return what this call asks for; Snakemake has read a run id such as 2024_11 as a number."""
    given = workflow.config_settings
    options = typed.options(given.config or {}, given.config_args or [])
    try:
        return Layers.of(given.configfiles, options, not given.replace_workflow_config)
    except UserError as error:
        refuse(error)


LAYERS = Layers() if IS_MODULE else get_layers()
config.update(LAYERS.all)

OUTPUT_DIR = config.get("output_dir")
RUNS = f"{OUTPUT_DIR}/runs" if OUTPUT_DIR else "runs"
PARTS_OF_A_RUN = ["predictions", "plots", "report.html"]

#: Jobs run on this machine, not on those of a cluster.
RUNS_HERE = workflow.resource_settings.nodes is None

#: What may stand for a run id in a target. Wider than a run id, so that a wrong one is refused with
#: a reason (get_settings) where Snakemake would say that there is no rule.
ANY_NAME = "[^/]+"

#: The runs that this call works on: those whose settings were asked for.
SESSION = set()


pathvars:
    runs=RUNS,


wildcard_constraints:
    run_id=ANY_NAME,
    model=paths.MODEL,
    fold=r"\d+",
    scatteritem=r"\d+-of-\d+",


def refuse_placeholders(key, path):
    """Refuse a path that Snakemake would fill in."""
    try:
        check_path(key, path)
    except UserError as error:
        refuse(error)


if OUTPUT_DIR:
    refuse_placeholders("output_dir", OUTPUT_DIR)

# -- Where runs lie -----------------------------------------------------------------------------

#: What is stored where no folder is shared (`--default-storage-provider s3`): all that rules name.
STORAGE = workflow.storage_registry.default_storage_provider

#: Where functions read what exists: the runs themselves, or a local picture of those in storage.
HERE = f".snakemake/forerun/{RUNS}" if STORAGE else RUNS


def refresh():
    """Bring the local picture of the runs up to date, if they lie in object storage."""
    if not STORAGE:
        return
    prefix = workflow.storage_settings.default_storage_prefix.rstrip("/")
    folder = STORAGE.object(f"{prefix}/{RUNS}")
    if not hasattr(folder, "get_subkeys"):
        refuse("runs can be kept in S3 storage, and in no other")
    objects = folder.get_subkeys() if folder.bucket_exists() else []
    snapshot.refresh(HERE, [get_stored(one, f"{folder.key}/") for one in objects])


def get_stored(summary, prefix):
    download = summary.Object().download_file
    return snapshot.Stored(summary.key.removeprefix(prefix), summary.last_modified, download)


refresh()

# -- Settings -----------------------------------------------------------------------------------


@cache
def get_asked(run_id):
    """Return what is asked for beyond config/config.yaml: files, the run's experiment, options."""
    if IS_MODULE:
        return dict(config)
    if workflow.is_main_process:
        for both in LAYERS.disagreements(run_id):
            note = f"run '{run_id}': {both}; the former is taken"
            complain(note, before="forerun: note: ")
    return LAYERS.named(run_id)


#: Settings of new runs by what is asked for: many runs ask for the same.
RESOLVED = {}


@cache
def get_settings(run_id):
    """Return the settings of a run; refuse settings that contradict an existing one."""
    folder = Path(HERE) / run_id
    try:
        paths.check_run_id(run_id)
        SESSION.add(run_id)
        if not state.is_frozen(folder):
            return get_new_settings(get_asked(run_id)) | {"run_id": run_id}
        frozen = read_frozen(folder / "config.yaml")
        if workflow.is_main_process:
            state.refuse_if_damaged(folder)
            state.refuse_contradictions(folder, frozen, get_asked(run_id))
        return frozen
    except UserError as error:
        refuse(error)


def get_new_settings(asked):
    key = repr(asked)
    if key not in RESOLVED:
        settings = resolve({**config, **asked})
        # Elsewhere each job has cores of its own, and none stand idle.
        cores = workflow.cores if workflow.local_exec else None
        settings["threads"] = settings["threads"] or threads.share(cores or 1, settings)
        RESOLVED[key] = settings
    return RESOLVED[key]


@cache
def get_default_run():
    """Return the run that `snakemake` alone makes."""
    try:
        if config.get("run_id"):
            return paths.check_run_id(config["run_id"])
        return paths.new_run_id(HERE)
    except UserError as error:
        refuse(error)


@cache
def get_specs(run_id):
    """Return the models of a run by name."""
    return {spec.name: spec for spec in specs(get_settings(run_id))}


def get_models(run_id):
    return list(get_specs(run_id))


def get_folds(run_id):
    return list(range(len(folds(get_settings(run_id)))))


@cache
def get_operational(run_id, key):
    """Return how this call wants the run carried out: never what the run's own folder says."""
    asked = {**config, **get_asked(run_id)}
    value = asked.get(key, schema.defaults()[key])
    if (known := (key, repr(value))) not in RESOLVED:
        RESOLVED[known] = resolve({key: value})[key]
    return RESOLVED[known]


def get_setting(key):
    """Return a function of the wildcards that gives one setting of the run."""

    def setting(wildcards):
        return get_operational(wildcards.run_id, key)

    return setting


def make_again(path):
    """Have Snakemake make a file that exists, whatever its age says, as `--forcerun` does.

    Ages cannot tell what a killed call has left: this rests on what the files say.
    """
    if workflow.is_main_process:
        workflow.dag.forcefiles.add(path)


# -- What is done is a source -------------------------------------------------------------------


def without(done):
    """Return the constraint on `run_id` that leaves out what is done.

    `done` are paths below the folder of runs: "exp1" leaves out the whole run, "exp1/models/NHITS"
    that one path (the look-ahead sees beyond the run id).
    """
    if not done:
        return ANY_NAME
    return rf"(?!(?:{'|'.join(map(re.escape, sorted(done)))})(?:/|$)){ANY_NAME}"


EXISTING = [entry.path for entry in paths.run_folders(HERE)]
FROZEN = {Path(run).name for run in EXISTING if state.is_frozen(run)}
SEALED = {Path(run).name for run in EXISTING if state.is_sealed(run)}
# A job that a cluster starts late may find its fit completed by another one: it keeps its rule.
FINISHED = {
    f"{run_id}/{output}"
    for run_id in FROZEN - SEALED
    if workflow.is_main_process
    for output in completed_outputs(paths.RunPaths(Path(HERE) / run_id))
}

NOT_FROZEN = without(FROZEN)
NOT_FINISHED = without(SEALED | FINISHED)
NOT_SEALED = without(SEALED)
