"""``generate-config``: a configuration to start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from forerun.errors import UserError


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")] = Path(
        "config/config.yaml"
    ),
) -> None:
    """Write a configuration with every key, its meaning and its default. Overwrites nothing."""
    from forerun.cli.console import say
    from forerun.cli.snakemake import PROJECT
    from forerun.files import write_text

    if os.path.lexists(file):
        raise UserError(f"'{file}' exists and is not overwritten; give another name")
    write_text(file, (PROJECT / "config" / "config.yaml").read_text(encoding="utf-8"))
    say(f"{file}: every key with its default", f"next: train --config {file} --run-id my_run")
