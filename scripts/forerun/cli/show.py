"""``show``: what a run is, and where its files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace


def command(run: RunArgument, output_dir: OutputDir = None, directory: Directory = None) -> None:
    """Show a run: its settings, data, models with status and time, and where its files are."""
    from forerun import cautions, listing, run_table
    from forerun.cli.console import leaderboard, say, show
    from forerun.cli.console import table as make
    from forerun.errors import UserError
    from forerun.runs import failed_models

    folder = workspace(output_dir, directory).folder(run)
    row = listing.read_run(folder, run)
    if row.state == "broken":
        raise UserError(f"run '{run}' is broken: {row.problem}")
    say(f"run {run}: {row.status}", f"created {run_table.local_time(row.created)}")
    settings = _settings(folder)
    show(make(["setting", "value"], settings.items(), "Settings that differ from the defaults"))
    say(*_data(folder))
    board = leaderboard(folder / "leaderboard.csv", "Models", row.metric or "mae")
    if board is not None:
        show(board)
        failures = failed_models(folder / "leaderboard.csv")
        say(*(f"{model} failed: {reason}" for model, reason in failures.items()))
        say(*(f"warning: {line}" for line in cautions.of_run(folder)))
    else:
        show(make(["model", "status", "seconds", "why"], _states(folder, row.models), "Models"))
    files = [(name, folder / name) for name in _FILES if (folder / name).exists()]
    show(make(["what", "where"], files, "Files"))


_FILES = (
    "config.yaml", "provenance.json", "data.parquet", "models", "leaderboard.csv", "metrics.csv",
    "predictions", "plots", "report.html", "comparisons", "inference", "logs",
    "SEALED",
)  # fmt: skip


def _settings(folder: Path) -> dict[str, Any]:
    """Return the settings that are not the defaults, and those everybody asks for."""
    from forerun import models, schema
    from forerun.frozen import read_recorded

    path = folder / "config.yaml"
    if not path.is_file():
        return {}
    settings = read_recorded(path)
    defaults = schema.defaults()
    always = ("horizon", "input_size", "max_steps", "n_windows", "freq", "season_length")
    found = {}
    for key, value in settings.items():
        if key in ("models", "baselines"):
            found[key] = ", ".join(map(_brief, models.brief(value)))
        elif key != "run_id" and (key in always or value != defaults.get(key)):
            found[key] = schema.show(value)
    return found


def _brief(item: Any) -> str:
    return item if isinstance(item, str) else f"{item['name']} {dict(list(item.items())[1:])}"


def _data(folder: Path) -> list[str]:
    from forerun.run_files import read_provenance

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
    from forerun.runs import RunPaths, outcome

    rows: list[tuple[Any, ...]] = []
    for name in names:
        state = outcome(RunPaths(folder).status(name)) or outcome(RunPaths(folder).final(name))
        why = (state.get("error") or {}).get("message")
        seconds = state.get("train_seconds", state.get("seconds"))
        rows.append((name, state.get("status", "not begun"), seconds, why))
    return rows
