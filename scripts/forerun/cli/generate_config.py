"""``generate-config``: write a configuration with all defaults."""

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
    """Write a configuration with all keys, their description and default. Overwrites nothing."""
    from forerun.base.files import new_file
    from forerun.base.terminal import echo

    try:
        with new_file(file) as temporary:
            temporary.write_text(template(file), encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UserError(f"'{file}' exists and is not overwritten; use another name") from None
    echo(f"{file}: all keys with defaults", f"next: train --config {file} --run-id my_run")


def template(file: Path) -> str:
    """Return the content of `file`: all keys with defaults, and the schema for editors."""
    from forerun.base.resources import CONFIG, SCHEMA
    from forerun.config import schema

    relative = SCHEMA.relative_to(CONFIG.parents[1]).as_posix()
    near = (file.parent.parent / relative).is_file()
    return schema.template(f"../{relative}" if near else str(SCHEMA))
