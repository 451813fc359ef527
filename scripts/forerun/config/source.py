"""What the source of an installed package says about its classes, without importing it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Argument:
    """One argument of a model: its annotation as text, and its default where it is a literal."""

    annotation: str = ""
    default: Any = None
    required: bool = False


@cache
def folder(package: str) -> Path | None:
    """Folder of an installed package; nothing of it is imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def exported(file: Path) -> tuple[str, ...]:
    """Names in ``__all__``, without parsing the whole file."""
    match = re.search(r"^__all__ = (\[.*?\])", _text(file), re.DOTALL | re.MULTILINE)
    return tuple(ast.literal_eval(match[1])) if match else ()


@cache
def _classes(file: Path) -> dict[str, str]:
    """Source of each class of a file, cut out at the top-level statements around it."""
    text = _text(file)
    starts = [match.start() for match in re.finditer(r"^(?:class|def|@|if|try)\b", text, re.M)]
    blocks = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    return {
        re.split(r"\W", block[6:], maxsplit=1)[0]: block
        for block in blocks
        if block.startswith("class ")
    }


@cache
def locate(file: Path, name: str) -> tuple[Path, ast.ClassDef]:
    """Find a class in a file, or in the sibling the file imports it from.

    Only the lines of the class are parsed: some files are long.
    """
    source = _classes(file).get(name)
    if source:
        node = ast.parse(source).body[0]
        assert isinstance(node, ast.ClassDef)
        return file, node
    origin = re.search(rf"^from (\.+)([\w.]+) import .*\b{re.escape(name)}\b", _text(file), re.M)
    if not origin:
        raise LookupError(f"{file} holds no class {name}")
    folder = file.parents[len(origin[1]) - 1]
    return locate(folder / (origin[2].replace(".", "/") + ".py"), name)


def _bases(file: Path, node: ast.ClassDef) -> list[tuple[Path, ast.ClassDef]]:
    """Return base classes that the file holds or imports from a sibling."""
    found = []
    for base in node.bases:
        try:
            found.append(locate(file, ast.unparse(base).rpartition(".")[2]))
        except (LookupError, OSError):
            continue
    return found


def attribute(file: Path, node: ast.ClassDef, name: str) -> bool:
    """Value of a boolean class attribute, its own or inherited."""
    for statement in node.body:
        if isinstance(statement, ast.Assign) and name in map(ast.unparse, statement.targets):
            return bool(ast.literal_eval(statement.value))
    return any(attribute(*base, name) for base in _bases(file, node))


def arguments(file: Path, node: ast.ClassDef) -> dict[str, Argument]:
    """Arguments of ``__init__``, its own or inherited, without self."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _signature(statement.args)
    return next((arguments(*base) for base in _bases(file, node)), {})


def _signature(arguments: ast.arguments) -> dict[str, Argument]:
    positional = arguments.posonlyargs + arguments.args
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, missing + list(arguments.defaults), strict=True))[1:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        argument.arg: Argument(
            ast.unparse(argument.annotation) if argument.annotation else "",
            _literal(default),
            default is None,
        )
        for argument, default in pairs
    }


def _literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except ValueError:
        return None


def summary(node: ast.ClassDef) -> str:
    """First sentence of a docstring that says more than the name; empty if there is none."""
    inits = [item for item in node.body if isinstance(item, ast.FunctionDef)][:1]
    owners: list[ast.ClassDef | ast.FunctionDef] = [node, *inits]
    for owner in owners:
        for paragraph in (ast.get_docstring(owner) or "").split("\n\n"):
            text = " ".join(paragraph.split())
            if len(text.split()) > 3 and not text.startswith(("Args:", "References:")):
                return re.split(r"(?<=[a-z)][.])\s", text, maxsplit=1)[0]
    return ""
