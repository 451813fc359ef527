"""What the rules ask: their inputs, parameters and resources, as functions of the wildcards.

No rules here, and no settings (common.smk): one section for each stage.
"""

# -- Freeze -----------------------------------------------------------------------------------


def get_tables(wildcards):
    """Return the tables that the run is made of; refuse one that is missing."""
    settings = get_settings(wildcards.run_id)
    tables = {"data_file": settings["data_file"] or str(DATA)}
    tables |= {key: settings[key] for key in ("static_file", "futr_file") if settings[key]}
    for key, path in tables.items():
        refuse_placeholders(key, path)
        if not IS_MODULE and not Path(path).is_file():  # another workflow may make it
            what = "is a folder" if Path(path).is_dir() else "does not exist"
            refuse(f"{key}: '{path}' {what}; give the path of a CSV or Parquet file")
    return {key: local(path) for key, path in tables.items()} if STORAGE else tables


def get_asked_settings(wildcards):
    return get_settings(wildcards.run_id)


# -- Train ------------------------------------------------------------------------------------

#: Settings that say how a fit is carried out.
WAYS = ("max_time", "time_limit", "log_file", "reuse", "gpu_jobs")


def get_fast_models():
    """Return the names of models that take seconds: StatsForecast's, and those called otherwise."""
    statistical = {n for e in ENGINES.values() if e.local for n in catalog.names(e.name)}
    for item in [*config.get("baselines", ()), *config.get("models", ())]:
        if isinstance(item, dict) and item.get("model") in statistical:
            statistical.add(item.get("name"))
    return "|".join(re.escape(name) for name in sorted(statistical))


def get_threads(wildcards):
    return get_settings(wildcards.run_id)["threads"]


def get_size(wildcards, input):
    """Return the MB of the run's configuration and data; 0 while it is not created."""
    if STORAGE:
        return input.size_mb
    folder = Path(HERE) / wildcards.run_id
    return fit_history.size(folder) if state.is_frozen(folder) else 0


def get_usual_memory(wildcards, input, attempt):
    """Return MB: what the libraries need, and several copies of the data; twice on a retry."""
    return int(1500 + 20 * get_size(wildcards, input)) * 2 ** (attempt - 1)


@cache
def get_earlier_fits():
    """Return what the newest runs tell about fits; a job that runs has its resources already."""
    return fit_history.costs(HERE) if workflow.is_main_process else []


@cache
def get_kinds(run_id, is_frozen):
    """Return what kind of fit each model's is: a new run's data may have decided on settings."""
    frozen = read_frozen(Path(HERE) / run_id / "config.yaml") if is_frozen else None
    settings = frozen or get_settings(run_id)
    return {name: fit_history.kind(spec, settings) for name, spec in get_specs(run_id).items()}


def get_training_memory(wildcards, input, attempt):
    """Return MB: what earlier fits like this one needed, or else the usual.

    Twice as much on each retry, and after each failure for want of memory.
    """
    run_id, model = wildcards.run_id, wildcards.model
    folder = Path(HERE) / run_id
    attempt += get_fit(wildcards).failures(among=fit_history.OF_MEMORY)
    kind = get_kinds(run_id, state.is_frozen(folder))[model]
    learnt = fit_history.memory(get_earlier_fits(), kind, get_size(wildcards, input))
    usual = get_usual_memory(wildcards, input, attempt=1)
    return (learnt or usual) * 2 ** min(attempt - 1, 4)


def get_training_runtime(wildcards, input, attempt):
    """Return minutes: a little more than `max_time` where it is given; more on a retry.

    StatsForecast's models take seconds, and minutes where there are many series.
    """
    if max_time := get_operational(wildcards.run_id, "max_time"):
        return int(max_time / 60) + 5
    fast = ENGINES[get_specs(wildcards.run_id)[wildcards.model].engine].local
    return (min(10 + int(60 * input.size_mb), 24 * 60) if fast else 120) * attempt


