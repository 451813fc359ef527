"""``generate-config``: a configuration to start from."""

from __future__ import annotations

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
    from forerun.files import new_file

    text = (PROJECT / "config" / "config.yaml").read_text(encoding="utf-8")
    try:
        with new_file(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UserError(f"'{file}' exists and is not overwritten; give another name") from None
    say(f"{file}: every key with its default", f"next: train --config {file} --run-id my_run")
