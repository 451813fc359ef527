"""Modules that are imported when a test first uses them, not when tests are collected.

Each worker of pytest collects all tests, and importing torch takes longer than most of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class lazily:
    """A module; pytest, which looks at all names of a test module, does not import it."""

    def __init__(self, name: str) -> None:
        vars(self)["name"] = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        return getattr(import_module(vars(self)["name"]), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(import_module(vars(self)["name"]), attribute, value)
