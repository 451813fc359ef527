"""Catalog of each engine's models and losses with their arguments, read from catalog.json.

Importing neuralforecast takes ten seconds and statsforecast two, so the file is generated in
advance by :mod:`forerun.forecasting.engines.make_catalog`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import engines

FILE = Path(__file__).with_name("catalog.json")
#: Networks that use known columns only up to the cutoff, though their classes take future values.
PAST_ONLY = ("TimesNet", "AutoTimesNet")
MAKE = "python -m forerun.forecasting.engines.make_catalog"


@dataclass(frozen=True)
class Argument:
    """An argument of a class: its annotation as a string, and its default if JSON can hold it."""

    annotation: str = ""
    default: Any = None
    required: bool = False


Arguments = Mapping[str, Argument]


@dataclass(frozen=True)
class ModelInfo:
    """Description of a model, available without importing its library.

    Attributes
    ----------
    arguments
        Arguments of the class itself.
    categorical
        Whether it takes categorical columns as such.
    auto, base
        Whether it tunes another model by trials (StatsForecast's AutoETS and the like do not), and
        the name of that model.
    needs
        Required packages, the engine's first.
    unsupported
        Why Forerun does not support the model; None if it does.
    """

    name: str
    engine: str
    family: str
    summary: str = ""
    multivariate: bool = False
    recurrent: bool = False
    futr_exog: bool = False
    hist_exog: bool = False
    stat_exog: bool = False
    categorical: bool = False
    auto: bool = False
    base: str | None = None
    arguments: Arguments = field(default_factory=dict, hash=False)
    needs: tuple[str, ...] = ()
    unsupported: str | None = None

    @property
    def not_installed(self) -> str | None:
        """Message that names the required packages that are not installed; None if all are."""
        missing = [package for package in self.needs if engines.version(package) is None]
        if not missing:
            return None
        command = f"pip install {' '.join(missing)}"
        if len(missing) == 1:
            return f"needs the package {missing[0]}; install it with: {command}"
        return f"needs the packages {' and '.join(missing)}; install them with: {command}"

    @property
    def refusal(self) -> str | None:
        """Why the model cannot be used in this environment; None if it can."""
        return self.unsupported or self.not_installed


@dataclass(frozen=True)
class EngineCatalog:
    """Models and losses of one engine.

    Attributes
    ----------
    versions : versions of the packages that the catalog was generated from
    models : models by name
    losses : training losses by name, each with its arguments
    trainer : further arguments that every model accepts and passes to its trainer
    """

    versions: Mapping[str, str]
    models: Mapping[str, ModelInfo]
    losses: Mapping[str, Arguments] = field(default_factory=dict)
    trainer: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return the entry that :func:`of_engine` reads, without default values."""
        return {
            "versions": dict(self.versions),
            "trainer": sorted(self.trainer),
            "losses": {name: _written(items) for name, items in self.losses.items()},
            "models": {
                name: _short(info, "name", "engine") | {"arguments": _written(info.arguments)}
                for name, info in self.models.items()
            },
        }


def _written(arguments: Arguments) -> dict[str, Any]:
    return {name: _short(argument) for name, argument in arguments.items()}


def _short(item: Any, *left_out: str) -> dict[str, Any]:
    values, usual = asdict(item), {one.name: one.default for one in fields(item)}
    return {k: v for k, v in values.items() if k not in left_out and v != usual[k]}


def _arguments(written: Mapping[str, Any]) -> Arguments:
    return {name: Argument(**item) for name, item in written.items()}


@cache
def _document() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


@cache
def of_engine(engine: str) -> EngineCatalog:
    """Return the catalog of an engine, installed or not."""
    written = _document()[engine]
    models = {
        name: ModelInfo(
            **item
            | {"name": name, "engine": engine, "needs": tuple(item["needs"])}
            | {"arguments": _arguments(item["arguments"])}
        )
        for name, item in written["models"].items()
    }
    losses = {name: _arguments(items) for name, items in written["losses"].items()}
    return EngineCatalog(written["versions"], models, losses, frozenset(written["trainer"]))


def names(engine: str) -> tuple[str, ...]:
    """Return the names of an engine's models."""
    return tuple(_document()[engine]["models"])


def info(engine: str, name: str) -> ModelInfo:
    """Return the description of one model of an engine.

    Raises
    ------
    UserError
        The model is not in this installation's catalog, or a package it requires is missing.
    """
    model = of_engine(engine).models.get(name)
    if model is None:
        raise _unknown(name, [engine], f" of {engine}")
    if model.not_installed:
        raise UserError(f"model '{name}' cannot be used: it {model.not_installed}")
    return model


def find(name: str, engine: str | None = None) -> tuple[str, str]:
    """Return (engine, name) of a model.

    Raises
    ------
    UserError
        The model is unknown (the message suggests a name) or cannot be used (it says why).
    """
    among = [engine] if engine else list(engines.ENGINES)
    for candidate in among:
        if name in names(candidate):
            refusal = of_engine(candidate).models[name].refusal
            if refusal:
                raise UserError(f"model '{name}' cannot be used: it {refusal}")
            return candidate, name
    raise _unknown(name, among, f" of {engine}" if engine else "")


def _unknown(name: str, among: Iterable[str], of: str) -> UserError:
    hint = suggest(name, [other for engine in among for other in names(engine)])
    notes = [note for engine in among if (note := outdated(engine))]
    return UserError("; ".join([f"there is no model '{name}'{of}{hint}", *notes]))


def outdated(engine: str) -> str:
    """Return a warning if installed versions differ from the catalog's; empty if they match."""
    cataloged = _document()[engine]["versions"]
    differing = [
        f"{package} {then} ({now} is installed)"
        for package, then in cataloged.items()
        if (now := engines.version(package)) not in (None, then)
    ]
    if not differing:
        return ""
    return f"the model catalog was generated for {', '.join(differing)}; regenerate it with: {MAKE}"
