"""Reading and writing YAML files with plain values only; nothing is executed.

In some cases YAML 1.2 is followed rather than 1.1: ``010`` is ten, not eight; ``1:30`` and
``2024-11-01`` are strings, not a number in base 60 and a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from forerun.base.bounded import open_regular
from forerun.base.errors import UserError

LARGEST_FILE = 1_000_000  # bytes; larger than any configuration, smaller than most tables
#: Maximum number of values with aliases expanded, and maximum nesting depth.
MOST_VALUES, DEEPEST = 100_000, 40
# The C parser is eight times faster, but deep nesting overflows its stack.
_DEEPEST_FOR_C = 5_000


class _UniqueKeys:
    """Mixin for safe loaders that refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        written = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen = set()
        for key_node in written:
            key = self.construct_object(key_node, deep=True)  # type: ignore[attr-defined]
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is duplicated", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)  # type: ignore[misc]


_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_INT, _REAL, _DATE = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return PyYAML's rules for plain scalars, without dates and numbers in base 60."""
    kept: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items():
        own = {_INT: re.compile(rf"(?:{_INTEGER.pattern})\Z")}
        own[_REAL] = re.compile(rf"(?:{_FLOAT.pattern})\Z")
        kept[first] = [(tag, own.get(tag, rule)) for tag, rule in rules if tag != _DATE]
    return kept


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = node.value.replace("_", "").lower()
    bases = {"0x": 16, "0b": 2}
    return int(text, bases.get(text.lstrip("+-")[:2], 10))


class _Loader(_UniqueKeys, yaml.SafeLoader):
    yaml_implicit_resolvers = _resolvers()


class _FastLoader(_UniqueKeys, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers = _resolvers()


_Loader.add_constructor(_INT, _integer)
_FastLoader.add_constructor(_INT, _integer)


def _loader(content: bytes) -> Any:
    # Each level has a bracket, or is further right in its line than the one that contains it, but
    # for a sequence in a mapping.
    brackets = content.count(b"[") + content.count(b"{")
    deepest = min(brackets + 2 * max(map(len, content.split(b"\n"))), len(content))
    return _FastLoader if deepest <= _DEEPEST_FOR_C else _Loader


class _Dumper(yaml.SafeDumper):
    """Safe dumper that writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _size(node: yaml.Node, sizes: dict[int, int], depth: int) -> int:
    """Return the number of values of a node with aliases expanded; refuse too many."""
    if id(node) in sizes:
        size = sizes[id(node)]
        if not size:
            raise ValueError("an alias refers to a node that contains it")
        return size
    if depth > DEEPEST:
        raise RecursionError
    sizes[id(node)] = 0  # while its parts are counted
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    size = 1 + sum(_size(child, sizes, depth + 1) for child in children)
    if size > MOST_VALUES:
        raise ValueError(f"it expands to more than {MOST_VALUES:,} values")
    sizes[id(node)] = size
    return size


def _texts(value: Any) -> str:
    """Return all strings in a value, concatenated."""
    if isinstance(value, dict):
        return "".join(_texts(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple, set)):
        return "".join(map(_texts, value))
    return value if isinstance(value, str) else ""


def load_yaml(
    path: str | Path, prepare: Callable[[yaml.Node], None] | None = None, follow: bool = True
) -> dict[str, Any]:
    """Read a YAML mapping.

    Parameters
    ----------
    path
        File in UTF-8; an empty file is an empty mapping.
    prepare
        Called with the parsed document before values are constructed; it may change tags of nodes.
    follow
        Whether a link may lead out of the file's folder; False for files of runs.

    Raises
    ------
    UserError
        The file cannot be read, is not a mapping, has duplicate keys or language-specific tags.
    """
    path = Path(path)
    with open_regular(path, LARGEST_FILE, follow) as file:
        content = file.read(LARGEST_FILE)
    try:
        value = _construct(content, prepare)
        if b"\\" in content:
            _texts(value).encode()  # half of a surrogate pair is a ValueError
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
        raise UserError(
            f"{path}: contains a {type(value).__name__}, not a mapping of key: value lines"
        )
    return value


def _construct(content: bytes, prepare: Callable[[yaml.Node], None] | None) -> Any:
    loader = _loader(content)(content)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, 0)  # refuses aliases that expand beyond all bounds
        if prepare is not None:
            prepare(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _constructing(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "could not determine a constructor" in problem:
        tag = problem.rpartition(" ")[2].strip("'")
        return f"the tag {tag} is not allowed; use plain values only"
    return problem


def _line(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def to_yaml(value: Mapping[str, Any]) -> str:
    """Return a mapping as YAML, keys in their order."""
    return yaml.dump(
        dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, indent=2
    )
