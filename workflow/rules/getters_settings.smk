"""Functions for the rules: settings and models of a run."""

from forerun.config.windows import folds
from forerun.runs.json_files import plot_labels


@cache
def get_default_run():
    """Return the run that `snakemake` without targets makes."""
    return ask(REQUEST.default_run)


def get_settings(run_id):
    settings = ask(REQUEST.settings, run_id)
    if STORAGE and settings.get("warm_start"):
        refuse("warm_start needs runs in a folder; it does not work with runs in object storage")
    if STORAGE and settings.get("metric_functions"):
        refuse("metric_functions needs runs in a folder, not in object storage")
    return settings


def get_asked_settings(wildcards):
    return get_settings(wildcards.run_id)


def get_specs(run_id):
    return ask(REQUEST.models, run_id)


def get_models(run_id):
    return list(get_specs(run_id))


def get_folds(run_id):
    return list(range(len(folds(get_settings(run_id)))))


def get_setting(key):
    """Return a function of the wildcards that returns an operational setting."""

    def setting(wildcards):
        return ask(REQUEST.operational, wildcards.run_id, key)

    return setting


def get_model_names(wildcards):
    return get_models(wildcards.run_id)


def get_threads(wildcards):
    return get_settings(wildcards.run_id)["threads"]


def get_plot_setting(key):
    """Return a function of the wildcards that returns a setting of plots."""

    def setting(wildcards):
        return ask(REQUEST.plot_setting, wildcards.run_id, key)

    return setting


def get_plot_labels(wildcards):
    return plot_labels(get_run(wildcards.run_id).plots, wildcards.name)
