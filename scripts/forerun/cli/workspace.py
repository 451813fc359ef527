"""The folder of runs, and lookup of runs by id."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from forerun.base.errors import UserError, check_path, nearest
from forerun.runs import state
from forerun.runs.paths import check_run_id, run_folders

CONFIG = Path("config/config.yaml")

OutputDir = Annotated[
    str | None,
    typer.Option(
        "--output-dir",
        "-o",
        metavar="DIR",
        help="Folder that contains runs/; the current folder if omitted.",
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory", metavar="DIR", help="Work in this folder instead of the current one."
    ),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]


@dataclass(frozen=True)
class Workspace:
    """The current folder, with runs in ``<output_dir>/runs``."""

    output_dir: str | None = None

    @property
    def runs(self) -> Path:
        """Folder of all runs, as in the workflow."""
        return Path(f"{self.output_dir}/runs" if self.output_dir else "runs")

    @property
    def output(self) -> Path:
        """Folder that contains ``runs/``."""
        return Path(self.output_dir or ".")

    def folder(self, run_id: str) -> Path:
        """Return the folder of an existing run; refuse unknown ids.

        ``@NAME`` is the run in service in the deployment ``NAME``.
        """
        if run_id.startswith("@"):
            from forerun.deployments.folder import named_run

            run_id = named_run(self.output, run_id)
        check_run_id(run_id)
        folder = self.runs / run_id
        if not folder.is_dir():
            raise UserError(f"there is no run '{run_id}' in {self.runs}{self._nearest(run_id)}")
        return folder

    def frozen(self, run_id: str) -> Path:
        """Return the folder of a run that has a configuration."""
        folder = self.folder(run_id)
        if not state.is_frozen(folder):
            raise UserError(f"run '{run_id}' has no config.yaml: it was never started")
        return folder

    def next(self, *words: str, extras: Sequence[str] = ()) -> str:
        """Return a shell command for the same folder of runs as this call.

        Parameters
        ----------
        words : the command and its arguments
        extras : arguments for Snakemake
        """
        where = ["--output-dir", self.output_dir] if self.output_dir else []
        where += ["--directory", _ENTERED[0]] if _ENTERED else []
        return shlex.join([*words, *where, *(["--", *extras] if extras else [])])

    def _nearest(self, run_id: str) -> str:
        existing = [entry.name for entry in run_folders(self.runs)]
        if not existing:
            return " (there are no runs)"
        near = nearest(run_id, existing, cutoff=0.4)
        if not near:
            near = sorted(existing)[-3:]
        return f"; the nearest: {', '.join(near)}" if near else ""


#: The folder of ``--directory``, as typed.
_ENTERED: list[str] = []


def enter(directory: Path | None) -> None:
    """Change to the folder of ``--directory``."""
    _ENTERED.clear()
    if directory is not None:
        if not directory.is_dir():
            raise UserError(f"--directory: '{directory}' is not a folder")
        os.chdir(directory)
        _ENTERED.append(str(directory))


def workspace(output_dir: str | None = None, directory: Path | None = None) -> Workspace:
    """Return the workspace of `output_dir`, by default that of config/config.yaml."""
    enter(directory)
    return Workspace(check_output_dir(output_dir) or configured_output_dir())


def check_output_dir(output_dir: str | None) -> str | None:
    """Return the folder in its shortest form; refuse invalid ones."""
    if output_dir is None:
        return None
    if not output_dir.strip() or any(ord(letter) < 32 for letter in output_dir):
        raise UserError(f"--output-dir: {output_dir!r} is not the name of a folder")
    check_path("--output-dir", output_dir)
    if os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise UserError(f"--output-dir: '{output_dir}' is a file, not a folder")
    short = os.path.normpath(output_dir)
    return None if short == "." else short


def configured_output_dir() -> str | None:
    """Return ``output_dir`` of config/config.yaml."""
    try:
        text = CONFIG.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    if not re.search(r"^output_dir:(?!\s*(null|~)?\s*(#.*)?$)", text, re.MULTILINE):
        return None  # the usual case, without parsing the file
    from forerun.config.typed import read_settings

    value = read_settings(CONFIG).get("output_dir")
    return check_output_dir(str(value)) if value else None
