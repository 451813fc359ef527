"""Descriptions of a library's classes for the catalog, by introspection."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from forerun.config.catalog import Argument, Arguments


def arguments(cls: type) -> Arguments:
    """Return the arguments of ``__init__`` without self."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return {
        one.name: Argument(_annotation(one), _plain(one.default), one.default is one.empty)
        for one in parameters
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }


def _annotation(parameter: inspect.Parameter) -> str:
    if parameter.annotation is parameter.empty:
        return ""
    return inspect.formatannotation(parameter.annotation)


def _plain(default: Any) -> Any:
    """Return a default value if JSON can represent it, otherwise None."""
    if isinstance(default, (bool, int, float, str, list, dict)):
        try:
            return json.loads(json.dumps(default, allow_nan=False))
        except (TypeError, ValueError):
            pass
    return None


def summary(cls: type) -> str:
    """Return the first informative sentence of a class's docstring; empty if there is none."""
    for owner in (cls, cls.__dict__.get("__init__")):
        for paragraph in inspect.cleandoc(getattr(owner, "__doc__", None) or "").split("\n\n"):
            text = " ".join(paragraph.split())
            if len(text.split()) > 3 and not text.startswith(("Args:", "References:")):
                return re.split(r"(?<=[a-z)][.])\s", text, maxsplit=1)[0]
    return ""
