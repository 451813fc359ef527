"""The table of runs, read from their folders; fast enough for 10,000 runs."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forerun.base.bounded import SMALL, open_regular, read_text
from forerun.base.errors import UserError
from forerun.base.garbage import paused
from forerun.base.text import clean, real
from forerun.base.yaml_files import LARGEST_FILE
from forerun.config.names import COMBINED
from forerun.runs import session, summary
from forerun.runs.fit import unfinished_models
from forerun.runs.json_files import read_provenance
from forerun.runs.paths import RunPaths, run_folders
from forerun.runs.summary import Row
from forerun.runs.tables import read_leaderboard_rows

#: Parts of a run in the table, in order.
PARTS = {
    "config": "config.yaml",
    "models": "models",
    "metrics": "metrics.csv",
    "predictions": "predictions",
    "plots": "plots",
    "report": "report.html",
}
#: Number of runs from which several processes read them, in groups of some runs.
MANY, GROUP, PROCESSES = 2000, 250, 4
#: Marks a run that was migrated from an old, unversioned folder.
IMPORTED = "imported.json"
#: The page of all runs, in the folder of runs.
OVERVIEW = "index.html"

# A configuration written by Forerun has its keys at the start of lines and models in block lists.
# Regular expressions read it a hundred times as fast as a YAML parser, which reads any other file.
_CANONICAL = re.compile(r"(?:[a-z_]+:(?: [^\n]*)?\n|[ -] [^\n]*\n)+")
_SCALARS = re.compile(r"^(horizon|max_steps|sort_metric): (\w{1,50})$", re.MULTILINE | re.ASCII)
_LISTS = re.compile(r"^(models|baselines):(?: \[\]|((?:\n[ -] [^\n]*)*))$", re.MULTILINE)
_NAME = re.compile(r"^- name: ([A-Za-z0-9][A-Za-z0-9_-]*)$", re.MULTILINE)
_CREATED = re.compile(rb'\A\{\s*"created_at": "([0-9T:.+Z-]{10,40})"')


def scan(runs: str | Path) -> tuple[list[Row], list[str]]:
    """Return one row for each run, newest first, and the names in `runs` that are not runs.

    Names that begin with a dot are ignored.
    """
    entries = {entry.name: entry.path for entry in run_folders(runs)}
    try:
        every = os.listdir(runs)
    except OSError:
        every = []
    stray = sorted(n for n in every if n not in entries and n[0] != "." and n != OVERVIEW)
    rows = _read_all([(path, name) for name, path in entries.items()])
    rows.sort(key=lambda row: (row.created or "", row.run_id), reverse=True)
    return rows, stray


def _read_all(folders: list[tuple[str, str]]) -> list[Row]:
    """Read all runs; if there are many, in several processes, which wait for the disk at once."""
    if len(folders) < MANY:
        return [read_run(*folder) for folder in folders]
    from forerun.base.parallel import each

    def group(number: int) -> list[Row]:
        return [read_run(*folder) for folder in folders[number * GROUP : (number + 1) * GROUP]]

    with paused():  # rows have no cycles
        groups = each(group, -(-len(folders) // GROUP), PROCESSES)
        return [row for rows in groups for row in rows]


def read_run(folder: str | Path, run_id: str | None = None) -> Row:
    """Read the folder of a run; problems are reported in the row."""
    folder = os.fspath(folder)
    row = Row(run_id or os.path.basename(folder))
    try:
        names = set(os.listdir(folder))
    except OSError as error:
        row.state, row.problem = "broken", error.strerror or str(error)
        return row
    row.parts = [part for part, name in PARTS.items() if name in names]
    if {"SEALED", summary.NAME} <= names and IMPORTED not in names and summary.fill(row, folder):
        return row
    row.created = _created(folder, names)
    if "config.yaml" in names:
        try:
            _read_config(row, os.path.join(folder, "config.yaml"))
        except (UserError, OSError) as error:
            row.state, row.problem = "broken", _one_line(error, folder)
            return row
    if "leaderboard.csv" in names:
        try:
            _read_leaderboard(row, os.path.join(folder, "leaderboard.csv"))
        except (UserError, OSError) as error:
            row.problem = f"leaderboard.csv cannot be read ({_one_line(error, folder)})"
    row.state = _state(row, folder, names)
    row.problem = row.problem or _irregular(folder, names)
    return row


def _irregular(folder: str, names: set[str]) -> str | None:
    """Report a file that is a pipe, a device or a folder."""
    for name in ("provenance.json", "SEALED"):
        if name in names and not os.path.isfile(os.path.join(folder, name)):
            return f"{name} cannot be read (it is not a regular file)"
    return None


def _one_line(error: Exception, folder: str) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = text.removeprefix(f"{folder}{os.sep}")
    return clean(" ".join(text.split()))[:200] or type(error).__name__


def _created(folder: str, names: set[str]) -> str | None:
    """Return when the run was created (UTC), from its provenance or its folder's time."""
    if "provenance.json" in names:
        try:
            with open_regular(os.path.join(folder, "provenance.json"), SMALL) as file:
                if found := _CREATED.match(file.read(200)):
                    return found[1].decode()
        except (UserError, OSError):
            pass
        if created := read_provenance(folder).get("created_at"):
            return str(created)
    try:
        changed = os.stat(folder).st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")


