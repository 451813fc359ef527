"""``show``: show the details of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace

if TYPE_CHECKING:
    from forerun.runs.progress import FitState


def command(run: RunArgument, output_dir: OutputDir = None, directory: Directory = None) -> None:
    """Show a run: settings, data, models with status and time, and files."""
    from forerun.base.errors import UserError
    from forerun.base.terminal import echo
    from forerun.cli import run_table
    from forerun.cli.console import leaderboard, leaderboard_rows, show
    from forerun.cli.console import table as make
    from forerun.evaluation import cautions
    from forerun.runs import listing
    from forerun.runs.paths import RunPaths
    from forerun.runs.state import failed_among

    folder = workspace(output_dir, directory).folder(run)
    run = folder.name
    row = listing.read_run(folder, run)
    if row.state == "broken":
        raise UserError(f"run '{run}' is broken: {row.problem}")
    echo(f"run {run}: {row.status}", f"created {run_table.local_time(row.created)}")
    show(make(["setting", "value", "default"], _settings(folder), "Settings"))
    echo(*_data(folder))
    path = RunPaths(folder).leaderboard
    if board := leaderboard_rows(path):
        show(leaderboard(board, path, "Models", row.metric or "mae"))
        echo(*(f"{model} failed: {reason}" for model, reason in failed_among(board).items()))
        echo(*(f"warning: {line}" for line in cautions.of_run(folder, board)))
    else:
        show(make(["model", "status", "seconds", "why"], _states(folder, row.models), "Models"))
    files = [(name, folder / name) for name in _FILES if (folder / name).exists()]
    show(make(["what", "where"], files, "Files"))


_FILES = (
    "config.yaml", "provenance.json", "data.parquet", "models", "leaderboard.csv", "metrics.csv",
    "predictions", "plots", "report.html", "comparisons", "inference", "logs",
    "SEALED",
)  # fmt: skip


def _settings(folder: Path) -> list[tuple[str, str, str]]:
    """Return key, value and default of the main settings and of those that differ."""
    from forerun.config import models, schema, search
    from forerun.config.frozen import read_recorded

    path = folder / "config.yaml"
    if not path.is_file():
        return []
    settings, defaults = read_recorded(path), schema.defaults()
    always = ("horizon", "input_size", "max_steps", "n_windows", "freq", "season_length")
    found = []
    for key, value in settings.items():
        if key in ("models", "baselines"):
            found.append((key, _listed(models.brief(value)), _listed(defaults[key])))
        elif key == "search":
            found += [(key, line, "") for line in search.brief(value)]
        elif key != "run_id" and (key in always or value != defaults.get(key)):
            default = schema.show(defaults[key]) if key in defaults else ""
            found.append((key, schema.show(value), default))
    return found


def _listed(items: list[Any]) -> str:
    return ", ".join(map(_brief, items))


def _brief(item: Any) -> str:
    return item if isinstance(item, str) else f"{item['name']} {dict(list(item.items())[1:])}"


def _data(folder: Path) -> list[str]:
    from forerun.runs.json_files import damage, read_provenance

    if why := damage(folder / "provenance.json"):
        return [f"warning: provenance.json {why}"]
    provenance = read_provenance(folder)
    data = provenance["data"]
    if not data:
        return []
    text = f"data: {data.get('series')} series, {data.get('rows')} rows, "
    lines = [text + f"{data.get('start')} to {data.get('end')}, from {data.get('file')}"]
    lines += [f"note: {note}" for note in data.get("notes") or []]
    git = provenance.get("git") or {}
    if git.get("commit"):
        lines.append(f"commit: {git['commit'][:12]}{' (changed)' if git.get('dirty') else ''}")
    return lines


def _states(folder: Path, names: list[str]) -> list[tuple[Any, ...]]:
    """Return model, status, seconds and reason of an unfinished run."""
    from forerun.runs import session
    from forerun.runs.progress import RUNNING, survey

    states, is_running = survey(folder), session.is_running(folder)
    rows: list[tuple[Any, ...]] = []
    for name in names:
        own = [each for each in states if each.fit.model == name]
        why = next((each.reason for each in own if each.reason), "")
        seconds = sum(each.elapsed for each in own if each.state != RUNNING)
        rows.append((name, _status(own, is_running), seconds or None, why))
    return rows


def _status(fits: list[FitState], is_running: bool) -> str:
    """Return the status of a model from its fits."""
    from forerun.runs.progress import FAILED, OK, RUNNING, STOPPED

    states = [fit.state for fit in fits]
    if FAILED in states:
        return "failed"
    done = states.count(OK)
    if states and done == len(states):
        return "ok"
    now = "running" if is_running else "interrupted"
    more = now if RUNNING in states else "stopped" if STOPPED in states else ""
    if not done:
        return more or "not started"
    return f"{done} of {len(states)} fits completed" + (f", {more}" if more else "")
