"""Targets that are done: Snakemake wants a rule for each file it is asked for by name.

For Snakemake, what is done is a source file (common.smk). A source file that is itself a target
has no rule and would be an error, so the done files that the command line names get one here: a
rule without any action, which Snakemake never lets remove or write anything.

REQUIRED INPUTS: none
OUTPUTS: what is done and named on the command line, as it is
"""


def get_done_targets(is_kind):
    """Return the targets named on the command line that are done and exist as `is_kind` says.

    `--delete-all-output` gets none: it would take them for files that can be made again.
    """
    if any(argument.startswith("--delete-") for argument in sys.argv):
        return []
    named = {argument.rstrip("/") for argument in sys.argv if argument.startswith(f"{RUNS}/")}
    return sorted(path for path in named if is_kind(path) and is_done(path.removeprefix(f"{RUNS}/")))


def is_done(path):
    """Tell whether a path below the folder of runs is excluded from the rules that make it."""
    run_id, _, part = path.partition("/")
    frozen = run_id in FROZEN and part in run_folders.FROZEN
    return frozen or path in FINISHED or (run_id in SEALED and is_frozen_part(part))


def is_frozen_part(part):
    kinds = [r"metrics\.csv", r"leaderboard\.csv", "SEALED", r"ensemble\.json"]
    kinds += [r"cv_results_[^/]+\.csv", "models/[^/]+", "status/[^/]+", "parts/[^/]+/[^/]+"]
    return re.fullmatch("|".join(kinds), part)


if DONE_FILES := get_done_targets(os.path.isfile):

    rule keep_files:
        """Leave files that are done as they are."""
        output:
            DONE_FILES,


if DONE_FOLDERS := get_done_targets(os.path.isdir):

    rule keep_folders:
        """Leave folders that are done as they are."""
        output:
            [directory(folder) for folder in DONE_FOLDERS],
