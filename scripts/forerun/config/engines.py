"""Registry of engines: what Forerun uses of each before its library is imported.

An engine is a module behind the interface of :mod:`forerun.forecasting.engines.base`, and one entry
of :data:`ENGINES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

#: Packages common to all engines whose versions can change the result of a fit.
_COMMON = ("numpy", "scipy", "pandas", "pyarrow", "narwhals", "utilsforecast", "coreforecast")
#: Settings for networks.
_NETWORK = frozenset(
    {
        *("input_size", "max_steps", "scaler_type", "windows_batch_size", "batch_size"),
        *("learning_rate", "early_stop_patience_steps", "val_size", "accelerator", "precision"),
        "matmul_precision",
    }
)
#: Settings for statistical models.
_STATISTICAL = frozenset({"statistical_intervals"})


@dataclass(frozen=True)
class Engine:
    """One forecasting library.

    Attributes
    ----------
    name
        Name of the library, as used in configurations; ``direct`` is part of Forerun.
    module
        Module that calls the library; importing it imports the library.
    packages
        Packages whose versions can change the result of a fit, the library first.
    heavy
        Modules that are slow to import, in order; the server answers requests between them.
    not_seen
        Settings that the engine ignores; they do not identify a fit.
    networks
        Whether its models are networks: trained in steps, in 32 bits, on a GPU if there is one.
    local
        Whether a fit takes seconds and one thread: a model for each series, or in closed form.
    pretrained
        Whether its networks come with weights, which a folder holds.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    heavy: tuple[str, ...] = ()
    not_seen: frozenset[str] = frozenset()
    networks: bool = False
    local: bool = False
    pretrained: bool = False

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules that a job of this engine imports, in order."""
        return ("pandas", "forerun.forecasting.training", *self.heavy, self.module)


#: Engines in the order in which a model's name is looked up.
ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "neuralforecast",
            "forerun.forecasting.engines.neural",
            ("neuralforecast", "torch", "pytorch-lightning", "optuna", "ray", *_COMMON),
            heavy=("torch", "torch._dynamo", "pytorch_lightning", "ray.tune"),
            not_seen=_STATISTICAL,
            networks=True,
        ),
        Engine(
            "statsforecast",
            "forerun.forecasting.engines.statistical",
            ("statsforecast", "statsmodels", "scikit-learn", *_COMMON),
            not_seen=_NETWORK | {"seed", "on_short"},
            local=True,
        ),
        Engine(
            "mlforecast",
            "forerun.forecasting.engines.machine",
            ("mlforecast", "lightgbm", "scikit-learn", *_COMMON),
            heavy=("mlforecast",),
            not_seen=_NETWORK - {"input_size"} | {"levels", "on_short"} | _STATISTICAL,
        ),
        Engine(
            "direct",
            "forerun.forecasting.engines.direct",
            _COMMON,
            not_seen=_NETWORK | {"levels", "on_short"} | _STATISTICAL,
            local=True,
        ),
        Engine(
            "pretrained",
            "forerun.forecasting.engines.pretrained",
            ("torch", "transformers", "safetensors", "accelerate", "peft", *_COMMON),
            heavy=("torch", "torch._dynamo"),
            not_seen=_NETWORK - {"accelerator"} | {"on_short"} | _STATISTICAL,
            networks=True,
            pretrained=True,
        ),
    )
}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each package that is installed."""
    found = {name: version(name) for name in packages}
    return {name: installed for name, installed in found.items() if installed is not None}


#: Packages with several distribution names, in search order.
_NAMES = {"xgboost": ("xgboost", "xgboost-cpu")}


@cache
def version(package: str) -> str | None:
    """Return the installed version of a package; None if it is not installed."""
    from importlib import metadata  # some milliseconds: only when needed

    for name in _NAMES.get(package, (package,)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
