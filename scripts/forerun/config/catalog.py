"""What each engine offers, read from the installed libraries' source.

Importing neuralforecast takes ten seconds and statsforecast two. Names, abilities and arguments
of their models stand in class headers, so the source is parsed with :mod:`ast` instead: only the
files asked for, once per process, some milliseconds each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import source
from forerun.config.engines import ENGINES

# Where the names stand; the classes are in these files or in those they import from.
_SOURCES = {
    "neuralforecast": ("models/__init__.py", "auto.py"),
    "statsforecast": ("models.py",),
}
_ATTRIBUTES = {
    "neuralforecast": {
        "multivariate": "MULTIVARIATE",
        "recurrent": "RECURRENT",
        "futr_exog": "EXOGENOUS_FUTR",
        "hist_exog": "EXOGENOUS_HIST",
        "stat_exog": "EXOGENOUS_STAT",
    },
    "statsforecast": {"futr_exog": "uses_exog"},
}
_NOT_MODELS = {"RayOptions", "OptunaOptions"}
_LOSSES = "losses/pytorch.py"
_NOT_TRAINABLE = {"BasePointLoss", "QuantileLayer", "relMSE", "Accuracy", "sCRPS"}
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
UNSUPPORTED = {
    "HINT": _NEEDS_HIERARCHY,
    "AutoHINT": _NEEDS_HIERARCHY,
    "TimeLLM": "needs a language model from the network, and neuralforecast cannot save it",
    "SklearnModel": "needs a fitted object; use LightGBM, Ridge, LinearRegression or RandomForest",
    "NaNModel": "forecasts nothing but missing values",
}
#: Models that need a package which their library does not bring along: its module, and its name.
_NEEDS_PACKAGE = {
    "xLSTM": ("xlstm", "xlstm"),
    "AutoxLSTM": ("xlstm", "xlstm"),
    "MFLES": ("sklearn", "scikit-learn"),
    "AutoMFLES": ("sklearn", "scikit-learn"),
}


@dataclass(frozen=True)
class ModelInfo:
    """What is known about a model without importing it.

    `arguments` are those of the class itself, `auto` tells whether it tunes a model, `base`, by
    trials (StatsForecast's AutoETS and the like do not), and
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
    arguments: Mapping[str, source.Argument] = field(default_factory=dict, hash=False)
    unsupported: str | None = None


@cache
def names(engine: str) -> tuple[str, ...]:
    """Return the names of an engine's models, an empty tuple if the library is not installed."""
    folder = source.folder(engine)
    if folder is None:
        return ()
    if engine == "mlforecast":
        return tuple(name for name, (package, *_) in _REGRESSORS.items() if source.folder(package))
    found = [name for file in _SOURCES[engine] for name in source.exported(folder / file)]
    return tuple(name for name in found if name not in _NOT_MODELS)


@cache
def info(engine: str, name: str) -> ModelInfo:
    """Return what is known about one model of an engine.

    Raises
    ------
    UserError
        This installation has no such model: it may have been written by another one.
    """
    if name not in names(engine):
        find(name, engine)
        raise UserError(f"there is no model '{name}' of {engine} in this installation")
    if engine == "mlforecast":
        return _regressor(name)
    folder = source.folder(engine)
    assert folder is not None, f"{engine} is not installed"
    if engine == "neuralforecast" and _is_auto(name):
        return _automatic(name)
    file, node = source.locate(folder / _SOURCES[engine][0], name)
    able: dict[str, Any] = {  # the attributes say so, inherited ones too
        field: source.attribute(file, node, attribute)
        for field, attribute in _ATTRIBUTES[engine].items()
    }
    return ModelInfo(
        name,
        engine,
        "statistical" if engine == "statsforecast" else _FAMILY.get(name, "neural"),
        summary=source.summary(node),
        arguments=source.arguments(file, node),
        unsupported=_reason(name),
        **able,
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
        raise UserError(f"model '{name}' {_lacks(name)}")
    known = [known for candidate in engines for known in names(candidate)]
    of = f" of {engine}" if engine else ""
    raise UserError(f"there is no model '{name}'{of}{suggest(name, known)}")


def missing(engine: str) -> dict[str, str]:
    """Return the models of an engine whose package is not installed, each with the reason."""
    if engine != "mlforecast":
        return {}
    return {name: _lacks(name) for name in _REGRESSORS if name not in names(engine)}


def _lacks(name: str) -> str:
    package = _REGRESSORS[name][0].replace("sklearn", "scikit-learn")
    command = f"pip install mlforecast {package}"
    return f"needs the packages mlforecast and {package}, install them: {command}"


@cache
def trainer_arguments() -> frozenset[str]:
    """Return the argument names of pytorch_lightning's Trainer, which neural models pass on."""
    folder = source.folder("pytorch_lightning")
    if folder is None:
        return frozenset()
    file, node = source.locate(folder / "trainer/trainer.py", "Trainer")
    return frozenset(source.arguments(file, node))


@cache
def losses() -> tuple[str, ...]:
    """Return the names of neuralforecast's losses that a model can be trained with."""
    folder = source.folder("neuralforecast")
    names = source.exported(folder / _LOSSES) if folder else ()
    return tuple(name for name in names if name not in _NOT_TRAINABLE)


@cache
def loss_arguments(name: str) -> Mapping[str, source.Argument]:
    """Return the arguments of a loss."""
    folder = source.folder("neuralforecast")
    assert folder is not None, "neuralforecast is not installed"
    return source.arguments(*source.locate(folder / _LOSSES, name))


def _automatic(name: str) -> ModelInfo:
    """Abilities of an Auto* model are those of the model it tunes."""
    base = info("neuralforecast", name.removeprefix("Auto"))
    folder = source.folder("neuralforecast")
    assert folder is not None
    file, node = source.locate(folder / "auto.py", name)
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
        arguments=source.arguments(file, node),
        unsupported=_reason(name),
    )


def _regressor(name: str) -> ModelInfo:
    package, path, class_name = _REGRESSORS[name]
    folder = source.folder(package)
    assert folder is not None, f"{package} is not installed"
    file, node = source.locate(folder / path, class_name)
    return ModelInfo(
        name,
        "mlforecast",
        "machine learning",
        summary=f"{class_name} of {package} on lagged values",
        futr_exog=True,
        stat_exog=True,
        arguments=source.arguments(file, node)
        | {feature: source.Argument() for feature in FEATURES},
    )


def _is_auto(name: str) -> bool:
    return name.startswith("Auto") and name not in _NOT_AUTO


def _reason(name: str) -> str | None:
    module, package = _NEEDS_PACKAGE.get(name, ("", ""))
    if module and source.folder(module) is None:
        return f"needs the package {package}, install it: pip install {package}"
    return UNSUPPORTED.get(name)
