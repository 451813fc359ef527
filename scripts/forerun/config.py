"""The configuration: read, completed with defaults, checked, compared and written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from forerun import models, schema
from forerun.errors import UserError, suggest

# Snakemake's own key in its configuration.
_TOLERATED = {"pathvars"}
_LARGEST_FILE = 1_000_000  # bytes; a configuration is small, a table given by mistake is not
_MOST_VALUES = 100_000
_DEEPEST = 20
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_WINDOW_KEYS = ("horizon", "test_size", "step_size")


class _Loader(yaml.SafeLoader):
    """Safe loader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        written = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen = set()
        for key_node in written:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is written twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Safe dumper that writes every value out instead of referring to an earlier one."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping without executing or guessing anything.

    Parameters
    ----------
    path
        File in UTF-8. An empty one is an empty mapping.

    Raises
    ------
    UserError
        The file cannot be read, is no mapping, names a key twice or uses tags of a language.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > _LARGEST_FILE:
        raise UserError(f"{path}: is too large for a configuration (more than 1 MB)")
    try:
        value = yaml.load(content, Loader=_Loader)  # noqa: S506, a subclass of SafeLoader
    except yaml.constructor.ConstructorError as error:
        raise UserError(f"{path}: {_constructing(error)}{_line(error)}") from None
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}: is not valid YAML, {error.problem}{_line(error)}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: is not valid YAML, {reason}") from None
    except RecursionError:
        raise UserError(f"{path}: is nested too deeply for a configuration") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds a {type(value).__name__}, not a mapping of key: value lines")
    return value