def get_gpus(wildcards):
    """Return 1 for a network that is to use a GPU; otherwise nothing, which no executor asks for.

    `accelerator: auto` takes those that this machine has; a cluster is not asked for any.
    """
    settings = get_settings(wildcards.run_id)
    model = getattr(wildcards, "model", None)
    used = [s for s in specs(settings) if model in (None, s.name) and gpus.are_used(settings, s)]
    sure = [s for s in used if s.params.get("accelerator", settings["accelerator"]) == "gpu"]
    return 1 if sure or (used and RUNS_HERE and get_number_of_gpus()) else None


@cache
def get_number_of_gpus():
    return len(gpus.visible())


def get_tries(wildcards, attempt):
    return attempt


def get_fit(wildcards):
    """Return the fit that a job makes."""
    run = paths.RunPaths(Path(HERE) / wildcards.run_id)
    fold = int(wildcards.fold) if hasattr(wildcards, "fold") else None
    return Fit(run, wildcards.model, fold)


def get_way_of_fitting(wildcards):
    """Return how the fit is carried out, and how often it has failed.

    One parameter for all: Snakemake looks at each, for each job. A fit that has failed is a new job,
    with another parameter.
    """
    how = {key: get_operational(wildcards.run_id, key) for key in WAYS}
    return how | {"failures": get_fit(wildcards).failures()}


def retry_failed_fit(wildcards):
    """Have a fit that failed made again. Gives no input: input functions are asked for the plan."""
    fit = get_fit(wildcards)
    if fit.failures():
        make_again(f"{RUNS}/{fit.outcome_path.relative_to(HERE).as_posix()}")
    return []


# -- Validate ---------------------------------------------------------------------------------


def get_fold_files(pattern):
    """Return a function that gives `pattern` for each fold of the model."""

    def files(wildcards):
        return collect(pattern, fold=get_folds(wildcards.run_id), allow_missing=True)

    return files


def retry_unfinished_model(wildcards):
    """Rerun collect_model while any fit is unfinished: see retry_failed_fit.

    Its old status and results would else hide that a fit is missing which a kill cut short.
    """
    run_id, model = wildcards.run_id, wildcards.model
    run = paths.RunPaths(Path(HERE) / run_id)
    if not all(fit.is_completed() for fit in fits(run, get_settings(run_id), model)):
        make_again(f"{RUNS}/{run_id}/status/{model}.json")
    return []


# -- Metrics ----------------------------------------------------------------------------------


def get_model_files(pattern):
    """Return a function that gives `pattern` for each model of the run."""

    def files(wildcards):
        return collect(pattern, model=get_models(wildcards.run_id), allow_missing=True)

    return files


def get_model_names(wildcards):
    return get_models(wildcards.run_id)


# -- Predict ----------------------------------------------------------------------------------


def score_again(run_id):
    """Rerun score_models while one of its outputs is missing, as in a run of an earlier version."""
    scores = ["metrics.csv", "leaderboard.csv", "ensemble.json"]
    scores += [f"cv_results_{name}.csv" for name in names.COMBINED]
    if not all((Path(HERE) / run_id / name).is_file() for name in scores):
        make_again(f"{RUNS}/{run_id}/leaderboard.csv")


def get_seal(wildcards):
    """Return the run's seal once all models are done; nothing while one has failed, or all."""
    sealed = f"{RUNS}/{wildcards.run_id}/SEALED"
    if wildcards.run_id in SEALED:
        return sealed
    make_again(f"{RUNS}/{wildcards.run_id}/predictions")  # those of before may hide a missing seal
    score_again(wildcards.run_id)
    checkpoints.score_models.get(run_id=wildcards.run_id)  # done from here on
    refresh()
    failed = state.failed_models(Path(HERE) / wildcards.run_id / "leaderboard.csv")
    accepted = get_operational(wildcards.run_id, "accept_failures")
    if set(get_models(wildcards.run_id)) <= set(failed) or (failed and not accepted):
        return []
    return sealed