def _read_config(row: Row, path: str) -> None:
    text = read_text(path, LARGEST_FILE)
    found = _fast(text) if _CANONICAL.fullmatch(text) else None
    if found is None:
        from forerun.config.frozen import read_frozen

        found = read_frozen(path)
        for key in ("baselines", "models"):
            found[key] = [item["name"] for item in found[key]]
    row.models = [*found["baselines"], *found["models"]]
    row.horizon, row.steps = int(found["horizon"]), int(found["max_steps"] or 0)
    row.metric = str(found.get("sort_metric") or "mae")


def _fast(text: str) -> dict[str, Any] | None:
    """Return the keys for the table from a configuration written by Forerun."""
    found: dict[str, Any] = dict(_SCALARS.findall(text))
    for match in _LISTS.finditer(text):
        items = match[2] or ""
        found[match[1]] = _NAME.findall(items)
        if len(found[match[1]]) != len(re.findall(r"^- ", items, re.MULTILINE)):
            return None
    plain = str(found.get("horizon", "")).isdigit() and str(found.get("max_steps", "")).isdigit()
    return found if plain and "models" in found and "baselines" in found else None


def _read_leaderboard(row: Row, path: str) -> None:
    seconds: list[float] = []
    for line in read_leaderboard_rows(path):
        if line["status"] == "failed":
            row.failed += 1
        elif row.best is None:
            row.best = line["model"]
            row.error = real(line.get(row.metric or "mae"))
        if line["status"] == "ok" and row.best_model is None and line["model"] not in COMBINED:
            row.best_model = line["model"]
        found = [real(line.get(key)) for key in ("train_seconds", "cv_seconds")]
        seconds += [value for value in found if value is not None]
    row.duration = round(sum(seconds), 1) if seconds else None


def _state(row: Row, folder: str, names: set[str]) -> str:
    if IMPORTED in names:
        return "imported"
    if "SEALED" in names:
        return "complete"
    if "logs" in names and session.is_running(folder):
        row.failed = _failed_models(folder)
        return "running"
    if "config.yaml" not in names:
        return "empty"
    if "leaderboard.csv" in names and row.failed:
        return "partial" if row.best else "failed"
    row.failed = _failed_models(folder)
    return "interrupted"


def _failed_models(folder: str) -> int:
    """Count the models of an unfinished run with a failed fit."""
    return len(unfinished_models(RunPaths(Path(folder)), statuses=("failed",)))
