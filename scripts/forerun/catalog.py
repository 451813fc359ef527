"""What each engine offers, read from the installed libraries' source.

Importing neuralforecast takes ten seconds and statsforecast two. Names, abilities and arguments
of their models stand in class headers, so the source is parsed with :mod:`ast` instead: only the
files asked for, once per process, some milliseconds each.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from forerun.errors import UserError, suggest

ENGINES = ("neuralforecast", "statsforecast", "mlforecast")

# Where the names stand; the classes are in these files or in those they import from.
_SOURCES = {
    "neuralforecast": ("models/__init__.py", "auto.py"),
    "statsforecast": ("models.py",),
}
_NOT_MODELS = {"RayOptions", "OptunaOptions"}
_NOT_AUTO = {"Autoformer", "AutoRegressive"}

# Regressors behind mlforecast: package, file and class that hold the arguments.
_REGRESSORS = {
    "LightGBM": ("lightgbm", "sklearn.py", "LGBMRegressor"),
    "LinearRegression": ("sklearn", "linear_model/_base.py", "LinearRegression"),
    "Ridge": ("sklearn", "linear_model/_ridge.py", "Ridge"),
    "RandomForest": ("sklearn", "ensemble/_forest.py", "RandomForestRegressor"),
}
FEATURES = ("lags", "differences", "date_features")

_FAMILIES = {
    "recurrent": "RNN GRU LSTM DilatedRNN DeepAR xLSTM",
    "convolutional": "TCN BiTCN TimesNet",
    "mlp": "MLP NHITS NBEATS NBEATSx TiDE KAN DeepNPTS MLPMultivariate TSMixer TSMixerx TimeMixer"
    " SOFTS SOFTSSharp RMoK",
    "linear": "DLinear NLinear XLinear",
    "transformer": "TFT VanillaTransformer Informer Autoformer FEDformer PatchTST iTransformer"
    " TimeXer",
    "graph": "StemGNN",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}

_NEEDS_HIERARCHY = "needs a summing matrix of a hierarchy, which a configuration cannot hold"
_UNSUPPORTED = {
    "HINT": _NEEDS_HIERARCHY,
    "AutoHINT": _NEEDS_HIERARCHY,
    "TimeLLM": "needs a language model from the network, and neuralforecast cannot save it",
    "SklearnModel": "needs a fitted object; use LightGBM, Ridge, LinearRegression or RandomForest",
    "NaNModel": "forecasts nothing but missing values",
}
_NEEDS_PACKAGE = {"xLSTM": "xlstm", "AutoxLSTM": "xlstm"}


@dataclass(frozen=True)
class Argument:
    """One argument of a model: its annotation as text, and its default where it is a literal."""

    annotation: str = ""
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class ModelInfo:
    """What is known about a model without importing it.

    `arguments` are those of the class itself, `base` is the model an automatic one tunes, and
    `unsupported` says why the model cannot be used here (``None``: it can).
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
    arguments: Mapping[str, Argument] = field(default_factory=dict, hash=False)
    unsupported: str | None = None


@cache
def names(engine: str) -> tuple[str, ...]:
    """Return the names of an engine's models, an empty tuple if the library is not installed."""
    folder = _folder(engine)
    if folder is None:
        return ()
    if engine == "mlforecast":
        return tuple(name for name, (package, *_) in _REGRESSORS.items() if _folder(package))
    found = [name for source in _SOURCES[engine] for name in _exported(folder / source)]
    return tuple(name for name in found if name not in _NOT_MODELS)


@cache
def info(engine: str, name: str) -> ModelInfo:
    """Return what is known about one model of an engine."""
    if engine == "mlforecast":
        return _regressor(name)
    folder = _folder(engine)
    assert folder is not None and name in names(engine), f"{engine} has no model {name}"
    if engine == "neuralforecast" and _is_auto(name):
        return _automatic(name)
    file, node = _locate(folder / _SOURCES[engine][0], name)
    common = {
        "summary": _summary(node),
        "arguments": _arguments(file, node),
        "unsupported": _reason(name),
    }
    if engine == "statsforecast":
        return ModelInfo(
            name,
            engine,
            "statistical",
            auto=_is_auto(name),
            futr_exog=_attribute(file, node, "uses_exog"),
            **common,
        )
    return ModelInfo(
        name,
        engine,
        _FAMILY.get(name, "neural"),
        multivariate=_attribute(file, node, "MULTIVARIATE"),
        recurrent=_attribute(file, node, "RECURRENT"),
        futr_exog=_attribute(file, node, "EXOGENOUS_FUTR"),
        hist_exog=_attribute(file, node, "EXOGENOUS_HIST"),
        stat_exog=_attribute(file, node, "EXOGENOUS_STAT"),
        **common,
    )


def models(engine: str) -> dict[str, ModelInfo]:
    """Return all models of an engine by name."""
    return {name: info(engine, name) for name in names(engine)}


