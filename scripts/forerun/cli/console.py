"""Tables and questions on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.terminal import echo_error
from forerun.runs.tables import Row, read_leaderboard_rows

if TYPE_CHECKING:
    from rich.table import Table


def is_terminal() -> bool:
    """Return whether the output is an interactive terminal."""
    return sys.stdout.isatty()


def warn(line: str) -> None:
    """Print a warning to standard error."""
    echo_error(line, before="forerun: warning: ")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> Table:
    """Return a table with numeric columns right-aligned and no markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [[cell(value) for value in row] for row in rows]
    new = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for number, name in enumerate(head):
        numeric = all(_numeric(line[number]) for line in lines) and bool(lines)
        side: Any = "right" if numeric else "left"
        new.add_column(Text(text.visible(name)), justify=side, overflow="fold")
    for line in lines:
        new.add_row(*(Text(value) for value in line))
    return new


def show(table: Table, file: IO[str] | None = None) -> None:
    """Print a table to standard output or `file`, in its full width if there is no terminal."""
    from rich.console import Console

    narrow = is_terminal() and file in (None, sys.stdout)
    console = Console(width=None if narrow else 1000, highlight=False, file=file)
    console.print(table, crop=False, no_wrap=not narrow)


def cell(value: Any, metric: str = "", digits: int = 4) -> str:
    """Return a value for display, with the unit of a metric and an ASCII minus."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        shown = text.error(metric, value) if metric else text.number(value, digits)
        return shown.replace(text.MINUS, "-")
    return text.visible(value)


def _numeric(shown: str) -> bool:
    try:
        float(shown.rstrip(" *%s").replace(",", "") or "0")
    except ValueError:
        return False
    return True


def leaderboard_rows(path: Path) -> list[Row]:
    """Read a run's leaderboard; empty if it is missing or, with a warning, damaged."""
    if not os.path.lexists(path):
        return []
    try:
        return read_leaderboard_rows(path)
    except UserError as error:
        warn(str(error))
        return []


def leaderboard(
    rows: list[Row], path: Path | None = None, title: str | None = None, metric: str = "mae"
) -> Table:
    """Return the rows of a leaderboard as a table.

    In a terminal the most important columns that fit are shown (`metric` ranks the run), and a
    caption names the number of omitted ones, which are in the file `path`. Reasons of failures are
    too long for a column and left to the caller.
    """
    head = [name for name in rows[0] if name not in ("rank", "reason")]
    fit = _fitting(head, rows, metric) if is_terminal() else head
    lines = [[cell(_number(row[name]), name) for name in fit] for row in rows]
    new = table([name.replace("_", " ") for name in fit], lines, title)
    if path and len(fit) < len(head):
        new.caption = f"{len(head) - len(fit)} more columns in {path}"
        new.caption_justify = "left"
    return new


#: Columns by importance; the others follow in the order of the file.
_IMPORTANT = ("model", "skill", "status", "mase", "smape", "train_seconds", "cv_seconds")


def _fitting(head: list[str], rows: list[Row], metric: str) -> list[str]:
    """Return the columns that fit into the terminal, in their order."""
    from rich.console import Console

    room = Console().width
    wanted = [name for name in ("model", metric, *_IMPORTANT, *head) if name in head]
    kept = set()
    for name in dict.fromkeys(wanted):
        cells = [cell(_number(row[name]), name) for row in rows]
        needed = max(map(len, [name, *cells])) + 3
        if needed <= room:
            kept.add(name)
            room -= needed
    return [name for name in head if name in kept]


def _number(written: str | None) -> Any:
    try:
        return float(written or "")
    except ValueError:
        return written


def confirm(question: str, yes: bool) -> None:
    """Ask for confirmation of an irreversible action; abort if the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} There is no terminal to ask for confirmation; use --yes")
    import typer

    typer.confirm(question, abort=True)
