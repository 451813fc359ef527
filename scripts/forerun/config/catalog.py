"""What each engine offers: models, their arguments and abilities, losses; read from catalog.json.

Importing neuralforecast takes ten seconds and statsforecast two, so the file is made ahead, from
the imported libraries, by :mod:`forerun.forecasting.engines.make_catalog`.
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
MAKE = "python -m forerun.forecasting.engines.make_catalog"


@dataclass(frozen=True)
class Argument:
    """One argument of a class: its annotation as text, and its default where JSON can hold it."""

    annotation: str = ""
    default: Any = None
    required: bool = False


Arguments = Mapping[str, Argument]


@dataclass(frozen=True)
class ModelInfo:
    """A model, described without importing it.

    Attributes
    ----------
    arguments
        Those of the class itself.
    auto, base
        Whether it tunes a model by trials (StatsForecast's AutoETS and the like do not), and which.
    needs
        The packages that it needs, that of its engine first.
    unsupported
        Why the model cannot be used here; None if it can.
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
    auto: bool = False
    base: str | None = None
    arguments: Arguments = field(default_factory=dict, hash=False)
    needs: tuple[str, ...] = ()
    unsupported: str | None = None

    @property
    def lacks(self) -> str | None:
        """Which packages that the model needs are not installed, in words; None if all are."""
        missing = [package for package in self.needs if engines.version(package) is None]
        if not missing:
            return None
        command = f"pip install {' '.join(missing)}"
        if len(missing) == 1:
            return f"needs the package {missing[0]}, install it: {command}"
        return f"needs the packages {' and '.join(missing)}, install them: {command}"

    @property
    def refusal(self) -> str | None:
        """Why the model cannot be used in this environment; None if it can."""
        return self.unsupported or self.lacks


@dataclass(frozen=True)
class Offer:
    """What one engine offers.

    Attributes
    ----------
    versions : of the packages that the description was made from
    models : by name
    losses : that a model can be trained with, each with its arguments
    trainer : further arguments of every model, which it passes on
    """

    versions: Mapping[str, str]
    models: Mapping[str, ModelInfo]
    losses: Mapping[str, Arguments] = field(default_factory=dict)
    trainer: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return what :func:`offer` reads: values that are not the default."""
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
def offer(engine: str) -> Offer:
    """Return what an engine offers, installed or not."""
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
    return Offer(written["versions"], models, losses, frozenset(written["trainer"]))


def names(engine: str) -> tuple[str, ...]:
    """Return the names of an engine's models."""
    return tuple(_document()[engine]["models"])


def info(engine: str, name: str) -> ModelInfo:
    """Return the description of one model of an engine.

    Raises
    ------
    UserError
        This installation has no such model: it may have been written by another one.
    """
    found = offer(engine).models.get(name)
    if found is None:
        raise _unknown(name, [engine], f" of {engine}")
    if found.lacks:
        raise UserError(f"model '{name}' cannot be used: it {found.lacks}")
    return found


def find(name: str, engine: str | None = None) -> tuple[str, str]:
    """Return (engine, name) of a model.

    Raises
    ------
    UserError
        There is no such model, or it cannot be used here; says the nearest name or the reason.
    """
    among = [engine] if engine else list(engines.ENGINES)
    for candidate in among:
        if name in names(candidate):
            refusal = offer(candidate).models[name].refusal
            if refusal:
                raise UserError(f"model '{name}' cannot be used: it {refusal}")
            return candidate, name
    raise _unknown(name, among, f" of {engine}" if engine else "")


def _unknown(name: str, among: Iterable[str], of: str) -> UserError:
    hint = suggest(name, [known for engine in among for known in names(engine)])
    notes = [note for engine in among if (note := outdated(engine))]
    return UserError("; ".join([f"there is no model '{name}'{of}{hint}", *notes]))


def outdated(engine: str) -> str:
    """Say that other versions are installed than the catalog was made from; empty if none is."""
    made = _document()[engine]["versions"]
    differing = [
        f"{package} {then} ({now} is installed)"
        for package, then in made.items()
        if (now := engines.version(package)) not in (None, then)
    ]
    if not differing:
        return ""
    return f"the catalog of models was made from {', '.join(differing)}; make it again with: {MAKE}"
