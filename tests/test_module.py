"""Another workflow uses Forerun's rules with Snakemake's `module`, from a folder and from Git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from running import PROGRAMS, PROJECT, SNAKEMAKE, write_table

from forerun.base.yaml_files import load_yaml

pytestmark = pytest.mark.slow

#: Another project's workflow: it makes the table and uses the predictions of the run.
SNAKEFILE = """
configfile: "other.yaml"


rule all:
    input: "result.txt"
    default_target: True


rule make_table:
    output: "made/table.csv"
    input: "table.csv"
    shell: "cp {{input}} {{output}}"


module forecasts:
    snakefile: {snakefile}
    config: config["forecasts"]


use rule * from forecasts{renamed}


rule use_predictions:
    input: "out/runs/mine/predictions"
    output: "result.txt"
    shell: "head -n 3 {{input}}/Naive.csv > {{output}}"
"""

CONFIG = """
# Keys that Forerun does not have, and one that it uses for something else.
unrelated: 1
horizon: "the sky"
forecasts:
  data_file: made/table.csv
  output_dir: out
  horizon: 4
  n_windows: 2
  models: [Naive]
  baselines: [SeasonalNaive]
"""


def others_workflow(home: Path, snakefile: str, renamed: str = "") -> None:
    (home / "Snakefile").write_text(SNAKEFILE.format(snakefile=snakefile, renamed=renamed))
    (home / "other.yaml").write_text(CONFIG)
    write_table(home / "table.csv")


def call(home: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return PROGRAMS.run(["--cores", "2"], home, os.environ | (env or {}), timeout=900)


def repository(folder: Path) -> Path:
    """Make a Git repository of this project's workflow and scripts, as they are now."""
    for name in ("workflow", "scripts", "config", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__", ".mypy_cache", "*.pyc")
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "The workflow")
    git("tag", "v1")
    return folder


def assert_result(home: Path) -> None:
    assert (home / "result.txt").read_text().startswith("unique_id,ds,Naive")
    assert_run(home)


def assert_run(home: Path) -> None:
    run = home / "out" / "runs" / "mine"
    assert (run / "SEALED").is_file()
    assert load_yaml(run / "config.yaml")["horizon"] == 4


def test_from_a_folder(tmp_path: Path) -> None:
    snakefile = repr(str(PROJECT / "workflow" / "Snakefile"))
    others_workflow(tmp_path, snakefile, renamed=" exclude all")
    done = call(tmp_path)
    assert done.returncode == 0, done.stderr[-5000:]
    assert_result(tmp_path)
    again = call(tmp_path)
    assert "Nothing to be done" in again.stdout + again.stderr
    # The run's settings are frozen for a module, too.
    config = (tmp_path / "other.yaml").read_text().replace("horizon: 4", "horizon: 5")
    (tmp_path / "other.yaml").write_text(config)
    refused = call(tmp_path)
    assert refused.returncode == 2, refused.stderr[-3000:]
    assert "horizon is 4, requested 5" in refused.stderr


def as_on_github(tmp_path: Path) -> dict[str, str]:
    """Let Git take a local repository for github.com/example/forerun; return the environment."""
    folder = repository(tmp_path / "repository")
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "file://{folder}"]\n  insteadOf = https://github.com/example/forerun\n'
        "[safe]\n  directory = *\n"
    )
    return {
        "GIT_CONFIG_GLOBAL": str(settings),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        # The installed library: here it is the one beside the tests.
        "PYTHONPATH": str(PROJECT / "scripts"),
    }


def test_from_a_git_repository(tmp_path: Path) -> None:
    env = as_on_github(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    snakefile = 'github("example/forerun", path="workflow/Snakefile", tag="v1")'
    others_workflow(home, snakefile, renamed=" exclude all as forecasts_*")
    done = call(home, env)
    assert done.returncode == 0, done.stderr[-5000:]
    assert "forecasts_train" in done.stderr
    assert_result(home)


def test_deployed_into_a_clean_folder(tmp_path: Path) -> None:
    """The files of `snakedeploy` suffice: edit the configuration and start."""
    env = as_on_github(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    snakedeploy = [str(Path(SNAKEMAKE).with_name("snakedeploy")), "deploy-workflow"]
    address = ["https://github.com/example/forerun", ".", "--tag", "v1"]
    subprocess.run([*snakedeploy, *address], cwd=home, env=os.environ | env, check=True)
    assert {path.name for path in home.iterdir()} == {"config", "profiles", "workflow"}
    write_table(home / "table.csv")
    config = home / "config" / "config.yaml"
    asked = {"data_file": "table.csv", "horizon": 4, "n_windows": 2, "run_id": "mine"}
    asked |= {
        "models": ["Naive"],
        "baselines": ["SeasonalNaive"],
        "output_dir": "out",
        "plot_series": 1,
    }
    config.write_text(yaml.safe_dump(load_yaml(config) | asked))
    done = call(home, env)
    assert done.returncode == 0, done.stderr[-5000:]
    assert_run(home)
    assert (home / "out" / "runs" / "mine" / "report.html").is_file()
