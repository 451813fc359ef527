"""Coercion of values from YAML, the command line or Python to the schema's types."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from forerun.base.errors import UserError
from forerun.base.text import split_at_commas
from forerun.config import schema

_MOST_VALUES = 100_000
_DEEPEST = 20
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def plain(value: Any, where: str) -> Any:
    """Copy into plain dicts, lists and scalars; refuse values that YAML cannot express."""
    budget = [_MOST_VALUES]

    def copy(value: Any, place: str, depth: int) -> Any:
        budget[0] -= 1
        if depth > _DEEPEST or budget[0] < 0:
            raise UserError(f"{where}: {place} is nested too deeply or too large")
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise UserError(
                        f"{where}: the key {schema.show(key)}{' in ' + place if place else ''}"
                        " is not a string; put it in quotes"
                    )
            return {
                str(key): copy(item, f"{place}.{key}" if place else str(key), depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [copy(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(value)]
        return _scalar(value, place, where)

    return copy(value, "", 0)


def _scalar(value: Any, place: str, where: str) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UserError(f"{where}: {place} is {value}; it must be a finite number")
        return value
    if isinstance(value, str):
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            raise UserError(f"{where}: {place} is {value!r}, which contains a control character")
        return str(value)  # drops subclasses
    raise UserError(
        f"{where}: {place} is {schema.show(value)} ({type(value).__name__});"
        " it must be a string, a number, true, false, null, a list or a mapping"
    )


def coerce(value: Any, rule: Mapping[str, Any]) -> Any:
    """Coerce a value to its key's type: strings to lists, whole floats to integers."""
    kinds = schema.types(rule)
    if "array" in kinds:
        if value is None:
            return []
        if isinstance(value, str):
            value = split_at_commas(value)
        elif isinstance(value, (int, float, Mapping)) and not isinstance(value, bool):
            value = [value]
        numbers = rule["items"].get("type") == "number"
        if isinstance(value, list) and numbers:
            value = [_number(item) for item in value]
            if rule.get("x-ordered"):
                return value
            # Items that are not numbers come last; the schema refuses them.
            return sorted(
                value, key=lambda item: item if isinstance(item, (int, float)) else math.inf
            )
        return value
    if "boolean" in kinds and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"  # as `snakemake --config refit=true` gives it
    if {"integer", "number"} & set(kinds) and "string" not in kinds:
        value = exponents(value)
    if "integer" in kinds and isinstance(value, float) and value.is_integer():
        return int(value)
    strings = "string" in kinds and "integer" not in kinds
    if (strings or "32" in rule.get("enum", ())) and type(value) is int:
        return str(value)
    return value


def exponents(value: Any) -> Any:
    """Read ``1e-3`` as a number, at any depth; YAML 1.1 reads it as a string."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    if isinstance(value, dict):
        return {key: exponents(item) for key, item in value.items()}
    return [exponents(item) for item in value] if isinstance(value, list) else value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value
