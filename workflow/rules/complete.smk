"""Complete targets: Snakemake requires a rule for each target on the command line.

Completed outputs are source files for Snakemake (getters_files.smk), and a target without a rule is an
error. Complete targets on the command line therefore get a rule without an action, which never
removes or writes anything.

No other rule reads the settings of their runs, so this is done here, to refuse a call that
contradicts them.

REQUIRED INPUTS: none
OUTPUTS: complete targets of the command line, unchanged
"""

if COMPLETE_FILES := get_complete_targets(os.path.isfile):

    rule keep_files:
        """Keep complete files unchanged."""
        output:
            COMPLETE_FILES,


if COMPLETE_FOLDERS := get_complete_targets(os.path.isdir):

    rule keep_folders:
        """Keep complete folders unchanged."""
        output:
            [directory(folder) for folder in COMPLETE_FOLDERS],


COMPLETE_RUNS = {
    Path(target).relative_to(RUNS).parts[0] for target in [*COMPLETE_FILES, *COMPLETE_FOLDERS]
}
for run_id in COMPLETE_RUNS:
    get_settings(run_id)
