"""Validation of a model's arguments, before anything is imported or trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import catalog, pretrained, regressor_features, schema, training_losses
from forerun.config.catalog import Argument
from forerun.config.coercion import exponents
from forerun.config.engines import ENGINES

_BY_KEY = "it is set by the key"
_NO_TEXT = "it takes a Python object, which a configuration cannot hold"
_BY_FORERUN = "Forerun sets it itself"
_BY_FORERUN_NAMES = (
    "backend", "config", "search_alg", "cpus", "gpus", "ray_options", "optuna_options", "logger",
    "callbacks", "plugins", "profiler", "default_root_dir", "enable_checkpointing", "strategy",
    "enable_progress_bar", "enable_model_summary", "enable_autolog_hparams", "model_registry",
    "fast_dev_run", "barebones", "num_nodes", "verbose", "num_threads", "n_jobs",
)  # fmt: skip
_REFUSED = {
    "h": f"{_BY_KEY} horizon",
    "alias": f"{_BY_KEY} name",
    "futr_exog_list": f"{_BY_KEY} futr_exog",
    "hist_exog_list": f"{_BY_KEY} hist_exog",
    "stat_exog_list": f"{_BY_KEY} stat_exog",
    "prediction_intervals": f"{_BY_KEY} levels",
    "max_time": f"{_BY_KEY} max_time",
    "max_epochs": f"{_BY_KEY} max_steps",
    "min_epochs": f"{_BY_KEY} max_steps",
    "n_series": "it is counted in the data",
    "test_size": f"{_BY_KEY} horizon",
    "optimizer": _NO_TEXT,
    "lr_scheduler": _NO_TEXT,
    "trend_forecaster": _NO_TEXT,
} | dict.fromkeys(_BY_FORERUN_NAMES, _BY_FORERUN)
# Arguments with the meaning and the bounds of the configuration key of the same name.
_SHARED = {"input_size", "max_steps", "batch_size", "windows_batch_size", "learning_rate"}
_SHARED |= {"scaler_type", "num_samples", "accelerator", "precision"}
# Arguments that an engine sets when they are not given.
_PROVIDED = {"h", "input_size", "n_series", "season_length", "test_size"}

#: Maximum number of random features; a fit needs the square of it in memory.
MOST_FEATURES = 5000


def checked(info: catalog.ModelInfo, given: Any, what: str) -> dict[str, Any]:
    """Return arguments given by the user, checked; None is none.

    Parameters
    ----------
    what : how messages call the arguments
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise UserError(f"{what} is {schema.show(given)}; it must be a mapping")
    given = exponents(dict(given))
    if wrong := check(info, given):
        raise UserError("\n".join(f"{what}: {line}" for line in wrong))
    return given


def check(info: catalog.ModelInfo, params: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each argument that is unknown to the class or invalid.

    Parameters
    ----------
    info
        The class; neural models also accept the arguments of pytorch_lightning's Trainer.
    params
        Arguments given by the user.
    """
    arguments = dict(info.arguments)
    if info.base:  # an automatic model: arguments of the model it tunes can be fixed
        arguments = {**catalog.info(info.engine, info.base).arguments, **arguments}
    trainer = catalog.of_engine(info.engine).trainer
    allowed = [name for name in {**arguments, **dict.fromkeys(trainer)} if name not in _REFUSED]
    wrong = []
    for name, value in params.items():
        if name in _REFUSED and name in {*arguments, *trainer, "h"}:
            wrong.append(f"'{name}' cannot be given, {_REFUSED[name]}")
        elif name not in allowed:
            note = catalog.outdated(info.engine)
            hint = suggest(name, allowed) + (f"; {note}" if note else "")
            wrong.append(f"{info.name} has no argument {schema.show(name)}{hint}")
        else:
            wrong += _check_value(name, value, arguments.get(name, Argument()))
    if ENGINES[info.engine].pretrained and not wrong:
        return pretrained.problems(info.name, params)
    if ENGINES[info.engine].networks and not wrong:
        wrong += training_losses.check_pair(info, params)
    if info.engine == "mlforecast" and not wrong:
        wrong += regressor_features.problems(info.name, params)
    if info.engine == "direct" and not wrong:
        wrong += _check_features(params)
    for name, argument in arguments.items():
        if argument.required and name not in params and name not in _PROVIDED:
            wrong.append(f"{info.name} needs the argument '{name}'")
    return wrong


def reserved(params: Mapping[str, Any]) -> str | None:
    """Return the first argument that cannot be given for any model."""
    return next((str(name) for name in params if name in _REFUSED), None)


def _check_value(name: str, value: Any, argument: Argument) -> list[str]:
    if name in _SHARED:
        return schema.problems({name: value})
    if name == "time_budget":  # seconds, as max_time
        return [one.replace("max_time", name) for one in schema.problems({"max_time": value})]
    if name in ("loss", "valid_loss"):
        return [] if value is None else training_losses.check(name, value)
    if name == "devices":
        return _check_devices(value)
    default, annotation = argument.default, argument.annotation
    if value is None or "Union" in annotation or "|" in annotation:
        return []
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        return [f"{name} is {schema.show(value)}; it must be true or false"]
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        if isinstance(value, (str, bool, dict)):
            return [f"{name} is {schema.show(value)}; it must be a number"]
        if (
            isinstance(default, int)
            and annotation == "int"
            and not (number and value == int(value))
        ):
            return [f"{name} is {schema.show(value)}; it must be an integer"]
    a_list = isinstance(default, list) or annotation.partition("[")[0] in ("list", "List")
    if a_list and not isinstance(value, list):
        return [f"{name} is {schema.show(value)}; it must be a list"]
    return []


def _check_features(params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the random features of DirectRidge."""
    number, scale = params.get("features"), params.get("feature_scale")
    wrong = []
    if number is not None and not 0 <= number <= MOST_FEATURES:
        wrong.append(f"features is {number}; it must be an integer from 0 to {MOST_FEATURES}")
    if scale is not None and not 0 < scale < float("inf"):
        wrong.append(f"feature_scale is {schema.show(scale)}; it must be a number above 0")
    return wrong


def _check_devices(value: Any) -> list[str]:
    if value == 1 and not isinstance(value, bool):
        return []
    advice = "one fit uses one device: leave it out (fits run in parallel, see gpu_jobs)"
    return [f"devices is {schema.show(value)}, {advice}"]
