"""Fit each model to all data of the run: the models that forecast.

REQUIRED INPUTS: <runs>/{run_id}/config.yaml, data.parquet
OUTPUTS: <runs>/{run_id}/models/{model}/ (empty if the model failed), parts/{model}/final.json
"""


def get_threads(wildcards):
    return get_settings(wildcards.run_id)["threads"]


def get_training_memory(wildcards, input, attempt):
    """Return MB: what the libraries need, and several copies of the data; more on a retry."""
    return int((1500 + 20 * input.size_mb) * attempt)


def get_training_runtime(wildcards, attempt):
    """Return minutes: a little more than `max_time` where it is given."""
    max_time = get_settings(wildcards.run_id)["max_time"]
    return int(max_time / 60) + 5 if max_time else 120 * attempt


def get_gpus(wildcards):
    return 1 if get_settings(wildcards.run_id)["accelerator"] == "gpu" else 0


def get_tries(wildcards, attempt):
    return attempt


def get_final_failures(wildcards):
    """Return how often the fit has failed: a failed one is a new job, with other parameters."""
    return run_folders.failures(Path(RUNS) / wildcards.run_id, wildcards.model, "final")


def get_failure_note(wildcards):
    """Return the note of what failed if this fit did: it is newer, so the fit is done again."""
    note = f"{RUNS}/{wildcards.run_id}/{run_folders.FAILURES}"
    piece = f"fold_{wildcards.fold}" if hasattr(wildcards, "fold") else "final"
    failed = run_folders.failures(Path(RUNS) / wildcards.run_id, wildcards.model, piece)
    return [note] if failed and os.path.isfile(note) else []


rule train_model:
    """Fit one model in a process of its own; if it fails, say so and let the others go on."""
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
        failure=get_failure_note,
    output:
        model=directory("<runs>/{run_id}/models/{model}"),
        outcome="<runs>/{run_id}/parts/{model}/final.json",
    log:
        "<runs>/{run_id}/logs/train_model/{model}.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/train_model/{model}.tsv"
    wildcard_constraints:
        run_id=NOT_FINISHED,
    retries: 2
    conda:
        "../envs/forerun.yaml"
    threads: get_threads
    resources:
        mem_mb=get_training_memory,
        runtime=get_training_runtime,
        gpu=get_gpus,
        tries=get_tries,
    params:
        failures=get_final_failures,
        max_time=get_setting("max_time"),
        log_file=get_setting("log_file"),
        reuse=get_setting("reuse"),
    message:
        "{wildcards.run_id}: training {wildcards.model}"
    script:
        "../../scripts/train_model.py"