# -- Plot -------------------------------------------------------------------------------------


def get_plot_series(wildcards):
    """Return how many series are drawn: as asked for now, else as when the run was made.

    The schema bounds the number, so a received run can ask for it, and a run that is named without
    its configuration is not drawn again.
    """
    run_id, folder = wildcards.run_id, Path(HERE) / wildcards.run_id
    if "plot_series" in get_asked(run_id) or not state.is_frozen(folder):
        return get_operational(run_id, "plot_series")
    return read_recorded(folder / "config.yaml")["plot_series"]


def get_plot_labels(wildcards):
    """Return what a picture is, of what, and why of that, from the index beside it."""
    plots = read_plots(Path(HERE) / wildcards.run_id / "plots")
    found = next((plot for plot in plots if plot.get("name") == wildcards.name), {})
    of = found.get("unique_id") or found.get("model") or "all models"
    kind = (found.get("kind") or wildcards.name).replace("_", " ")
    return {"plot": kind, "of": of, "chosen as": found.get("role") or "–"}


def get_scores(wildcards):
    """Return what intervals and combinations are made from; a run of old may have less of it."""
    get_seal(wildcards)  # there is nothing before that
    run = f"{RUNS}/{wildcards.run_id}"
    models = [*get_models(wildcards.run_id), *names.COMBINED, *names.FORMER]
    wanted = ["metrics.csv", "ensemble.json", *(f"cv_results_{model}.csv" for model in models)]
    return [f"{run}/{name}" for name in wanted if (Path(HERE) / wildcards.run_id / name).is_file()]


def get_combined_results(wildcards):
    """Return the back-tests of the combined forecasts; a run of an earlier version may have none."""
    every = {f"cv_results_{name}.csv" for name in [*names.COMBINED, *names.FORMER]}
    return [path for path in get_scores(wildcards) if os.path.basename(path) in every]


def get_shards(wildcards):
    """Return the shards that a large run is predicted in; nothing where one job predicts it.

    This is Snakemake's scattergather, with its `{scatteritem}`. The directive itself knows one
    number of shards for all runs, fixed before the first one is looked at; here it follows from
    the number of series of each run, which is known when its data are frozen.
    """
    get_seal(wildcards)  # there is nothing before that
    size = get_operational(wildcards.run_id, "shard_size")
    items = shards.names(Path(HERE) / wildcards.run_id, get_settings(wildcards.run_id), size)
    return collect("<runs>/{run_id}/shard_{scatteritem}", scatteritem=items, allow_missing=True)


def get_shard_memory(wildcards, input, attempt):
    """Return MB: what the libraries need, and several copies of a shard's part of the data."""
    number = int(wildcards.scatteritem.rpartition("-")[2])
    return int((1500 + 20 * input.size_mb / number) * attempt)


# -- Done -------------------------------------------------------------------------------------


def get_done_targets(is_kind):
    """Return the targets named on the command line that are done and exist as `is_kind` says.

    `--delete-all-output` gets none: it would take them for files that can be made again.
    """
    if any(argument.startswith("--delete-") for argument in sys.argv):
        return []
    named = {Path(argument) for argument in sys.argv if Path(argument).is_relative_to(RUNS)}
    below = sorted(path.relative_to(RUNS) for path in named)
    return [f"{RUNS}/{path}" for path in below if is_kind(Path(HERE) / path) and is_done(path)]


def is_done(path):
    """Tell whether a path below the folder of runs is excluded from the rules that make it."""
    run_id, part = path.parts[0], "/".join(path.parts[1:])
    frozen = run_id in FROZEN and part in state.FROZEN
    sealed = run_id in SEALED and state.is_frozen_part(part)
    return frozen or sealed or path.as_posix() in FINISHED
