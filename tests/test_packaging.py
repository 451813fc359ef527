"""Versions are consistent, and the environment of make is created once, completed or rebuilt."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]

#: Package names that differ between conda and pip.
CONDA_NAMES = {
    "matplotlib-base": "matplotlib",
    "pytorch": "torch",
    "snakemake-minimal": "snakemake",
}


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(requirements: list[str]) -> dict[str, str]:
    """Return name and version; a requirement that is not pinned with == fails the test."""
    found = {}
    for requirement in requirements:
        match = re.fullmatch(r"([a-z0-9.-]+)(?:\[[a-z,]+\])?==([\w.]+)", requirement)
        assert match, f"not pinned: {requirement}"
        found[match[1]] = match[2]
    return found


def conda_pins(path: str) -> dict[str, str]:
    environment = yaml.safe_load((ROOT / path).read_text())
    found = {}
    for item in environment["dependencies"]:
        if isinstance(item, dict):
            found |= pins([line for line in item["pip"] if not line.startswith("-e")])
        elif item != "pip":
            name, version = item.split("=")
            found[CONDA_NAMES.get(name, name)] = version
    return found


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


class TestVersions:
    def test_the_lock_pins_exactly_and_without_suffix(self):
        for name, version in locked().items():
            assert re.fullmatch(r"[a-z0-9-]+", name), name
            assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"{name}=={version}"
        assert len(locked()) > 100

    def test_direct_dependencies_are_those_of_the_lock(self):
        direct = pins(project()["project"]["dependencies"])
        assert {"snakemake", "neuralforecast", "torch"} <= set(direct)
        assert direct == {name: locked().get(name) for name in direct}

    def test_every_extra_is_that_of_the_lock_and_part_of_all(self):
        extras = project()["project"]["optional-dependencies"]
        (everything,) = extras.pop("all")
        assert everything == f"forerun[{','.join(sorted(extras))}]"
        for extra, requirements in extras.items():
            wanted = pins(requirements)
            assert wanted == {name: locked().get(name) for name in wanted}, extra

    def test_uv_uses_every_pin_of_the_lock(self):
        assert pins(project()["tool"]["uv"]["constraint-dependencies"]) == locked()

    def test_the_build_uses_the_locked_tools(self):
        wanted = pins(project()["build-system"]["requires"])
        assert wanted == {name: locked().get(name) for name in wanted}
        # With its own dependencies, otherwise their newest versions would be installed.
        needs = metadata.requires("hatchling") or []
        needs = {re.split(r"[^\w-]", need)[0] for need in needs if "python_version" not in need}
        assert set(wanted) == {"hatchling", *needs}

    def test_the_conda_environment_is_that_of_pyproject(self):
        wanted = conda_pins("environment.yml")
        assert wanted.pop("python") == "3.11"
        assert wanted == pins(project()["project"]["dependencies"])

    def test_the_environment_of_the_rules_has_the_packages_of_the_scripts(self):
        wanted = conda_pins("workflow/envs/forerun.yaml")
        assert wanted.pop("python") == "3.11"
        needed = pins(project()["project"]["dependencies"])
        for name in ("snakemake", "typer"):  # the command line's, not the jobs'
            del needed[name]
        assert wanted == needed

    def test_every_library_that_is_imported_is_declared(self):
        parts = project()["project"]
        extras = [
            parts["optional-dependencies"][name] for name in ("xgboost", "catboost", "pretrained")
        ]
        declared = set(pins(sum(extras, parts["dependencies"])))
        declared.add("fracast")  # its models are offered if it is installed, as it is for tests
        names = {
            "yaml": "pyyaml",
            "PIL": "pillow",
            "xgboost": "xgboost-cpu",
            "pytorch_lightning": "pytorch-lightning",
            "chronos": "chronos-forecasting",
            "huggingface_hub": "huggingface-hub",
            "sklearn": "scikit-learn",
        }
        own = {"forerun", *sys.stdlib_module_names}
        for path in (ROOT / "scripts").rglob("*.py"):
            imported = imported_packages(path) - own
            undeclared = {name for name in imported if names.get(name, name) not in declared}
            assert undeclared == set(), path.relative_to(ROOT)

    def test_the_version_of_forerun_is_one(self):
        text = (ROOT / "scripts/forerun/__init__.py").read_text()
        version = project()["project"]["version"]
        assert f'__version__ = "{version}"' in text
        assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()

    def test_the_commands_exist(self):
        modules = {}
        for target in project()["project"]["scripts"].values():
            module, function = target.split(":")
            if module not in modules:
                code = f"import {module} as m; print(*dir(m))"
                done = subprocess.run(
                    [sys.executable, "-c", code],
                    cwd=ROOT / "scripts",
                    capture_output=True,
                    text=True,
                    check=True,
                )
                modules[module] = done.stdout.split()
            assert function in modules[module]


class TestTrackedFiles:
    def test_none_names_a_registry_or_an_index(self):
        # Concatenated, so that this file does not contain them.
        words = [
            "py" + "pi.org",
            "python" + "hosted.org",
            "anaconda" + ".org",
            "download.py" + "torch",
        ]
        settings = r"(index-url|find-links|registry) *[=:] *.?(https?:|file:|/)"
        pattern = re.compile("|".join([*map(re.escape, words), settings]).encode(), re.IGNORECASE)
        guilty = [
            path.name for path in tracked() if path.is_file() and pattern.search(path.read_bytes())
        ]
        assert guilty == []

    def test_there_is_one_lock(self):
        names = {path.name for path in tracked()}
        assert "requirements.lock" in names
        assert names.isdisjoint({"uv.lock", "poetry.lock", "pylock.toml", "Pipfile.lock"})

    @pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md"])
    def test_links_lead_somewhere(self, name):
        path = ROOT / name
        links = re.findall(r"\]\(([^)#]+)", path.read_text())
        local = [link for link in links if not link.startswith("https:")]
        assert [link for link in local if not (path.parent / link).exists()] == []
        assert local or name != "README.md"

    def test_every_data_file_is_described_with_its_license(self):
        sections = (ROOT / "data/README.md").read_text().split("\n## ")
        shipped = {path for path in tracked() if path.parent == ROOT / "data"}
        names = {path.name for path in shipped} - {"README.md"}
        assert "us_employment_monthly.csv" in names
        assert {section.splitlines()[0] for section in sections[1:]} == names
        for section in sections[1:]:
            name = section.splitlines()[0]
            assert re.search(r"\*\*Origin", section), name
            assert re.search(r"license\*\*", section, re.IGNORECASE), name
            columns = (ROOT / "data" / name).open().readline().strip().split(",")
            assert [column for column in columns if f"`{column}`" not in section] == [], name


class TestHabits:
    """Checks before a commit and after a push are the targets that developers use."""

    TARGETS = ("make check", "make test")

    def test_they_are_targets(self):
        lines = (ROOT / "Makefile").read_text().splitlines()
        for target in self.TARGETS:
            name = target.removeprefix("make ")
            assert any(re.match(f"{name}:", line) for line in lines), name

    def test_pre_commit_runs_them_and_fetches_nothing(self):
        path = ROOT / ".pre-commit-config.yaml"
        checked = [sys.executable, "-m", "pre_commit", "validate-config", str(path)]
        subprocess.run(checked, check=True)
        (repository,) = yaml.safe_load(path.read_text())["repos"]
        assert repository["repo"] == "local"
        hooks = repository["hooks"]
        assert tuple(hook["entry"] for hook in hooks) == self.TARGETS
        assert {hook["language"] for hook in hooks} == {"system"}

    def test_continuous_integration_runs_them(self):
        workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
        commands = {
            name: [step["run"] for step in job["steps"] if "run" in step]
            for name, job in workflow["jobs"].items()
        }
        assert tuple(commands["test"]) == self.TARGETS
        assert commands["test-all"][-1] == "make test-all"

    def test_each_python_that_is_promised_is_tested(self):
        workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
        tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python-version"]
        words = "Programming Language :: Python :: "
        found = [name.removeprefix(words) for name in project()["project"]["classifiers"]]
        assert [version for version in found if version.startswith("3.")] == tested
        assert project()["project"]["requires-python"] == f">={tested[0]}"
        (setup,) = [s for s in workflow["jobs"]["test"]["steps"] if "setup-python" in str(s)]
        assert setup["with"]["python-version"] == "${{ matrix.python-version }}"


#: A fake Python: creates "environments" whose pip records the requested packages.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
    *version_info*|*ensurepip*) exit 0 ;;
    "-m venv "*)
        mkdir -p "$3/bin"; : > "$3/pyvenv.cfg"; cp "$0" "$3/bin/python"; echo venv >> calls ;;
    *"pip install"*)
        echo "install $*" >> calls
        : > installing
        n=0; while [ -e slow ] && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.05; done
        if [ -e broken ]; then exit 1; fi ;;
esac
"""


