"""The models of a run: from names and mappings in the configuration to full specifications."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import calendar, catalog, categories, params, schema, seeds, without_season
from forerun.config.engines import ENGINES
from forerun.config.names import RESERVED, repetition

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
#: Keys of an item of ``models``.
KEYS = ("name", "engine", "model", "params", "exogenous", "transform", without_season.KEY)
#: Those that a user may give.
_GIVEN = (*KEYS, "seeds")
#: Keys that are written only where they have a value.
OPTIONAL = ("transform", "search", "members", "member_of", without_season.KEY)
#: Transformations of the target before training: its logarithm, the logarithm of the target plus 1,
#: the residuals of a regression of each series on trend, season and known columns, or the residuals
#: of its logarithm.
TRANSFORMS = ("log", "log1p", "regression", "log_regression")


@dataclass(frozen=True)
class ModelSpec:
    """One model of a run.

    Attributes
    ----------
    name
        Unique name in the run: folder in ``models/`` and column of results.
    engine, model
        Library and its class.
    params
        Arguments of the class that the user sets.
    exogenous
        Whether the model uses the exogenous columns that its class supports.
    transform
        Transformation of the target before training: one of :data:`TRANSFORMS` or None.
    search
        The search that finds the other arguments (:mod:`forerun.config.search`), or None.
    members, member_of
        The models whose mean this is, and the model whose mean this is a part of
        (:mod:`forerun.config.seeds`), or None.
    without_season
        Class and arguments where the data have no season (:mod:`forerun.config.without_season`).
    """

    name: str
    engine: str
    model: str
    params: dict[str, Any] = field(default_factory=dict)
    exogenous: bool = False
    transform: str | None = None
    search: str | None = None
    members: list[str] | None = None
    member_of: str | None = None
    without_season: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the item as written to the frozen configuration."""
        item = asdict(self)
        return {k: v for k, v in item.items() if v is not None or k not in OPTIONAL}

    @property
    def is_network(self) -> bool:
        """Whether the model is trained in steps, in 32 bits, on a GPU if there is one."""
        return ENGINES[self.engine].networks

    @property
    def is_pretrained(self) -> bool:
        """Whether the model is a pretrained network."""
        return ENGINES[self.engine].pretrained

    @property
    def takes_log(self) -> bool:
        """Whether the model is trained on the logarithm of the target, or of the target plus 1."""
        return self.transform in ("log", "log1p", "log_regression")

    @property
    def plus(self) -> float:
        """What is added to the target before its logarithm, so that zeros have one."""
        return 1.0 if self.transform == "log1p" else 0.0

    @property
    def takes_remainder(self) -> bool:
        """Whether the model is trained on the residuals of a regression of each series."""
        return self.transform in ("regression", "log_regression")

    @property
    def info(self) -> catalog.ModelInfo:
        """Catalog entry of the class."""
        return catalog.info(self.engine, self.model)


def specs(settings: Mapping[str, Any]) -> list[ModelSpec]:
    """Return the models and baselines of resolved settings, baselines first as they are fast.

    For data without a season, those with ``without_season`` have that class.
    """
    items = [*settings["baselines"], *settings["models"]]
    return [ModelSpec(**without_season.effective(item, settings)) for item in items]


def spec(settings: Mapping[str, Any], name: str) -> ModelSpec:
    """Return the model with the given name."""
    by_name = {item.name: item for item in specs(settings)}
    if name not in by_name:
        raise UserError(f"the run has no model '{name}'{suggest(name, by_name)}")
    return by_name[name]


