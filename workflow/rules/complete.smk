"""Targets that are complete: Snakemake wants a rule for each file it is asked for by name.

For Snakemake, completed files are source files (common.smk). A source file that is itself a target
has no rule and would be an error, so those that the command line names get one here: a rule without
any action, which Snakemake never lets remove or write anything.

Nothing is to be done for them, so nothing else would ask for the settings of their runs: they are
looked at here, which refuses a call that contradicts them.

REQUIRED INPUTS: none
OUTPUTS: what is complete and named on the command line, as it is
"""

if COMPLETE_FILES := get_complete_targets(os.path.isfile):

    rule keep_files:
        """Leave complete files as they are."""
        output:
            COMPLETE_FILES,


if COMPLETE_FOLDERS := get_complete_targets(os.path.isdir):

    rule keep_folders:
        """Leave complete folders as they are."""
        output:
            [directory(folder) for folder in COMPLETE_FOLDERS],


COMPLETE_RUNS = {
    Path(target).relative_to(RUNS).parts[0] for target in [*COMPLETE_FILES, *COMPLETE_FOLDERS]
}
for run_id in COMPLETE_RUNS:
    get_settings(run_id)
