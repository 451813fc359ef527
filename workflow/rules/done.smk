"""Targets that are done: Snakemake wants a rule for each file it is asked for by name.

For Snakemake, what is done is a source file (common.smk). A source file that is itself a target
has no rule and would be an error, so the done files that the command line names get one here: a
rule without any action, which Snakemake never lets remove or write anything.

Nothing is to be done for them, so nothing else would ask for the settings of their runs: they are
looked at here, which refuses a call that contradicts them.

REQUIRED INPUTS: none
OUTPUTS: what is done and named on the command line, as it is
"""

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


for target in [*DONE_FILES, *DONE_FOLDERS]:
    get_settings(Path(target).relative_to(RUNS).parts[0])
