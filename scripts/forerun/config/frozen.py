"""Reading the frozen configuration of a run, which may be old or come from an untrusted source.

Types, sizes and names are checked; today's bounds are not applied. Operational settings (paths,
limits: ``x-operational`` in the schema) are ignored: they come from the current call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.yaml_files import load_yaml
from forerun.config import (
    models,
    own_metrics,
    params,
    schema,
    search,
    search_checks,
    seeds,
    without_season,
)
from forerun.config.coercion import plain
from forerun.config.engines import ENGINES

#: Bounds of integers, and maximum length of a string.
_LARGEST, _LONGEST = 2**53, 4096
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
_MODEL_KEYS = ("models", "baselines")


def read_frozen(path: str | Path) -> dict[str, Any]:
    """Return the settings of a run's ``config.yaml``; keys added later have their old behavior.

    Operational keys always have their default.

    Raises
    ------
    Damaged
        The file is missing, unreadable, or has content that Forerun would not have written.
    """
    settings, defaults = read_recorded(path), schema.defaults()
    return settings | {key: defaults[key] for key in schema.marked("x-operational")}


def read_recorded(path: str | Path) -> dict[str, Any]:
    """Return all settings of a run's ``config.yaml`` for display, operational keys included."""
    written = load_yaml(path, follow=False)
    try:
        found = plain(written, str(path))
    except UserError as error:
        raise Damaged(f"{error}; the run is damaged, restore the file") from None
    settings = schema.earlier()
    for key, rule in schema.properties().items():
        if key in found and key not in (*_MODEL_KEYS, "search"):
            own = key == "metric_functions"
            if wrong := own_metrics.wrong_frozen(found[key]) if own else _wrong(found[key], rule):
                raise _damaged(path, f"{key} is {schema.show(found[key])}, {wrong}")
            settings[key] = found[key]
    for key in _MODEL_KEYS:
        settings[key] = _models(path, key, found.get(key))
    settings["search"] = _searches(path, found.get("search") or [])
    for study in search.studies(settings):
        _fill_in(settings["models"], study, search.read_chosen(path, study))
    return settings


def _searches(path: str | Path, items: Any) -> list[dict[str, Any]]:
    """Return the searches of a run, checked."""
    if not isinstance(items, list) or len(items) > 1000:
        raise _damaged(path, "'search' is not a list of searches")
    for position, item in enumerate(items):
        own = set(item) & set(models.KEYS) if isinstance(item, dict) else set()
        wrong = _wrong_model({key: item[key] for key in own}) if own else "is not a search"
        if wrong := wrong or search_checks.wrong_frozen(
            {k: v for k, v in item.items() if k not in own}
        ):
            raise _damaged(path, f"search[{position}]: {wrong}")
    return items


def _fill_in(items: list[dict[str, Any]], study: search.Study, chosen: search.Chosen) -> None:
    """Add the arguments that a search found to the items of its models."""
    for name, found in zip(study.models, chosen.trials, strict=False):
        for item in items:
            if item["name"] == name and item.get("search") == study.name:
                item["params"] = {**item["params"], **found.params}


def _damaged(path: str | Path, what: str) -> Damaged:
    return Damaged(f"{path}: is damaged: {what}; restore the file")


def _wrong(value: Any, rule: Mapping[str, Any]) -> str:
    """Return what is wrong with a value; empty if it has its key's type."""
    kinds = schema.types(rule)
    if "enum" in rule:
        allowed = {type(choice) for choice in rule["enum"]}
        fits = type(value) in allowed and (not isinstance(value, str) or _WORD.fullmatch(value))
        return "" if fits else f"it must be {schema.allowed(rule)}"
    if isinstance(value, list) and "array" in kinds:
        if len(value) > max(1000, rule.get("maxItems", 0)) or any(
            isinstance(item, (list, dict)) for item in value
        ):
            return "it must be a list of names or numbers"
        return next((wrong for item in value if (wrong := _wrong_item(item, rule["items"]))), "")
    if isinstance(value, dict) and "object" in kinds:
        return "" if _is_vocabulary(value) else "it must be lists of values, by column"
    if isinstance(value, str) and "string" in kinds:
        return "" if len(value) <= _LONGEST else "it is too long"
    if value is None and "null" in kinds:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        fits = isinstance(value, bool) and "boolean" in kinds
        return "" if fits else f"it must be {schema.allowed(rule)}"
    if isinstance(value, float) and "number" in kinds:
        return ""
    low, high = rule.get("minimum", -_LARGEST), rule.get("maximum", _LARGEST)
    if isinstance(value, int) and {"integer", "number"} & set(kinds) and low <= value <= high:
        return ""
    return f"it must be {schema.allowed(rule)}"


def _is_vocabulary(value: dict[Any, Any]) -> bool:
    """Return whether a value maps names to short lists of strings or numbers."""
    return len(value) <= 1000 and all(
        isinstance(items, list)
        and len(items) <= 1000
        and all(isinstance(item, (str, int, float)) for item in items)
        and all(len(item) <= _LONGEST for item in items if isinstance(item, str))
        for items in value.values()
    )


def _wrong_item(item: Any, rule: Mapping[str, Any]) -> str:
    if rule.get("type") == "number":
        fits = isinstance(item, (int, float)) and not isinstance(item, bool)
        return "" if fits and abs(item) < _LARGEST else "it must be a list of numbers"
    if "enum" in rule:
        fits = isinstance(item, str) and _WORD.fullmatch(item) is not None
    else:
        fits = isinstance(item, str) and 0 < len(item) <= _LONGEST
    return "" if fits else "it must be a list of names"


def _models(path: str | Path, key: str, items: Any) -> list[dict[str, Any]]:
    """Return the models of a run, checked."""
    if not isinstance(items, list) or len(items) > 1000:
        raise _damaged(path, f"'{key}' is not a list of models")
    for position, item in enumerate(items):
        if wrong := _wrong_model(item):
            raise _damaged(path, f"{key}[{position}]: {wrong}")
    return items


def _wrong_model(item: Any) -> str:
    keys, optional = set(models.KEYS), set(models.OPTIONAL)
    if not isinstance(item, dict) or not keys - optional <= item.keys() <= keys | optional:
        return "is not a model"
    name, model, given = item["name"], item["model"], item["params"]
    try:
        models.check_name(str(name))
    except UserError as error:
        return str(error)
    if item["engine"] not in ENGINES:
        return f"{schema.show(item['engine'])} is not an engine"
    if not isinstance(name, str) or not isinstance(model, str) or not models.NAME.fullmatch(model):
        return f"{schema.show(model)} is not a model"
    if not isinstance(given, dict) or not isinstance(item["exogenous"], bool):
        return "its params or exogenous have the wrong type"
    if refused := params.reserved(given):
        return f"its params hold {schema.show(refused)}, which cannot be given"
    if item.get("transform") not in (None, *models.TRANSFORMS):
        return f"{schema.show(item['transform'])} is not a transform"
    found = item.get("search", name)
    if not isinstance(found, str) or not models.NAME.fullmatch(found):
        return f"{schema.show(found)} is not a search"
    return without_season.wrong_frozen(item.get(without_season.KEY)) or _wrong_members(item)


def _wrong_members(item: dict[str, Any]) -> str:
    """Return what is wrong with the members of a mean; empty if nothing is."""
    members, whole = item.get("members", []), item.get("member_of", "x")
    if not isinstance(members, list) or len(members) > seeds.MOST:
        return "its members are not a list of models"
    for name in (*members, whole):
        if not isinstance(name, str) or not models.NAME.fullmatch(name):
            return f"{schema.show(name)} is not a model"
    return ""
