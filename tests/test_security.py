"""No input is executed, and nothing is accessible to other users."""

from __future__ import annotations

import ast
import os
import pickle
import re
import shutil
import stat
from pathlib import Path

import pytest
from running import PROJECT, snakemake, write_table
from synthetic import make_run

from forerun.base import files
from forerun.base.errors import UserError
from forerun.cli.app import run as forerun
from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.jobs import model_cache
from forerun.runs.paths import RunPaths

SHELL = "$(touch pwned)`touch pwned`;touch pwned;'\"|touch pwned&"


class Trap:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> object:
        return os.system, ("touch pwned",)


# -- Models ---------------------------------------------------------------------------------------


def test_old_pickles_need_trust_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    models.mkdir()
    for name in ("NHITS_0.ckpt", "configuration.pkl", "dataset.pkl", "alias_to_model.pkl"):
        (models / name).write_bytes(pickle.dumps(Trap()))
    assert forerun(["predict"]) == 2
    errors = capsys.readouterr().err
    assert "--trust" in errors
    assert "executes any code in it" in errors
    assert not (tmp_path / "pwned").exists()


@pytest.mark.slow
def test_a_pickle_put_into_a_run_is_not_loaded(
    run_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without verification (--no-verify), only formats without code are read."""
    from forerun.base.yaml_files import load_yaml
    from forerun.forecasting.engines.base import get_engine

    monkeypatch.chdir(run_copy.parents[1])
    settings = load_yaml(run_copy / "config.yaml")
    for spec in specs(settings):
        folder = RunPaths(run_copy).model(spec.name)
        for path in [p for p in folder.iterdir() if p.is_file()]:
            path.unlink()
            for suffix in (path.suffix, ".pkl", ".ckpt", ".pt"):
                path.with_suffix(suffix).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(Exception):  # noqa: B017, PT011 - what libraries raise differs
            get_engine(spec.engine).load(spec, settings, folder)
    assert not Path("pwned").exists()


# -- Shell ----------------------------------------------------------------------------------------


#: Executes the metrics of the user, and those of received runs only with ``--trust``.
EXECUTES = "metric_functions.py"


def test_no_rule_and_no_function_uses_a_shell() -> None:
    for path in [*(PROJECT / "workflow").rglob("*.smk"), PROJECT / "Snakefile"]:
        assert not re.search(r"^\s*shell:|\bshell\(", path.read_text(), re.MULTILINE), path
    for path in (PROJECT / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("os.system", "os.popen", "eval", "pickle.load"), path
                assert name != "exec" or path.name == EXECUTES, path
                assert name not in ("pickle.loads", "yaml.unsafe_load", "yaml.full_load"), path
                shell = [k for k in node.keywords if k.arg == "shell"]
                assert not shell, path


@pytest.mark.slow
def test_no_value_reaches_a_shell(tmp_path: Path) -> None:
    """Names with shell syntax of a table, a log file and a column are harmless."""
    table = tmp_path / f"{SHELL.replace('/', '')}.csv"
    text = write_table(tmp_path / "table.csv").read_text()
    table.write_text(text.replace("unique_id,", '"' + SHELL.replace('"', '""') + '",', 1))
    file = tmp_path / "c.yaml"
    import yaml

    asked = {"data_file": str(table), "id_col": SHELL, "log_file": str(tmp_path / f"l{SHELL}")}
    asked |= {"models": ["Naive"], "baselines": [], "horizon": 4, "input_size": 8, "n_windows": 2}
    file.write_text(yaml.safe_dump(asked))
    done = snakemake(tmp_path, "runs/x/status/Naive.json", configfile=file)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("pwned"))
    assert (tmp_path / "runs" / "x" / "status" / "Naive.json").exists()


@pytest.mark.parametrize(
    "models",
    [[f"A{SHELL}"], [{"name": SHELL, "model": "NHITS"}], [{"name": "a/../b", "model": "MLP"}]],
)
def test_a_model_cannot_have_a_name_with_shell_syntax(models: list[object]) -> None:
    with pytest.raises(UserError):
        resolve({"models": models})


# -- Permissions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_the_umask_is_respected(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        files.write_text(tmp_path / "a" / "text", "x")
        with files.new_folder(tmp_path / "b") as folder:
            (folder / "file").write_text("x")
    finally:
        os.umask(before)
    for path in (tmp_path / "a", tmp_path / "b"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~mask
    for path in (tmp_path / "a" / "text", tmp_path / "b" / "file"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_nothing_of_a_run_is_writable_by_others(trained_run: Path) -> None:
    runs = trained_run.parent
    for path in [runs, *runs.rglob("*")]:
        assert not path.lstat().st_mode & stat.S_IWOTH, path


# -- Files that are given ------------------------------------------------------------------------


def test_a_store_entry_cannot_link_outside(tmp_path: Path) -> None:
    entry = tmp_path / ".store" / ("a" * 64)
    (entry / "files").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    described = {"files": {"../../../secret": files.sha256(tmp_path / "secret")}, "run_id": "r"}
    files.write_json(entry / "entry.json", described)
    assert model_cache.find(tmp_path / ".store", "a" * 64) is None
    assert (tmp_path / "secret").exists()


def test_a_seal_cannot_name_a_file_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "runs", "exp1", models=1, series=1)
    sealed = files.read_json(run / "SEALED")
    sealed["sha256"]["../../outside"] = "0" * 64
    files.write_json(run / "SEALED", sealed)
    assert forerun(["verify", "exp1", "--directory", str(tmp_path)]) == 1
    assert "changed: SEALED" in capsys.readouterr().out
    del sealed["seal"]  # as in older seals, which have no checksum
    files.write_json(run / "SEALED", sealed)
    assert forerun(["verify", "exp1", "--directory", str(tmp_path)]) == 1
    assert "missing: ../../outside" in capsys.readouterr().out


def test_a_link_to_a_folder_is_not_deleted_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_run("elsewhere", "exp1", models=1, series=1, sealed=False)
    (tmp_path / "runs").mkdir()
    os.symlink(run.absolute(), tmp_path / "runs" / "linked")
    forerun(["delete", "linked", "--yes", "--force"])
    assert (run / "config.yaml").exists()
    shutil.rmtree(tmp_path / "elsewhere")
