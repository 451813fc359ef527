"""Provenance records the version of each library that affects a fit."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

import forerun.forecasting.engines
from forerun.config.catalog import of_engine
from forerun.config.engines import ENGINES, versions
from forerun.forecasting import freeze, reproduce

PACKAGE = "forerun.forecasting.engines"
ENGINES_FOLDER = Path(forerun.forecasting.engines.__path__[0])
#: Distributions whose package has another name.
DISTRIBUTIONS = {"chronos": "chronos-forecasting"}
#: Packages that engines use for reading, writing, logging and starting processes.
NO_PART_IN_A_FIT = {
    *("fsspec", "tornado", "safetensors", "cloudpickle", "tqdm", "fugue", "threadpoolctl"),
    *("packaging", "typing-extensions", "joblib", "setuptools", "huggingface-hub"),
}


def required(package: str) -> set[str]:
    """Return the dependencies of a package without its extras."""
    lines = [line for line in metadata.requires(package) or [] if "extra ==" not in line]
    return {re.split(r"[ ;<>=!~\[(]", line)[0].lower() for line in lines}


def imported(module: str, seen: set[str]) -> set[str]:
    """Return the packages that a module of the engines imports, also through other such modules."""
    seen.add(module)
    spec = importlib.util.find_spec(module)
    assert spec
    assert spec.origin
    names = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = {name for name in names if name.startswith(f"{PACKAGE}.") and find(name)}
    packages = {name.partition(".")[0] for name in names} - {"forerun", *sys.stdlib_module_names}
    for name in own - seen:
        packages |= imported(name, seen)
    return {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in packages}


def find(name: str) -> bool:
    """Return whether a module of the engines has this name; it may be a function of one."""
    return (ENGINES_FOLDER / f"{name.removeprefix(PACKAGE + '.')}.py").is_file()


@pytest.mark.parametrize("engine", list(ENGINES))
def test_an_engine_s_libraries_are_part_of_a_fit_s_identity(engine: str) -> None:
    packages = set(ENGINES[engine].packages)
    needed = required("utilsforecast") | required("coreforecast")
    needed |= imported(ENGINES[engine].module, set())
    if engine in packages:  # others are part of Forerun
        try:
            needed |= required(engine)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{engine} is not installed")
    packages |= {need for info in of_engine(engine).models.values() for need in info.needs}
    tuning = {"optuna"} if engine == "mlforecast" else set()  # of models that are not supported
    assert needed - NO_PART_IN_A_FIT - tuning <= packages


def test_the_engine_of_forerun_itself_is_checked() -> None:
    assert imported(ENGINES["direct"].module, set()) == {"numpy", "pandas", "utilsforecast"}


def test_provenance_records_all_of_them() -> None:
    recorded = freeze.versions()
    for engine in ENGINES.values():
        assert set(versions(engine.packages)) <= set(recorded), engine.name
    assert {"scipy", "statsmodels", "coreforecast", "optuna", "snakemake"} <= set(recorded)


def test_versions_that_were_not_recorded_do_not_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reproduce, "versions", lambda: {"torch": "2", "scipy": "1", "numpy": "1"})
    found = reproduce.changed_versions({"torch": "1", "numpy": "1", "ray": "3"})
    assert found == {"torch": ("1", "2"), "ray": ("3", "none")}
