"""The configuration schema: defaults, allowed values in words, and validation."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import yaml

from forerun.base.errors import suggest
from forerun.base.resources import SCHEMA
from forerun.config.names import RUN_ID_RULE

_WIDTH = 97
_ARTICLES = {"integer": "an integer", "array": "a list", "object": "a mapping", "null": "null"}
_WORDS = {"boolean": "true or false", "number": "a number", "string": "a string"}


@cache
def _document() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader=loader)


def properties() -> Mapping[str, dict[str, Any]]:
    """Return the schema of each key, in the order of the file."""
    return _document()["properties"]


def defaults() -> dict[str, Any]:
    """Return the default of each key."""
    return {key: copy.deepcopy(rule["default"]) for key, rule in properties().items()}


def default(key: str) -> Any:
    """Return the default of one key."""
    return copy.deepcopy(properties()[key]["default"])


def earlier() -> dict[str, Any]:
    """Return the value of each key in runs that are older than the key: ``x-earlier``."""
    given = {key: rule["x-earlier"] for key, rule in properties().items() if "x-earlier" in rule}
    return defaults() | given


def marked(mark: str) -> frozenset[str]:
    """Return the keys that have a mark such as ``x-operational``."""
    return frozenset(key for key, rule in properties().items() if rule.get(mark))


def types(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the JSON types that a rule allows (empty for an enumeration)."""
    found = rule.get("type", ())
    return (found,) if isinstance(found, str) else tuple(found)


def allowed(rule: Mapping[str, Any]) -> str:
    """Describe the values that a rule allows: ``an integer from 1 to 10000, or null``."""
    if "enum" in rule:
        return "one of " + _choices(rule)
    words = []
    for kind in types(rule):
        word = _ARTICLES.get(kind) or _WORDS[kind]
        if kind == "string" and "pattern" in rule:
            word = f"a string of {RUN_ID_RULE}"
        if kind in ("integer", "number"):
            word += _bounds(rule)
        if kind == "array" and "type" in rule["items"]:
            named = [f"{_WORDS[one].removeprefix('a ')}s" for one in types(rule["items"])]
            word += f" of {' or '.join(named)}{_bounds(rule['items'])}"
        elif kind == "array" and "enum" in rule["items"]:
            word += " of " + _choices(rule["items"])
        elif kind == "array":
            name = rule["items"]["$ref"].rpartition("/")[2]
            word += f" of {name}{'es' if name.endswith('ch') else 's'}"
        words.append(word)
    return ", or ".join(words)


def _choices(rule: Mapping[str, Any]) -> str:
    return ", ".join(value if isinstance(value, str) else show(value) for value in rule["enum"])


def _bounds(rule: Mapping[str, Any]) -> str:
    low, high = rule.get("minimum"), rule.get("maximum")
    above, below = rule.get("exclusiveMinimum"), rule.get("exclusiveMaximum")
    if above is not None and below is not None:
        return f" between {above} and {below}"
    if above is not None:
        return f" above {above}" + (f", at most {high}" if high is not None else "")
    if low is not None:
        return f" from {low} to {high}" if high is not None else f" of at least {low}"
    return ""


def template(schema_file: str) -> str:
    """Return a configuration file with every key, its description and its default.

    Parameters
    ----------
    schema_file : path of the schema, for editors
    """
    lines = [
        f"# yaml-language-server: $schema={schema_file}",
        "# Every setting with its default: change values, delete keys that keep their default.",
        "# config/README.md lists the allowed values.",
    ]
    for key, rule in properties().items():
        if section := rule.get("x-section"):
            lines += ["", f"# --- {section} ".ljust(_WIDTH, "-")]
        meaning = textwrap.wrap(rule["description"], _WIDTH - 2)
        default = yaml.safe_dump(rule["default"], default_flow_style=True, width=10**9)
        value = default.removesuffix("...\n").strip()
        lines += ["", *(f"# {line}" for line in meaning), f"{key}: {value}"]
    return "\n".join(lines) + "\n"


def show(value: Any) -> str:
    """Return a value as written in YAML, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator  # a sixth of a second: only when needed

    return Draft202012Validator(_document())


def problems(settings: Mapping[str, Any], keys: Iterable[str] | None = None) -> list[str]:
    """Validate values and return one sentence per invalid value.

    Parameters
    ----------
    settings
        Any subset of the configuration.
    keys
        Keys to check; all keys in ``settings`` if omitted.
    """
    rules = properties()
    chosen = {key: settings[key] for key in (settings if keys is None else keys)}
    found: dict[str, str] = {}
    for error in sorted(
        _validator().iter_errors(chosen), key=lambda error: list(map(str, error.path))
    ):
        if error.path:
            found.setdefault(str(error.path[0]), _sentence(rules[str(error.path[0])], error))
    return list(found.values())


def _sentence(rule: Mapping[str, Any], error: Any) -> str:
    key, *inside = error.path
    place = key + "".join(f"[{part}]" for part in inside)
    if error.validator == "uniqueItems":
        return f"{place} contains duplicates: {show(error.instance)}"
    if error.validator == "minItems":
        return f"{place} is empty; it must be {allowed(rule)}"
    choices = error.schema.get("enum", ())
    hint = suggest(error.instance, map(str, choices)) if isinstance(error.instance, str) else ""
    words = allowed(error.schema if inside else rule)
    return f"{place} is {show(error.instance)}; it must be {words}{hint}"