class TestEnvironment:
    """`make env` (demo) and `make env-test` (test) on a project with a stand-in for Python."""

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "project"
        folder.mkdir()
        for name in ("Makefile", "environment.sh"):
            (folder / name).write_text((ROOT / name).read_text())
        (folder / "requirements.lock").write_text("tiny==1.0\n")
        (folder / "pyproject.toml").write_text("[project]\n")
        (folder / "fake").write_text(FAKE_PYTHON)
        (folder / "fake").chmod(0o755)
        return folder

    def command(self, target):
        return ["make", "-s", target, "PYTHON=./fake", "INSTALLER=pip"]

    def make(self, folder, target="env", **changes):
        return subprocess.run(
            [*self.command(target), *(f"{key}={value}" for key, value in changes.items())],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self, folder):
        """Return the recorded actions since the last call of this function."""
        path = folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line.replace("-m pip install -c requirements.lock -e ", "") for line in lines]

    def test_nothing_is_installed_twice(self, folder):
        assert self.make(folder).returncode == 0
        assert self.calls(folder) == ["venv", "install ."]
        again = self.make(folder)
        assert (again.returncode, again.stderr, self.calls(folder)) == (0, "", [])

    def test_the_tests_environment_serves_the_demo(self, folder):
        self.make(folder, "env-test")
        assert self.calls(folder) == ["venv", "install .[all]"]
        self.make(folder, "env")
        self.make(folder, "env-test")
        assert self.calls(folder) == []

    def test_the_demos_environment_is_finished_for_the_tests(self, folder):
        self.make(folder, "env")
        self.calls(folder)
        self.make(folder, "env-test")
        assert self.calls(folder) == ["install .[all]"]

    def test_new_pins_are_installed_and_extras_kept(self, folder):
        self.make(folder, "env-test")
        self.calls(folder)
        (folder / "requirements.lock").write_text("tiny==1.1\n")
        self.make(folder, "env")
        assert self.calls(folder) == ["install .[all]"]
        self.make(folder, "env-test")
        assert self.calls(folder) == []

    def test_killed_while_installing_is_rebuilt(self, folder):
        (folder / "slow").touch()
        with subprocess.Popen(
            self.command("env"), cwd=folder, start_new_session=True, stderr=subprocess.DEVNULL
        ) as process:
            wait_for(folder / "installing")
            kill_group(process)
        assert (folder / ".venv/.installing").exists()
        (folder / ".venv/half").touch()
        (folder / "slow").unlink()
        self.calls(folder)
        done = self.make(folder)
        assert done.returncode == 0
        assert "is incomplete" in done.stderr
        assert self.calls(folder) == ["venv", "install ."]
        assert not (folder / ".venv/half").exists()
        assert not (folder / ".venv/.installing").exists()

    def test_a_failed_installation_is_not_trusted(self, folder):
        (folder / "broken").touch()
        assert self.make(folder).returncode != 0
        (folder / "broken").unlink()
        self.calls(folder)
        assert self.make(folder).returncode == 0
        assert self.calls(folder) == ["venv", "install ."]

    @pytest.mark.skipif(not shutil.which("flock"), reason="needs flock")
    def test_two_at_a_time_install_once(self, folder):
        (folder / "slow").touch()
        with subprocess.Popen(self.command("env"), cwd=folder, stderr=subprocess.DEVNULL) as first:
            wait_for(folder / "installing")
            with subprocess.Popen(
                self.command("env"), cwd=folder, stderr=subprocess.PIPE, text=True
            ) as second:
                assert second.stderr is not None
                assert "waiting" in second.stderr.readline()
                (folder / "slow").unlink()
                assert second.stderr.read() == ""
        assert (first.returncode, second.returncode) == (0, 0)
        assert self.calls(folder) == ["venv", "install ."]

    def test_a_moved_project_gets_a_new_environment(self, folder):
        self.make(folder)
        self.calls(folder)
        moved = folder.rename(folder.with_name("moved"))
        assert "another folder" in self.make(moved).stderr
        assert self.calls(moved) == ["venv", "install ."]

    def test_an_environment_without_its_python_is_rebuilt(self, folder):
        self.make(folder)
        (folder / ".venv/bin/python").unlink()
        self.calls(folder)
        assert "no working Python" in self.make(folder).stderr
        assert self.calls(folder) == ["venv", "install ."]

    def test_an_environment_of_another_origin_is_completed(self, folder):
        subprocess.run(["./fake", "-m", "venv", ".venv"], cwd=folder, check=True)
        self.calls(folder)
        self.make(folder)
        assert self.calls(folder) == ["install ."]

    def test_a_folder_that_is_not_an_environment_is_not_changed(self, folder):
        (folder / "thesis").mkdir()
        (folder / "thesis/chapter1.txt").touch()
        done = self.make(folder, VENV="thesis")
        assert done.returncode != 0
        assert "not a virtual environment" in done.stderr
        assert (folder / "thesis/chapter1.txt").exists()

    def test_an_environment_behind_a_link_stays_there(self, folder, tmp_path):
        (tmp_path / "scratch").mkdir()
        (folder / ".venv").symlink_to(tmp_path / "scratch")
        self.make(folder)
        (folder / ".venv/.installing").touch()
        self.make(folder)
        assert (folder / ".venv").is_symlink()
        assert (tmp_path / "scratch/.ready").exists()

    def test_a_path_with_a_space_is_refused_before_anything_is_made(self, folder):
        moved = folder.rename(folder.with_name("my project"))
        done = self.make(moved)
        assert done.returncode != 0
        assert "space in its path" in done.stderr
        assert not (moved / ".venv").exists()

    def test_without_a_python_the_message_gives_advice(self, folder):
        done = self.make(folder, PYTHON="/nowhere/python3")
        assert done.returncode != 0
        assert "no Python 3.11 or newer found as '/nowhere/python3'" in done.stderr
        assert not (folder / ".venv").exists()

    def test_make_alone_lists_the_targets(self, folder):
        shown = self.make(folder, "help").stdout
        assert shown.startswith("make demo")
        assert "make test" in shown


def wait_for(path: Path, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def kill_group(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
