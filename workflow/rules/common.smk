"""What all rules share: configuration, folders, wildcards.

The getters_*.smk hold the functions of wildcards for inputs, params and resources. They are short:
decisions are in the library, uses of Snakemake's internals in internals.smk.
"""

from functools import partial

from forerun.jobs import fit_history
from forerun.runs import paths
from forerun.runs.request import Request


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

REQUEST = Request(
    Path(HERE), config, LAYERS, CORES, IS_PLANNING, partial(fit_history.timings, HERE)
)


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
