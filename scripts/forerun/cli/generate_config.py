"""``generate-config``: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forerun.base.errors import UserError


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")] = Path(
        "config/config.yaml"
    ),
) -> None:
    """Write a configuration with every key, its meaning and its default. Overwrites nothing."""
    from forerun.base.files import new_file
    from forerun.cli.console import say

    try:
        with new_file(file) as temporary:
            temporary.write_text(template(file), encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UserError(f"'{file}' exists and is not overwritten; give another name") from None
    say(f"{file}: every key with its default", f"next: train --config {file} --run-id my_run")


def template(file: Path) -> str:
    """Return every key with its default for `file`; the first line tells editors the schema."""
    from forerun.base.resources import CONFIG, SCHEMA
    from forerun.config import schema

    relative = SCHEMA.relative_to(CONFIG.parents[1]).as_posix()
    near = (file.parent.parent / relative).is_file()
    return schema.template(f"../{relative}" if near else str(SCHEMA))
