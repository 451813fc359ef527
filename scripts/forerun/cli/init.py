"""``init``: create a small project that uses the workflow of this installation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from forerun.base.errors import UserError

SNAKEFILE = """\
from forerun import WORKFLOW


include: WORKFLOW


use rule all as default
"""

GITIGNORE = """\
/runs/
/logs/
.snakemake/
lightning_logs/
.tmp-*
"""


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of the project, created if missing.")
    ] = Path("."),
) -> None:
    """Write a project: Snakefile, config/, profiles/ and .gitignore. Overwrites nothing."""
    from forerun.base.terminal import echo

    copies = shipped()
    refuse_existing(folder, [Path("Snakefile"), Path("config/config.yaml"), *copies])
    keep = os.path.lexists(folder / ".gitignore")
    write(folder, copies, {} if keep else {Path(".gitignore"): GITIGNORE})
    echo(f"{folder / 'Snakefile'}: uses the workflow of this installation")
    echo(f"{folder / 'config' / 'config.yaml'}: all keys with defaults; set data_file")
    echo(f"{folder / 'profiles'}: where jobs run; this machine, Slurm and other clusters")
    if keep:
        names = ", ".join(GITIGNORE.split())
        echo(f"{folder / '.gitignore'}: exists and was not changed; it should contain {names}")
    prefix = "" if folder.resolve() == Path.cwd() else f"cd {folder}; "
    echo(f"next: {prefix}train --run-id exp1   (or snakemake runs/exp1/predictions)")


def shipped() -> dict[Path, Path]:
    """Return the files that are copied to a project, and their sources."""
    from forerun.base.resources import PROFILES, PROJECT

    config = [Path("config/README.md"), Path("config/experiments/README.md")]
    config.append(Path("config/experiments/demo.yaml"))
    profiles = [file.relative_to(PROJECT) for file in sorted(PROFILES.glob("*/*"))]
    return {file: PROJECT / file for file in (*config, *profiles)}


def refuse_existing(folder: Path, targets: list[Path]) -> None:
    """Refuse existing targets before anything is written."""
    for path in (folder, *folder.parents):
        if os.path.lexists(path) and not path.is_dir():
            raise UserError(f"'{path}' is not a folder; use another one")
    taken = sorted(
        {
            path.as_posix()
            for target in targets
            for path in (target, *list(target.parents)[:-1])
            if os.path.lexists(folder / path) and (path == target or not (folder / path).is_dir())
        }
    )
    if taken:
        more = f" and {len(taken) - 3} more files" if len(taken) > 3 else ""
        raise UserError(
            f"'{folder}' already has {', '.join(taken[:3])}{more}, and nothing is overwritten; "
            "use an empty folder: forerun init DIR"
        )


def write(folder: Path, copies: dict[Path, Path], texts: dict[Path, str]) -> None:
    """Write the project, its Snakefile last."""
    from forerun.base.files import new_file
    from forerun.cli.generate_config import template

    for target, source in copies.items():
        with new_file(folder / target) as temporary:
            shutil.copy(source, temporary)  # keeps the mode, as a profile includes a script
    config = Path("config/config.yaml")
    texts = {config: template(folder / config), **texts, Path("Snakefile"): SNAKEFILE}
    for target, text in texts.items():
        with new_file(folder / target) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
