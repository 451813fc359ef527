"""Validation of searches: the items of ``search`` in a configuration, requested or frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import models, params, schema
from forerun.config.coercion import exponents
from forerun.config.models import KEYS, ModelSpec
from forerun.config.search import Study, combinations

#: Keys of an item beside those of a model; keys of a range of numbers.
_OWN = ("space", "trials", "halving", "keep", "windows", "time_limit")
_RANGE = ("low", "high", "log", "step")
#: Maximum numbers of trials, of windows, and of values of an argument.
MOST_TRIALS, MOST_WINDOWS, MOST_VALUES = 1000, 100, 1000


def expand(
    items: Sequence[Any], settings: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Turn the items of ``search`` into full mappings.

    Returns
    -------
    tuple
        Mappings with all keys, and one sentence for each problem.
    """
    return models.each(items, "search", lambda item: [_study(item, settings).as_dict()])


def _study(item: Any, settings: Mapping[str, Any]) -> Study:
    """Check one item."""
    if not isinstance(item, Mapping):
        raise UserError(f"{schema.show(item)} is not a mapping with model and space")
    for key in item:
        if key not in (*KEYS, *_OWN):
            raise UserError(f"unknown key {schema.show(key)}{suggest(key, (*KEYS, *_OWN))}")
    if not isinstance(item.get("model"), str):
        raise UserError("model is missing; name the model whose arguments are searched")
    space = _space(item.get("space"))
    base = _base(item, space, settings)
    halving = item.get("halving")
    if halving not in (None, True, False) or type(halving) is int:
        raise UserError(f"halving is {schema.show(halving)}; it must be true or false")
    if halving and not base.is_network:
        raise UserError(f"halving is true, but {base.model} is not trained in steps; leave it out")
    halving = base.is_network if halving is None else halving
    if halving and "max_steps" in space:
        raise UserError("space has max_steps, which halving sets; set halving: false")
    trials = _number(item, "trials", 20, MOST_TRIALS)
    keep = _number(item, "keep", 1, MOST_TRIALS)
    possible = min(trials, combinations(space))
    if keep > possible:
        what = "trials" if trials == possible else "combinations in space"
        raise UserError(f"keep is {keep}, but there are only {possible:g} {what}")
    return Study(
        base,
        space=space,
        trials=trials,
        halving=halving,
        keep=keep,
        windows=_number(item, "windows", 1, MOST_WINDOWS),
        time_limit=_limit(item.get("time_limit")),
    )


def _base(item: Mapping[str, Any], space: dict[str, Any], settings: Mapping[str, Any]) -> ModelSpec:
    """Return the model of an item; check all values of its space."""
    if item.get("exogenous") == "both":
        raise UserError("exogenous is 'both'; it must be one of true, false")
    own = {key: item[key] for key in KEYS if key in item}
    own["name"] = item.get("name") or f"{item['model']}_search"
    fixed = own.get("params") or {}
    if not isinstance(fixed, Mapping):
        raise UserError(f"params is {schema.show(fixed)}; it must be a mapping")
    if both := [name for name in space if name in fixed]:
        raise UserError(f"'{both[0]}' is in both params and space")
    first = {name: _ends(values)[0] for name, values in space.items()}
    found, wrong = models.expand([own | {"params": {**fixed, **first}}], "", settings)
    if wrong:
        raise UserError("\n".join(line.removeprefix("[0]: ") for line in wrong))
    base = ModelSpec(**found[0])
    if base.info.auto:
        raise UserError(
            f"{base.model} searches its own arguments; name {base.info.base or 'another model'}"
        )
    if base.is_pretrained:
        raise UserError(f"{base.model} is pretrained; a search cannot train it")
    for name, values in space.items():
        for value in _ends(values):
            wrong = params.check(base.info, {**base.params, name: value})
            if wrong:
                raise UserError("\n".join(f"space: {line}" for line in wrong))
    kept = {name: value for name, value in base.params.items() if name not in space}
    return replace(base, params=kept, search=base.name)


def _space(space: Any) -> dict[str, Any]:
    """Check the form of a space: a list of values, or a range, for each argument."""
    if not isinstance(space, Mapping) or not space:
        raise UserError(
            f"space is {schema.show(space) if space else 'empty'}; it must be a mapping from "
            "arguments to lists of values or ranges, such as {input_size: [24, 48]}"
        )
    return {str(name): _values(str(name), exponents(values)) for name, values in space.items()}


def _values(name: str, values: Any) -> Any:
    """Check the values of one argument."""
    if isinstance(values, list):
        wrong = "is empty" if not values else "is too long" if len(values) > MOST_VALUES else ""
        if not wrong and any(value in values[:i] for i, value in enumerate(values)):
            wrong = "contains duplicates"
        if wrong:
            raise UserError(f"space: {name} {wrong}")
        return list(values)
    if isinstance(values, Mapping):
        return _range(name, values)
    raise UserError(
        f"space: {name} is {schema.show(values)}; it must be a list of values, or a range such as "
        "{low: 1, high: 8}"
    )


def _range(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    for key in values:
        if key not in _RANGE:
            hint = suggest(key, _RANGE)
            raise UserError(f"space: {name} has the unknown key {schema.show(key)}{hint}")
    low: Any = values.get("low")
    high: Any = values.get("high")
    step: Any = values.get("step")
    log = values.get("log", False)
    if not _is_number(low, high) or not low < high:
        raise UserError(f"space: {name} needs low and high, numbers with low below high")
    if not isinstance(log, bool) or (log and (low <= 0 or step is not None)):
        raise UserError(f"space: {name}: log is true or false, with low above 0 and without step")
    if step is not None and not (_is_number(step) and 0 < step <= high - low):
        what = f"step is {schema.show(step)}"
        raise UserError(f"space: {name}: {what}; it must be above 0, at most high - low")
    found = {"low": low, "high": high, "log": log or None, "step": step}
    return {key: value for key, value in found.items() if value is not None}


def _ends(values: Any) -> list[Any]:
    """Return the values to check: all of a list, or both ends of a range."""
    return values if isinstance(values, list) else [values["low"], values["high"]]


def _is_number(*values: Any) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _number(item: Mapping[str, Any], key: str, default: int, most: int) -> int:
    value = exponents(item.get(key))
    value = default if value is None else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise UserError(f"{key} is {schema.show(value)}; it must be an integer from 1 to {most}")
    return value


def _limit(value: Any) -> float | None:
    value = exponents(value)
    if value is not None and (not _is_number(value) or value <= 0):
        raise UserError(f"time_limit is {schema.show(value)}; it must be a number above 0, or null")
    return value


def wrong_frozen(item: Mapping[str, Any]) -> str:
    """Return what is wrong with the own keys of an item of a frozen configuration."""
    kinds = {"space": dict, "trials": int, "halving": bool, "keep": int, "windows": int}
    if item.keys() - kinds.keys() != {"time_limit"} or not kinds.keys() <= item.keys():
        return "is not a search"
    for key, kind in kinds.items():
        if type(item[key]) is not kind:
            return f"{key} is {schema.show(item[key])}"
    bounds = {"trials": MOST_TRIALS, "keep": item["trials"], "windows": MOST_WINDOWS}
    for key, most in bounds.items():
        if not 1 <= item[key] <= most:
            return f"{key} is {item[key]}"
    try:
        if _space(item["space"]) != item["space"] or params.reserved(item["space"]):
            return "its space is not one that Forerun writes"
        _limit(item["time_limit"])
    except UserError as error:
        return str(error)
    return ""
