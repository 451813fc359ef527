"""The packages behind each engine whose versions can change what a fit gives."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

_COMMON = ("numpy", "scipy", "pandas", "pyarrow", "narwhals", "utilsforecast", "coreforecast")
PACKAGES = {
    "neuralforecast": ("neuralforecast", "torch", "pytorch-lightning", "optuna", "ray", *_COMMON),
    "statsforecast": ("statsforecast", "statsmodels", "scikit-learn", *_COMMON),
    "mlforecast": ("mlforecast", "lightgbm", "scikit-learn", *_COMMON),
}


@cache
def versions(engine: str) -> dict[str, str]:
    """Versions of Python and of the packages behind an engine."""
    found = {"python": platform.python_version()}
    for name in PACKAGES[engine]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
