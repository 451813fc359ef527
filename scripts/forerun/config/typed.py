"""Settings as typed: run ids, paths and column names are strings, even if they look otherwise.

``run_id: 2024_11`` is not the number 202411, ``target_col: no`` is not false, and
``--set target_col='#Passengers'`` is not a comment. The schema defines which keys are strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from forerun.base.errors import UserError
from forerun.base.yaml_files import load_yaml
from forerun.config import schema
from forerun.config.own_metrics import located

_TEXT = "tag:yaml.org,2002:str"
#: Tags that YAML infers for plain scalars; null stays null.
_GUESSED = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "value", "merge")}
_TAGGED = "!!str "
_WORDS = {"true": True, "false": False, "null": None, "none": None, "": None}
_MODEL_LISTS = ("models", "baselines")
_MODEL_TEXTS = ("name", "engine", "model", "transform")


def is_text(key: str) -> bool:
    """Return whether the values of a key are strings (or null, or a number: ``freq``)."""
    return "string" in schema.types(schema.properties().get(key, {}))


def is_list_of_text(key: str) -> bool:
    """Return whether the value of a key is a list of columns or models."""
    rule = schema.properties().get(key, {})
    named = rule.get("items", {}).get("$ref", "").rpartition("/")[2]
    return "array" in schema.types(rule) and named in ("column", "model", "term")


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a configuration file written by a user.

    See :func:`forerun.base.yaml_files.load_yaml`.
    """
    return located(load_yaml(path, _keep_text), Path(path).parent)


def _keep_text(document: yaml.Node) -> None:
    """Tag the plain scalars of string keys as strings, before YAML infers another type."""
    if not isinstance(document, yaml.MappingNode):
        return
    for key_node, node in document.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        if is_text(key):
            integer = "integer" in schema.types(schema.properties()[key])
            _as_text(node, keep_integers=integer)
        elif is_list_of_text(key):
            _as_text(node)
            for item in node.value if isinstance(node, yaml.SequenceNode) else []:
                _as_text(item)
                if key in _MODEL_LISTS and isinstance(item, yaml.MappingNode):
                    _keep_text_of_model(item)


def _keep_text_of_model(item: yaml.MappingNode) -> None:
    for key_node, node in item.value:
        if isinstance(key_node, yaml.ScalarNode) and key_node.value in _MODEL_TEXTS:
            _as_text(node)


def _as_text(node: yaml.Node, keep_integers: bool = False) -> None:
    if not isinstance(node, yaml.ScalarNode) or node.style or node.tag not in _GUESSED:
        return
    if not (keep_integers and re.fullmatch(r"\d+", node.value)):
        node.tag = _TEXT


def assignment(pair: str, quoted: bool = False) -> tuple[str, Any]:
    """Parse ``key=value``: a string for string keys, otherwise as Snakemake parses it.

    Parameters
    ----------
    quoted
        Whether to strip quotes around the value, as Snakemake's ``--config`` does.

    Raises
    ------
    UserError
        The pair is malformed, or its value is nested.
    """
    key, sign, text = pair.partition("=")
    if not sign or not re.fullmatch(r"[A-Za-z_]\w*", key):
        raise UserError(f"'{pair}' is not of the form key=value")
    text = text.strip("'\"") if quoted else text
    if is_text(key):
        return key, _text(key, text)
    if is_list_of_text(key) and not re.fullmatch(r"\s*\[.*\]\s*|!!.*", text, re.DOTALL):
        return key, None if text.lower() in ("", "null", "none") else text
    return key, _value(key, text)


def _text(key: str, text: str) -> Any:
    kinds = schema.types(schema.properties()[key])
    if text.startswith(_TAGGED):
        return yaml.load(text, Loader=yaml.BaseLoader)
    if "null" in kinds and text.lower() in ("", "null", "none", "~"):
        return None
    return int(text) if "integer" in kinds and re.fullmatch(r"\d+", text) else text


def _value(key: str, text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    try:
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return text
    if isinstance(value, dict) or (isinstance(value, list) and any(map(_nested, value))):
        raise UserError(f"{key}: nested values belong in a file; pass it with --config FILE")
    return value


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def options(parsed: Mapping[str, Any], pairs: Iterable[str]) -> dict[str, Any]:
    """Return the settings of Snakemake's ``--config`` with strings as typed.

    Parameters
    ----------
    parsed
        The settings as parsed by Snakemake.
    pairs
        The arguments, ``key=value``.
    """
    found = dict(parsed)
    for pair in pairs:
        key = pair.partition("=")[0]
        if key in found and (is_text(key) or is_list_of_text(key)):
            try:
                found[key] = assignment(pair, quoted=True)[1]
            except UserError:
                continue  # nested, such as models with arguments: keep what Snakemake parsed
    return found
