"""Reserved names are defined in one module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakemake.io import PeriodicityDetector

from forerun.base.errors import UserError
from forerun.config import names, schema
from forerun.config.settings import resolve
from forerun.runs.paths import check_run_id

ROOT = Path(__file__).parents[3]
NAMES = {*names.COMBINED, *names.FORMER, names.REFERENCE}
#: The same words with another meaning.
OTHERS = {
    ("ensemble", "evaluation/recipes.py"),
    ("ensemble", "evaluation/selection.py"),  # a key of the configuration
    ("ensemble", "jobs/fingerprint.py"),
    ("ensemble", "jobs/score.py"),  # an output of the rule
    ("per_series", "config/regressor_features.py"),  # an argument of linear models
    ("per_series", "evaluation/combining.py"),
    ("per_series", "evaluation/selection.py"),  # in a recipe: whether each series has its own model
    ("per_series", "forecasting/engines/machine.py"),
    ("per_series", "runs/json_files.py"),
    ("best", "cli/run_table.py"),  # a column: the first of the leaderboard
    ("best", "config/presets.py"),  # a preset
    ("best", "jobs/fit_history.py"),  # a preset
    ("best", "plots/names.py"),
    ("best", "report/comparison.py"),
    ("best", "report/run_report.py"),
    ("best", "report/run_sections.py"),
    ("best", "runs/summary.py"),  # as in run_table
}


def literals(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield str(node.value)


def test_no_module_writes_them_again() -> None:
    scripts = ROOT / "scripts"
    found = {
        (name, path.relative_to(scripts).as_posix().removeprefix("forerun/"))
        for path in scripts.rglob("*.py")
        if path.name != "names.py" or path.parent.name != "config"
        for name in literals(path.read_text(encoding="utf-8"))
    }
    assert found - OTHERS == set()
    assert OTHERS - found == set()  # the exceptions are needed


def test_no_rule_writes_them_again() -> None:
    for path in [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")]:
        text = path.read_text(encoding="utf-8")
        for name in NAMES:
            assert f'"{name}"' not in text, f"{path.name}: {name}"


def test_an_earlier_version_s_name_is_read() -> None:
    assert names.current("best") == "per_series"
    assert names.current("best-lo-90") == "per_series-lo-90"
    assert names.current("best-of") == "best-of"
    assert names.current("best", among=["per_series"]) == "best"
    assert names.spellings("per_series") == ["per_series", "best"]


@pytest.mark.parametrize("name", ["per_series", "ensemble", "best"])
def test_models_must_not_take_them(name: str) -> None:
    assert name in names.RESERVED


def test_the_schema_has_the_rules_for_names_of_runs_and_models() -> None:
    keys = schema.properties()
    assert keys["run_id"]["pattern"] == keys["warm_start"]["pattern"] == f"^{names.RUN_ID}$"
    assert names.RUN_ID_RULE in schema.allowed(keys["run_id"])


@pytest.mark.parametrize("name", ["a" * 20, "x" + "ab" * 20, "1" * 100, "b-" + "a_1" * 25])
def test_names_that_snakemake_takes_for_a_recursion_are_refused(name: str) -> None:
    assert PeriodicityDetector().is_periodic(name)
    asked = {"models": [{"name": name, "model": "NHITS"}]}
    for refused in (lambda: check_run_id(name), lambda: resolve(asked)):
        with pytest.raises(UserError, match="repeated 20 times or more, which Snakemake refuses"):
            refused()


@pytest.mark.parametrize("name", ["a" * 19, "ab" * 19, "a" * 60 + "b", "run_20240101_000000"])
def test_other_repetitions_are_allowed(name: str) -> None:
    assert not PeriodicityDetector().is_periodic(name)
    assert check_run_id(name) == name
    assert resolve({"models": [{"name": name, "model": "NHITS"}]})
