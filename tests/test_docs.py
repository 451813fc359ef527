"""All commands in README and docs run as written, in a fresh clone, in order.

Light commands are executed on a run of statistical models. Commands that train are executed with
--dry-run, which checks the command line, the configuration and the data. Blocks that need more than
a clone (a cluster, the network...) have a comment above them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from running import PROGRAMS, PROJECT

from forerun.cli.app import build
from forerun.config.settings import resolve

DOCS = sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("docs/*.md"))
PAGES = ["README.md", "config/README.md", "data/README.md", "CONTRIBUTING.md", *DOCS]
COMMANDS = ("train", "predict", "list-runs", "forerun")
#: Creates the run for the later commands of README within seconds, without neural networks.
TRAIN = shlex.split(
    "train --run-id exp1 --data-file data/us_employment_monthly.csv --models Naive "
    "--baselines SeasonalNaive --n-windows 2 --set plot_series=1"
)


@dataclass
class Block:
    """A fenced block: its language, its text, and its requirements besides a clone."""

    page: str
    language: str
    text: str
    needs: str | None

    @property
    def commands(self) -> list[str]:
        return [line for line in self.text.splitlines() if shlex.split(line, comments=True)]


def blocks(page: str) -> Iterator[Block]:
    source = (PROJECT / page).read_text(encoding="utf-8")
    pattern = r"(?:<!-- needs: ([^\n]*) -->\n)?```(\w*)\n(.*?)```"
    for needs, language, text in re.findall(pattern, source, re.DOTALL):
        yield Block(page, language, text, needs or None)


def every_block(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == language]


# -- Commands as they are spelled: everywhere, in blocks and inside sentences ---------------------


def spelled() -> list[tuple[str, list[str]]]:
    """Return each command of Forerun with its page: in blocks, tables, sentences and notebooks."""
    found = []
    for page in [*PAGES, "docs/example.ipynb", "CHANGELOG.md"]:
        source = (PROJECT / page).read_text(encoding="utf-8")
        spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", source, flags=re.DOTALL))
        lines = [
            line for block in blocks(page) if block.language == "sh" for line in block.commands
        ]
        for text in [*spans, *lines]:
            try:
                words = shlex.split(text, comments=True)
            except ValueError:
                continue
            if len(words) > 1 and words[0].removeprefix(".venv/bin/") in COMMANDS:
                found.append((page, [words[0].removeprefix(".venv/bin/"), *words[1:]]))
    return found


def options(program: Any, name: str) -> set[str]:
    command = program.commands[name]
    return {word for p in command.params for word in (*p.opts, *p.secondary_opts)} | {"--help"}


def test_every_command_and_option_exists() -> None:
    program: Any = typer.main.get_command(build())
    wrong = []
    for page, words in spelled():
        own = words[: words.index("--")] if "--" in words else words
        own = own[1:] if own[0] == "forerun" else own
        if own[0] in ("--help", "--version"):
            continue
        if own[0] not in program.commands:
            wrong.append(f"{page}: there is no command {own[0]}")
            continue
        existing = options(program, own[0])
        used = [word.split("=")[0] for word in own[1:] if re.match(r"-{1,2}[a-z]", word)]
        wrong += [f"{page}: {own[0]} has no {word}" for word in used if word not in existing]
    assert wrong == []
    assert len(spelled()) > 30


def test_what_is_installed_is_this_project() -> None:
    """Forerun is on no package index: its extras are installed from the clone."""
    for page in PAGES:
        source = (PROJECT / page).read_text(encoding="utf-8")
        assert not re.search(r"pip install ['\"]?forerun", source), page


@pytest.mark.parametrize("block", every_block("yaml"), ids=lambda block: block.page)
def test_every_configuration_is_possible(block: Block) -> None:
    resolve(yaml.safe_load(block.text))


# -- Commands as they are run ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project: the tracked files and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    home = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.split("\0")):
        source = PROJECT / name
        if source.is_file() and not name.startswith("tests/"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, home / name)
    return home


@dataclass
class Terminal:
    """Runs the commands of the documentation in a clone."""

    home: Path

    def type(self, line: str) -> None:
        """Run one line; fail the test if its exit code is not 0."""
        for part in shlex.split(line, comments=True, posix=True) and line.split(" && "):
            words = shlex.split(part, comments=True)
            code, output = self.run(words)
            assert code == 0, f"{line}\n{output[-3000:]}"

    def run(self, words: list[str]) -> tuple[int, str]:
        name = words[0]
        if name == ".":
            return int(words != [".", ".venv/bin/activate"]), "another environment"
        if name == "train":
            return self.train(words)
        if name in ("predict", "list-runs"):
            return self.call(words)
        if name == "forerun":
            return self.call(words[1:])
        if name == "make":
            return self.process(["make", "-n", *words[1:]])
        if name == "snakemake":
            dry = [] if "list-runs" in words or "-n" in words else ["--dry-run"]
            every = [one for word in words[1:] for one in braces(word)]
            dry = dry if "--report" not in words else []
            done = PROGRAMS.run([*every, *dry], self.home, dict(os.environ), timeout=300)
            return done.returncode, done.stdout + done.stderr
        if name == "python":
            return self.benchmark(words)
        return 1, f"{name} is not a command that a clone has"

    def train(self, words: list[str]) -> tuple[int, str]:
        """Check the call with --dry-run, and create its run with cheaper models."""
        code, output = self.call([*words, *([] if "--dry-run" in words else ["--dry-run"])])
        run_id = words[words.index("--run-id") + 1]
        made, target = self.home / "made" / "runs" / "exp1", self.home / "runs" / run_id
        if code == 0 and not target.exists():
            if not made.exists():
                trained, output = self.call([*TRAIN, "--output-dir", "made"])
                assert trained == 0, output
            shutil.copytree(made, target)
        return code, output

    def call(self, words: list[str]) -> tuple[int, str]:
        done = PROGRAMS.run(words, self.home, dict(os.environ), timeout=300, program="forerun")
        return done.returncode, done.stdout + done.stderr

    def process(self, words: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            words, cwd=self.home, capture_output=True, text=True, timeout=300, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def benchmark(self, words: list[str]) -> tuple[int, str]:
        """Check only that the program and its options exist, as it takes minutes."""
        code, output = self.process([sys.executable, words[1], "--help"])
        missing = [w for w in words if w.startswith("--") and w not in output]
        return code or len(missing), output


def braces(word: str) -> list[str]:
    """Expand braces such as ``runs/{a,b}/x``, as a shell does."""
    match = re.fullmatch(r"(.*)\{([^{}]*,[^{}]*)\}(.*)", word)
    return [match[1] + one + match[3] for one in match[2].split(",")] if match else [word]


@pytest.mark.slow
def test_every_command_runs_in_a_fresh_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    terminal = Terminal(clone)
    typed = 0
    for block in every_block("sh"):
        for line in block.commands if block.needs is None else []:
            terminal.type(line)
            typed += 1
    assert typed > 25
    # The files that the documentation announces exist.
    folder = clone / "runs" / "exp1"
    assert list((folder / "inference").iterdir())
    for name in ("my_config.yaml", "exp1.html"):
        assert (clone / name).is_file()
    # README's Python, on the same run.
    for block in every_block("python"):
        if "open_run" in block.text:
            exec(compile(block.text, block.page, "exec"), {})