def exogenous_columns(spec: ModelSpec, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns a model uses: keys hist_exog, futr_exog and stat_exog.

    The calendar's columns come last in futr_exog. 0/1 columns replace categorical ones if the class
    cannot take these. With ``transform: regression`` the regression uses futr_exog.
    """
    info = spec.info
    found = given_columns(spec, settings)
    for kind, names in found.items():
        if not info.categorical or (kind == "futr_exog" and spec.takes_remainder):
            found[kind] = categories.expanded(settings, names)
    takes_series = spec.exogenous and info.categorical and info.stat_exog
    if takes_series and categories.SERIES in categories.names(settings):
        found["stat_exog"].append(categories.SERIES)
    if spec.exogenous and (info.futr_exog or spec.takes_remainder):
        found["futr_exog"] += calendar.columns(settings)
    return found


def given_columns(spec: ModelSpec, settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns of the data that a model uses, by hist_exog, futr_exog and stat_exog."""
    info = spec.info
    supported = {
        "hist_exog": info.hist_exog,
        "futr_exog": info.futr_exog or spec.takes_remainder,
        "stat_exog": info.stat_exog,
    }
    return {
        kind: list(settings[kind]) if spec.exogenous and able else []
        for kind, able in supported.items()
    }


def categorical_columns(spec: ModelSpec, settings: Mapping[str, Any]) -> list[str]:
    """Return the categorical columns that a model takes as such."""
    if not spec.info.categorical:
        return []
    used = [name for names in exogenous_columns(spec, settings).values() for name in names]
    return [name for name in categories.names(settings) if name in used]


def expand(
    items: Sequence[Any], key: str, settings: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Turn the items of ``models`` or ``baselines`` into full mappings.

    Parameters
    ----------
    items
        Names, or mappings with some of name, engine, model, params, exogenous, transform.
    key
        ``models`` or ``baselines``, for messages.
    settings
        Settings with exogenous and the exogenous columns.

    Returns
    -------
    tuple
        Mappings with all keys, and one sentence for each problem.
    """

    def one(item: Any) -> list[dict[str, Any]]:
        spec = _spec(item)
        _check_validation(spec, settings)
        return [
            part.as_dict()
            for variant in _variants(spec, item, settings)
            for part in seeds.expanded(variant, item, settings)
        ]

    return each(items, key, one)


def each(
    items: Sequence[Any], key: str, expand_one: Callable[[Any], list[dict[str, Any]]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Expand each item of the list `key`; return the mappings and one sentence per problem."""
    expanded: list[dict[str, Any]] = []
    wrong: list[str] = []
    for position, item in enumerate(items):
        try:
            expanded += expand_one(item)
        except UserError as error:
            wrong += [f"{key}[{position}]: {line}" for line in str(error).splitlines()]
    return expanded, wrong


def brief(items: Sequence[Any] | None) -> list[Any]:
    """Return items in their shortest form: a name where nothing else is set."""
    short: list[Any] = []
    for item in items or []:
        if not isinstance(item, Mapping):
            short.append(item)
            continue
        if "member_of" in item:
            continue
        if item.get("members"):
            item = {**item, "seeds": len(item["members"])}
        optional = ("params", "exogenous", "transform", "search", "seeds", without_season.KEY)
        rest = {key: item[key] for key in optional if item.get(key)}
        if item["model"] != item["name"]:
            rest = {"model": item["model"], **rest}
        short.append({"name": item["name"], **rest} if rest else item["name"])
    return short


def duplicates(items: Sequence[Mapping[str, Any]], what: str = "models") -> list[str]:
    """Return one sentence for each duplicate name (ignoring case)."""
    seen: dict[str, str] = {}
    wrong = []
    for item in items:
        name = item["name"]
        other = seen.get(name.lower())
        seen[name.lower()] = name
        if other is not None:
            both = f"'{name}'" if other == name else f"'{other}' and '{name}'"
            wrong.append(f"two {what} are named {both}; give each a different name")
    return wrong


def _spec(item: Any) -> ModelSpec:
    """Check one item; :func:`_variants` decides on exogenous columns."""
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping):
        raise UserError(f"{schema.show(item)} is neither a name nor a mapping with name and model")
    for key in item:
        if key not in _GIVEN:
            raise UserError(f"unknown key {schema.show(key)}{suggest(key, _GIVEN)}")
    name = item.get("name", item.get("model"))
    model = item.get("model", name)
    if not isinstance(name, str) or not isinstance(model, str):
        raise UserError(f"name and model must be strings, found {schema.show(dict(item))}")
    engine, given = item.get("engine"), item.get("params")
    if engine is not None and engine not in ENGINES:
        raise UserError(f"engine is {schema.show(engine)}; it must be one of {', '.join(ENGINES)}")
    engine, model = catalog.find(model, engine)
    check_name(name)
    given = params.checked(catalog.info(engine, model), given, f"params of {name}")
    transform = item.get("transform")
    if transform not in (None, *TRANSFORMS):
        raise UserError(
            f"transform is {schema.show(transform)}; it must be one of {', '.join(TRANSFORMS)}, "
            "or left out"
        )
    other = without_season.expanded(item.get(without_season.KEY), engine, name)
    return ModelSpec(name, engine, model, given, transform=transform, without_season=other)


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder and a column."""
    if not NAME.fullmatch(name) or re.search(r"-(lo|hi)-", name):
        raise UserError(
            f"name {schema.show(name)} is not allowed: letters, digits, '_' and '-', at most 100,"
            " the first a letter or digit, without '-lo-' and '-hi-'"
        )
    if wrong := repetition(name):
        raise UserError(f"name {schema.show(name)} is not allowed: {wrong}")
    if name.lower() in RESERVED:
        raise UserError(f"name '{name}' is reserved for Forerun's own results; choose another")


def _check_validation(spec: ModelSpec, settings: Mapping[str, Any]) -> None:
    patience = spec.params.get("early_stop_patience_steps")
    if patience and patience > 0 and not settings["val_size"]:
        raise UserError(
            f"params of {spec.name}: early_stop_patience_steps needs validation data; set val_size"
        )


def _variants(spec: ModelSpec, item: Any, settings: Mapping[str, Any]) -> list[ModelSpec]:
    """Decide on exogenous columns; ``both`` gives two models."""
    choice = item.get("exogenous") if isinstance(item, Mapping) else None
    if choice not in (None, True, False, "both") or type(choice) is int:
        raise UserError(f"exogenous is {schema.show(choice)}; it must be one of true, false, both")
    asked = ModelSpec(**{**spec.as_dict(), "exogenous": True})
    columns = [name for names in exogenous_columns(asked, settings).values() for name in names]
    given = any(settings[kind] for kind in ("hist_exog", "futr_exog", "stat_exog", "calendar"))
    if choice in (True, "both") and given and not columns:
        raise UserError(
            f"exogenous is {schema.show(choice)}, but {spec.model} uses no such columns"
        )
    choice = settings["exogenous"] if choice is None else choice
    if not columns or choice is False:
        return [spec]
    if choice == "both":
        check_name(f"{spec.name}_exog")
        return [spec, ModelSpec(**{**asked.as_dict(), "name": f"{spec.name}_exog"})]
    return [asked]
