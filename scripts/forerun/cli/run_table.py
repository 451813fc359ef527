"""The table of runs: filtered, sorted, and formatted as text, JSON or CSV."""

from __future__ import annotations

import csv
import fnmatch
import io
import json
import operator
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.base.text import duration
from forerun.base.text import error as error_text
from forerun.runs.listing import Row, scan

# -- Choosing and ordering ----------------------------------------------------------------------

#: Columns that can be filtered and sorted by.
COLUMNS = (
    "run_id", "models", "horizon", "steps", "status", "created", "best", "error", "failed",
    "duration", "best_model",
)  # fmt: skip
_ALIASES = {"max_steps": "steps", "state": "status", "mae": "error", "leader": "best"}
_COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
    "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_TERM = re.compile(r"([A-Za-z_]+)(<=|>=|!=|=|<|>)(.*)")


def _column(name: str, what: str) -> str:
    key = _ALIASES.get(name, name)
    if key not in COLUMNS:
        raise UserError(
            f"{what}: there is no column '{name}'{suggest(name, COLUMNS)}; "
            f"the columns are {', '.join(COLUMNS)}"
        )
    return key


def _value(row: Row, column: str) -> Any:
    return row.state if column == "status" else getattr(row, column)


def choose(rows: Iterable[Row], terms: str) -> list[Row]:
    """Return the rows that satisfy all `terms`, such as ``horizon=12 status=complete``.

    Strings may contain the wildcards ``*`` and ``?``; ``models=NHITS`` selects runs with the model.
    """
    chosen = list(rows)
    for term in terms.split():
        match = _TERM.fullmatch(term)
        if not match:
            raise UserError(f"--filter: '{term}' is not a condition such as horizon=12")
        column, sign, wanted = _column(match[1].lower(), "--filter"), match[2], match[3]
        chosen = [row for row in chosen if _holds(_value(row, column), sign, wanted, term)]
    return chosen


def _holds(value: Any, sign: str, wanted: str, term: str) -> bool:
    if isinstance(value, list):
        matches = any(fnmatch.fnmatchcase(item.lower(), wanted.lower()) for item in value)
        if sign not in ("=", "!="):
            raise UserError(f"--filter: '{term}': lists can only be compared with = and !=")
        return matches == (sign == "=")
    if value is None:
        return sign == "!="
    if isinstance(value, str):
        if sign in ("=", "!="):
            return fnmatch.fnmatchcase(value.lower(), wanted.lower()) == (sign == "=")
        return bool(_COMPARE[sign](value, wanted))
    try:
        return bool(_COMPARE[sign](value, float(wanted)))
    except ValueError:
        raise UserError(f"--filter: '{term}' compares a number with a string") from None


def order(rows: Iterable[Row], by: str = "created", reverse: bool = False) -> list[Row]:
    """Sort rows: newest first by ``created``, otherwise ascending; rows without a value last."""
    column = _column(by.lower().lstrip("-"), "--sort")
    descending = (column == "created") != (reverse or by.startswith("-"))
    rows = list(rows)
    with_value = [row for row in rows if _value(row, column) is not None]
    with_value.sort(key=lambda row: (_value(row, column), row.run_id), reverse=descending)
    return with_value + [row for row in rows if _value(row, column) is None]


# -- Writing the table --------------------------------------------------------------------------


#: Columns to omit, in this order, if the terminal is too narrow.
_SPARED = ("Steps", "Duration", "Models", "Horizon")
_FEWEST_LETTERS = 14


def table(rows: Sequence[Row], width: int | None = None) -> str:
    """Return the table as text; `width` limits its lines.

    The list of models is shortened first, then the status, then columns are omitted.
    """
    metrics = {row.metric for row in rows if row.error is not None}
    own = str(next(iter(metrics))).upper() if len(metrics) == 1 else "Error"
    head = ["Run ID", "Models", "Horizon", "Steps", "Created", "Best model", "Leader", own]
    head += ["Duration", "Status"]
    lines = [_cells(row, len(metrics) > 1) for row in rows]
    columns = {name: list(cells) for name, *cells in zip(head, *lines, strict=True)}
    sizes = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    if width is not None:
        _fit(columns, sizes, width)
    right = {"Horizon", "Steps", own, "Duration"}
    aligned = [
        _aligned([name, "-" * sizes[name], *cells], sizes[name], name in right)
        for name, cells in columns.items()
    ]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*aligned, strict=True))


def _fit(columns: dict[str, list[str]], sizes: dict[str, int], width: int) -> None:
    """Fit the columns to the width of a terminal as far as possible."""

    def excess() -> int:
        return sum(sizes.values()) + 2 * (len(sizes) - 1) - width

    whole = sizes["Models"]
    sizes["Models"] = min(whole, max(_FEWEST_LETTERS, whole - max(0, excess())))
    if excess() > 0:
        columns["Status"] = [cell.partition(":")[0] for cell in columns["Status"]]
        sizes["Status"] = max(map(len, ["Status", *columns["Status"]]))
    for name in _SPARED:
        if excess() > 0:
            del columns[name], sizes[name]
    if "Models" in sizes:
        sizes["Models"] = min(whole, sizes["Models"] - min(0, excess()))


def _aligned(cells: Iterable[str], size: int, right: bool) -> list[str]:
    """Return the cells of a column in its width, which is faster than one line after the other."""
    cut = [cell if len(cell) <= size else cell[: size - 3] + "..." for cell in cells]
    return [cell.rjust(size) for cell in cut] if right else [cell.ljust(size) for cell in cut]


def _cells(row: Row, name_metric: bool) -> list[str]:
    error = "" if row.error is None else error_text(row.metric or "", row.error)
    if error and name_metric:
        error += f" {row.metric}"
    return [
        row.run_id,
        ",".join(row.models),
        "" if row.horizon is None else str(row.horizon),
        "" if row.steps is None else str(row.steps),
        local_time(row.created),
        row.best_model or "",
        row.best or "",
        error,
        "" if row.duration is None else duration(row.duration),
        row.status,
    ]


def local_time(created: str | None) -> str:
    """Return a UTC time stamp as local date and minute."""
    if not created:
        return ""
    try:
        local = datetime.fromisoformat(created).astimezone()
    except (ValueError, OverflowError):
        return created[:16]
    return local.isoformat(" ", "minutes")[:16]


def as_json(rows: Sequence[Row]) -> str:
    """Return the rows as a JSON list of mappings."""
    return json.dumps([vars(row) for row in rows], indent=2)


def as_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV; lists are separated by spaces."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [item.name for item in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flat = {key: " ".join(v) if isinstance(v, list) else v for key, v in vars(row).items()}
        writer.writerow(flat)
    return text.getvalue().rstrip("\n")


def report(runs: str | Path, width: int | None = None) -> str:
    """Return the output of ``list-runs``: the table and remarks."""
    rows, stray = scan(runs)
    return "\n".join([table(rows, width) if rows else nothing(runs), *remarks(runs, stray)])


def nothing(runs: str | Path) -> str:
    """Return the message for an empty folder of runs."""
    where = "is empty" if os.path.isdir(runs) else "does not exist"
    return f"no runs yet: the folder {runs} {where}; create a run with 'train'"


def remarks(runs: str | Path, stray: Sequence[str]) -> list[str]:
    """Return a note about names in the folder of runs that are not runs."""
    if not stray:
        return []
    shown = ", ".join(repr(name) for name in stray[:5])
    more = f" and {len(stray) - 5} more" if len(stray) > 5 else ""
    return [f"not runs, ignored: {shown}{more} in {runs}"]