def find(name: str, engine: str | None = None) -> tuple[str, str]:
    """Return (engine, name) of a model.

    Raises
    ------
    UserError
        There is no such model, or it cannot be used here; says the nearest name or the reason.
    """
    engines = (engine,) if engine else ENGINES
    for candidate in engines:
        if name in names(candidate):
            reason = info(candidate, name).unsupported
            if reason:
                raise UserError(f"model '{name}' cannot be used: it {reason}")
            return candidate, name
    if name in _REGRESSORS and "mlforecast" in engines:
        package = _REGRESSORS[name][0].replace("sklearn", "scikit-learn")
        raise UserError(f"model '{name}' needs the packages mlforecast and {package}, install them")
    known = [known for candidate in engines for known in names(candidate)]
    of = f" of {engine}" if engine else ""
    raise UserError(f"there is no model '{name}'{of}{suggest(name, known)}")


@cache
def trainer_arguments() -> frozenset[str]:
    """Return the argument names of pytorch_lightning's Trainer, which neural models pass on."""
    folder = _folder("pytorch_lightning")
    if folder is None:
        return frozenset()
    file, node = _locate(folder / "trainer/trainer.py", "Trainer")
    return frozenset(_arguments(file, node))


@cache
def losses() -> tuple[str, ...]:
    """Return the names of neuralforecast's losses."""
    folder = _folder("neuralforecast")
    return _exported(folder / "losses/pytorch.py") if folder else ()


def _automatic(name: str) -> ModelInfo:
    """Abilities of an Auto* model are those of the model it tunes."""
    base = info("neuralforecast", name.removeprefix("Auto"))
    folder = _folder("neuralforecast")
    assert folder is not None
    file, node = _locate(folder / "auto.py", name)
    return ModelInfo(
        name,
        "neuralforecast",
        base.family,
        summary=f"{base.name} with its arguments chosen by trials",
        multivariate=base.multivariate,
        recurrent=base.recurrent,
        futr_exog=base.futr_exog,
        hist_exog=base.hist_exog,
        stat_exog=base.stat_exog,
        auto=True,
        base=base.name,
        arguments=_arguments(file, node),
        unsupported=_reason(name),
    )


def _regressor(name: str) -> ModelInfo:
    package, source, class_name = _REGRESSORS[name]
    folder = _folder(package)
    assert folder is not None, f"{package} is not installed"
    file, node = _locate(folder / source, class_name)
    return ModelInfo(
        name,
        "mlforecast",
        "machine learning",
        summary=f"{class_name} of {package} on lagged values",
        futr_exog=True,
        stat_exog=True,
        arguments=_arguments(file, node) | {feature: Argument() for feature in FEATURES},
    )


def _is_auto(name: str) -> bool:
    return name.startswith("Auto") and name not in _NOT_AUTO


def _reason(name: str) -> str | None:
    package = _NEEDS_PACKAGE.get(name)
    if package and _folder(package) is None:
        return f"needs the package {package}, which is not installed"
    return _UNSUPPORTED.get(name)


@cache
def _folder(package: str) -> Path | None:
    """Folder of an installed package; nothing of it is imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _exported(file: Path) -> tuple[str, ...]:
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
def _locate(file: Path, name: str) -> tuple[Path, ast.ClassDef]:
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
    return _locate(folder / (origin[2].replace(".", "/") + ".py"), name)


def _bases(file: Path, node: ast.ClassDef) -> list[tuple[Path, ast.ClassDef]]:
    """Return base classes that the file holds or imports from a sibling."""
    found = []
    for base in node.bases:
        try:
            found.append(_locate(file, ast.unparse(base).rpartition(".")[2]))
        except (LookupError, OSError):
            continue
    return found


def _attribute(file: Path, node: ast.ClassDef, name: str) -> bool:
    """Value of a boolean class attribute, its own or inherited."""
    for statement in node.body:
        if isinstance(statement, ast.Assign) and name in map(ast.unparse, statement.targets):
            return bool(ast.literal_eval(statement.value))
    return any(_attribute(*base, name) for base in _bases(file, node))


def _arguments(file: Path, node: ast.ClassDef) -> dict[str, Argument]:
    """Arguments of ``__init__``, its own or inherited, without self."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _signature(statement.args)
    return next((_arguments(*base) for base in _bases(file, node)), {})


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


def _summary(node: ast.ClassDef) -> str:
    """First sentence of a docstring that says more than the name; empty if there is none."""
    inits = [item for item in node.body if getattr(item, "name", "") == "__init__"]
    for owner in (node, *inits):
        for paragraph in (ast.get_docstring(owner) or "").split("\n\n"):
            text = " ".join(paragraph.split())
            if len(text.split()) > 3 and not text.startswith(("Args:", "References:")):
                return re.split(r"(?<=[a-z)][.])\s", text, maxsplit=1)[0]
    return ""
