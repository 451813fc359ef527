"""Provenance records the version of each library that affects a fit."""

from __future__ import annotations

import re
from importlib import metadata

import pytest

from forerun.config.engines import ENGINES, versions
from forerun.forecasting import freeze, reproduce

#: What the engines' libraries need for reading, writing, logging and starting processes.
NO_PART_IN_A_FIT = {
    *("fsspec", "tornado", "safetensors", "cloudpickle", "tqdm", "fugue", "threadpoolctl"),
    *("packaging", "typing-extensions", "joblib", "setuptools"),
}


def required(package: str) -> set[str]:
    """Return the packages that a package always needs."""
    lines = [line for line in metadata.requires(package) or [] if "extra ==" not in line]
    return {re.split(r"[ ;<>=!~\[(]", line)[0].lower() for line in lines}


@pytest.mark.parametrize("engine", list(ENGINES))
def test_an_engine_s_libraries_are_part_of_a_fit_s_identity(engine: str) -> None:
    try:
        needed = required(engine) | required("utilsforecast") | required("coreforecast")
    except metadata.PackageNotFoundError:
        pytest.skip(f"{engine} is not installed")
    tuning = {"optuna"} if engine == "mlforecast" else set()  # of models that are not offered
    assert needed - NO_PART_IN_A_FIT - tuning <= set(ENGINES[engine].packages)


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