def _constructing(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "could not determine a constructor" in problem:
        tag = problem.rpartition(" ")[2].strip("'")
        return f"the tag {tag} is not allowed, only plain values are"
    return problem


def _line(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def resolve(asked: Mapping[str, Any], where: str = "configuration") -> dict[str, Any]:
    """Fill in defaults, check everything, and write models out in full.

    Resolving twice changes nothing: ``resolve(resolve(x)) == resolve(x)``.

    Parameters
    ----------
    asked
        Keys of ``workflow/schemas/config.schema.yaml`` in any number and order. Lists may be
        comma-separated texts, as they come from a command line.
    where
        Origin of `asked`, for messages.

    Returns
    -------
    dict
        Every key, in the schema's order. Items of ``models`` and ``baselines`` have the keys
        name, engine, model, params and exogenous.

    Raises
    ------
    UserError
        One line for each thing that is wrong: key, value and what is allowed.
    """
    if not isinstance(asked, Mapping):
        raise UserError(f"{where}: is a {type(asked).__name__}, not a mapping of keys and values")
    given = _plain({key: value for key, value in asked.items() if key not in _TOLERATED}, where)
    rules = schema.properties()
    unknown = [
        f"unknown key {schema.show(key)}{suggest(key, rules)}" for key in given if key not in rules
    ]
    if unknown:
        _refuse(unknown, where)
    given = {key: _coerce(value, rules[key]) for key, value in given.items()}
    settings = {**schema.defaults(), **given}
    _refuse(schema.problems(settings, [key for key in settings if key not in _MODEL_KEYS]), where)
    _refuse(_inconsistencies(settings), where)
    _expand_models(settings, given, where)
    return settings


_MODEL_KEYS = ("models", "baselines")


def _refuse(wrong: list[str], where: str) -> None:
    if wrong:
        raise UserError("\n".join(f"{where}: {sentence}" for sentence in wrong))


def _expand_models(settings: dict[str, Any], given: Mapping[str, Any], where: str) -> None:
    """Replace models and baselines in `settings` by full mappings."""
    wrong = []
    for key in _MODEL_KEYS:
        if not isinstance(settings[key], list):
            _refuse([f"{key} is {schema.show(settings[key])}, it must be a list of models"], where)
        settings[key], more = models.expand(settings[key], key, settings)
        wrong += more
    _refuse(wrong, where)
    if "baselines" not in given:  # a default gives way to a model the user names
        taken = {item["name"].lower() for item in settings["models"]}
        settings["baselines"] = [
            item for item in settings["baselines"] if item["name"].lower() not in taken
        ]
    together = [*settings["models"], *settings["baselines"]]
    if not together:
        _refuse(["models and baselines are both empty, name at least one model"], where)
    _refuse(models.duplicates(together) or schema.problems(settings, _MODEL_KEYS), where)


def _plain(value: Any, where: str) -> Any:
    """Copy into plain dicts, lists and scalars; refuse what YAML text cannot mean."""
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
                        " is not a text, put it in quotes"
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
            raise UserError(f"{where}: {place} is {value}, it must be a finite number")
        return value
    if isinstance(value, str):
        value = str(value)  # drops subclasses
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            raise UserError(f"{where}: {place} is {value!r}, it holds a control character")
        # YAML 1.1 takes 1e-3 for a text, nobody else does.
        return float(value) if _EXPONENT.fullmatch(value) else value
    raise UserError(
        f"{where}: {place} is {schema.show(value)} ({type(value).__name__}),"
        " it must be a text, a number, true, false, null, a list or a mapping"
    )


def _coerce(value: Any, rule: Mapping[str, Any]) -> Any:
    """Read a value as its key means it: lists from texts, whole floats as integers."""
    kinds = schema.types(rule)
    if "array" in kinds:
        if value is None:
            return []
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, (int, float, Mapping)) and not isinstance(value, bool):
            value = [value]
        numbers = rule["items"].get("type") == "number"
        if isinstance(value, list) and numbers:
            value = sorted(map(_number, value), key=lambda item: (isinstance(item, str), item))
        return value
    if "integer" in kinds and isinstance(value, float) and value.is_integer():
        return int(value)
    texts = "string" in kinds and "integer" not in kinds
    if (texts or "32" in rule.get("enum", ())) and type(value) is int:
        return str(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _inconsistencies(settings: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each pair of keys that do not go together."""
    wrong = []
    horizon, step = settings["horizon"], settings["step_size"] or settings["horizon"]
    held = settings["test_size"]
    if held is not None and (held < horizon or (held - horizon) % step):
        wrong.append(
            f"test_size is {held}, it must be the horizon {horizon} plus a multiple of"
            f" the step size {step}"
        )
    if 0 < settings["val_size"] < horizon:
        wrong.append(f"val_size is {settings['val_size']}, it must be 0 or at least {horizon}")
    if settings["early_stop_patience_steps"] and not settings["val_size"]:
        wrong.append(
            f"early_stop_patience_steps needs validation data, set val_size to at least {horizon}"
        )
    if settings["sort_metric"] not in settings["metrics"]:
        wrong.append(
            f"sort_metric is '{settings['sort_metric']}', it must be one of metrics"
            f" ({', '.join(settings['metrics'])})"
        )
    return wrong + _columns(settings)


def _columns(settings: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each column that is given two roles."""
    roles: dict[str, str] = {}
    wrong = []
    for key in ("id_col", "time_col", "target_col", "hist_exog", "futr_exog", "stat_exog"):
        value = settings[key]
        for column in value if isinstance(value, list) else [value]:
            if column in roles:
                wrong.append(f"column '{column}' stands in both {roles[column]} and {key}")
            roles.setdefault(column, key)
    return wrong


def dump(settings: Mapping[str, Any]) -> str:
    """Return resolved settings as YAML text, keys in the schema's order; it loads back equal."""
    ordered = {key: settings[key] for key in schema.properties() if key in settings}
    return yaml.dump(
        ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, indent=2
    )


def differences(
    frozen: Mapping[str, Any],
    asked: Mapping[str, Any],
    same_data: Callable[[Any, Any], bool] | None = None,
    where: str = "configuration",
) -> list[tuple[str, Any, Any]]:
    """Compare what is asked for an existing run with its frozen configuration.

    Parameters
    ----------
    frozen
        The run's own resolved configuration.
    asked
        What the user names; keys that are left out do not contradict.
    same_data
        Decides whether two values of data_file, static_file or futr_file mean the same file;
        equality if left out.
    where
        Origin of `asked`, for messages.

    Returns
    -------
    list of tuple
        (key, frozen value, asked value) for each key that contradicts, in the schema's order.
    """
    named = [key for key in asked if key not in _TOLERATED]
    context = {key: value for key, value in frozen.items() if key not in _MODEL_KEYS}
    try:
        resolved = resolve({**context, **asked}, where)
    except UserError:  # asked and frozen do not go together: compare as they are
        resolved = resolve(asked, where)
    from_data, operational = schema.marked("x-from-data"), schema.marked("x-operational")
    found = []
    for key in schema.properties():
        if key not in named or key in operational:
            continue
        old, new = frozen.get(key), resolved[key]
        if new is None and key in from_data:
            continue
        same = old == new and type(old) is type(new)
        if same_data is not None and key in ("data_file", "static_file", "futr_file"):
            same = same_data(old, new)
        if not same:
            found.append((key, old, new))
    return found


def windows(settings: Mapping[str, Any]) -> int:
    """Return the number of back-test windows, from test_size where it is given."""
    if settings["test_size"] is None:
        return settings["n_windows"]
    step = settings["step_size"] or settings["horizon"]
    return (settings["test_size"] - settings["horizon"]) // step + 1


def folds(settings: Mapping[str, Any]) -> int:
    """Return the number of fits of a cross-validation: 1 without refit."""
    refit = settings["refit"]
    if refit is False:
        return 1
    return windows(settings) if refit is True else math.ceil(windows(settings) / refit)
