"""The models of a run: from names and mappings in the configuration to full specifications."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from forerun import catalog, schema
from forerun.errors import UserError, suggest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
# File names in predictions/ and column names of results that a model must not take.
_RESERVED = {"best", "ensemble", "unique_id", "ds", "y", "cutoff", "metric", "model", "chosen"}
_KEYS = ("name", "engine", "model", "params", "exogenous")

_BY_KEY = "it is set by the key"
_BY_FORERUN = "Forerun sets it itself"
_REFUSED = {
    "h": f"{_BY_KEY} horizon",
    "alias": f"{_BY_KEY} name",
    "futr_exog_list": f"{_BY_KEY} futr_exog",
    "hist_exog_list": f"{_BY_KEY} hist_exog",
    "stat_exog_list": f"{_BY_KEY} stat_exog",
    "prediction_intervals": f"{_BY_KEY} levels",
    "max_time": f"{_BY_KEY} max_time",
    "time_budget": f"{_BY_KEY} max_time",
    "max_epochs": f"{_BY_KEY} max_steps",
    "min_epochs": f"{_BY_KEY} max_steps",
    "n_series": "it is counted in the data",
    "test_size": f"{_BY_KEY} horizon",
} | dict.fromkeys(
    "backend callbacks config search_alg cpus gpus ray_options optuna_options logger plugins"
    " default_root_dir enable_checkpointing enable_progress_bar enable_model_summary profiler"
    " fast_dev_run barebones num_nodes strategy model_registry enable_autolog_hparams verbose"
    " num_threads n_jobs".split(),
    _BY_FORERUN,
)
# Arguments that mean the same as the configuration's key, and are bound like it.
_SHARED = ("input_size", "max_steps", "batch_size", "windows_batch_size", "learning_rate")
_SHARED += ("scaler_type", "num_samples", "accelerator", "precision")
# Arguments an engine fills in when they are not given.
_PROVIDED = {"h", "input_size", "n_series", "season_length", "test_size"}


@dataclass(frozen=True)
class ModelSpec:
    """One model of a run.

    Attributes
    ----------
    name
        Unique in the run: folder in ``models/``, column of results.
    engine, model
        Library and its class.
    params
        Arguments given by the user for that class.
    exogenous
        Whether the exogenous columns the class supports are used.
    """

    name: str
    engine: str
    model: str
    params: dict[str, Any] = field(default_factory=dict)
    exogenous: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the item as it stands in the frozen configuration."""
        return asdict(self)

    @property
    def info(self) -> catalog.ModelInfo:
        """Return what the catalog knows about the class."""
        return catalog.info(self.engine, self.model)


def specs(settings: Mapping[str, Any]) -> list[ModelSpec]:
    """Return models and baselines of resolved settings, baselines (fast ones) first."""
    return [ModelSpec(**item) for item in [*settings["baselines"], *settings["models"]]]


def spec(settings: Mapping[str, Any], name: str) -> ModelSpec:
    """Return the model of that name."""
    found = {item.name: item for item in specs(settings)}
    if name not in found:
        raise UserError(f"the run has no model '{name}'{suggest(name, found)}")
    return found[name]


def exogenous_columns(spec: ModelSpec, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns a model uses: keys hist_exog, futr_exog and stat_exog."""
    info = spec.info
    supported = {
        "hist_exog": info.hist_exog,
        "futr_exog": info.futr_exog,
        "stat_exog": info.stat_exog,
    }
    return {
        kind: list(settings[kind]) if spec.exogenous and able else []
        for kind, able in supported.items()
    }


def expand(
    items: Sequence[Any], key: str, settings: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Turn the items of ``models`` or ``baselines`` into full mappings.

    Parameters
    ----------
    items
        Names, or mappings with some of name, engine, model, params, exogenous.
    key
        Where they stand, for messages.
    settings
        Gives exogenous and the exogenous columns.

    Returns
    -------
    tuple
        Mappings with all five keys, and what is wrong, one sentence each.
    """
    expanded: list[dict[str, Any]] = []
    wrong: list[str] = []
    for position, item in enumerate(items):
        place = f"{key}[{position}]"
        try:
            expanded += [spec.as_dict() for spec in _variants(_spec(item), item, settings)]
        except UserError as error:
            wrong += [f"{place}: {line}" for line in str(error).splitlines()]
    return expanded, wrong


def duplicates(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one sentence for each name that stands twice (upper and lower case alike)."""
    seen: dict[str, str] = {}
    wrong = []
    for item in items:
        name = item["name"]
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            both = f"'{name}'" if other == name else f"'{other}' and '{name}'"
            wrong.append(f"two models are called {both}, give each a name of its own")
    return wrong


def _spec(item: Any) -> ModelSpec:
    """Check one item; its exogenous is still open."""
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping):
        raise UserError(f"{schema.show(item)} is neither a name nor a mapping with name and model")
    for key in item:
        if key not in _KEYS:
            raise UserError(f"unknown key {schema.show(key)}{suggest(key, _KEYS)}")
    name = item.get("name") or item.get("model")
    model = item.get("model") or name
    if not isinstance(name, str) or not isinstance(model, str):
        raise UserError(f"name and model must be texts, found {schema.show(dict(item))}")
    engine, params = item.get("engine"), item.get("params")
    if engine is not None and engine not in catalog.ENGINES:
        raise UserError(
            f"engine is {schema.show(engine)}, it must be one of {', '.join(catalog.ENGINES)}"
        )
    engine, model = catalog.find(model, engine)
    _check_name(name)
    params = {} if params is None else params
    if not isinstance(params, Mapping):
        raise UserError(f"params of {name} is {schema.show(params)}, it must be a mapping")
    wrong = _check_params(catalog.info(engine, model), params)
    if wrong:
        raise UserError("\n".join(f"params of {name}: {line}" for line in wrong))
    return ModelSpec(name, engine, model, dict(params))


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or re.search(r"-(lo|hi)-", name):
        raise UserError(
            f"name {schema.show(name)} is not allowed: letters, digits, '_' and '-', at most 100,"
            " the first a letter or digit, without '-lo-' and '-hi-'"
        )
    if name.lower() in _RESERVED:
        raise UserError(f"name '{name}' is taken by Forerun's own results, choose another")


def _variants(spec: ModelSpec, item: Any, settings: Mapping[str, Any]) -> list[ModelSpec]:
    """Decide on exogenous columns; ``both`` gives two models."""
    wish = item.get("exogenous") if isinstance(item, Mapping) else None
    if wish not in (None, True, False, "both") or isinstance(wish, int) != isinstance(wish, bool):
        raise UserError(f"exogenous is {schema.show(wish)}, it must be one of true, false, both")
    asked = ModelSpec(**{**spec.as_dict(), "exogenous": True})
    columns = [name for names in exogenous_columns(asked, settings).values() for name in names]
    given = any(settings[kind] for kind in ("hist_exog", "futr_exog", "stat_exog"))
    if wish in (True, "both") and given and not columns:
        raise UserError(
            f"exogenous is {schema.show(wish)}, but {spec.model} uses none of these kinds of columns"
        )
    wish = settings["exogenous"] if wish is None else wish
    if not columns or wish is False:
        return [spec]
    if wish == "both":
        _check_name(f"{spec.name}_exog")
        return [spec, ModelSpec(**{**asked.as_dict(), "name": f"{spec.name}_exog"})]
    return [asked]


def _check_params(info: catalog.ModelInfo, params: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each argument the class does not take or cannot take like this."""
    arguments = dict(info.arguments)
    if info.base:  # an automatic model: arguments of the model it tunes can be fixed
        arguments = {**catalog.info(info.engine, info.base).arguments, **arguments}
    trainer = catalog.trainer_arguments() if info.engine == "neuralforecast" else frozenset()
    known = [name for name in {**arguments, **dict.fromkeys(trainer)} if name not in _REFUSED]
    wrong = []
    for name, value in params.items():
        if name in _REFUSED and name in {*arguments, *trainer, "h"}:
            wrong.append(f"'{name}' cannot be given, {_REFUSED[name]}")
        elif name not in known:
            wrong.append(f"{info.name} has no argument {schema.show(name)}{suggest(name, known)}")
        else:
            wrong += _check_value(name, value, arguments.get(name, catalog.Argument()))
    for name, argument in arguments.items():
        if argument.required and name not in params and name not in _PROVIDED:
            wrong.append(f"{info.name} needs the argument '{name}'")
    return wrong


def _check_value(name: str, value: Any, argument: catalog.Argument) -> list[str]:
    if name in _SHARED:
        return schema.problems({name: value})
    if name in ("loss", "valid_loss"):
        return _check_loss(name, value)
    default, annotation = argument.default, argument.annotation
    if value is None or "Union" in annotation or "|" in annotation:
        return []
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, bool) and not isinstance(value, bool):
        return [f"{name} is {schema.show(value)}, it must be true or false"]
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        if isinstance(value, (str, bool, dict)):
            return [f"{name} is {schema.show(value)}, it must be a number"]
        if isinstance(default, int) and annotation == "int" and not (number and value == int(value)):
            return [f"{name} is {schema.show(value)}, it must be an integer"]
    if isinstance(default, list) and not isinstance(value, list):
        return [f"{name} is {schema.show(value)}, it must be a list"]
    return []


def _check_loss(name: str, value: Any) -> list[str]:
    """A loss is a name, or a mapping with name and params."""
    loss = value.get("name") if isinstance(value, Mapping) else value
    names = catalog.losses()
    if isinstance(loss, str) and loss in names:
        return []
    words = f"{name} is {schema.show(value)}, it must be one of {', '.join(names)}"
    return [words + (suggest(loss, names) if isinstance(loss, str) else "")]
