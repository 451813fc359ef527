"""What ``train`` does: check everything, run Snakemake, show how it goes and what came out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError, check_path, is_full, no_space
from forerun.base.publishing import sweep
from forerun.base.resources import DATA
from forerun.cli import snakemake
from forerun.cli.asking import Asked
from forerun.cli.console import is_terminal, leaderboard, say, show, warn
from forerun.cli.locks import held, refuse_if_busy
from forerun.cli.workspace import Workspace, check_output_dir
from forerun.config import schema
from forerun.config.settings import read_frozen, resolve
from forerun.evaluation import cautions
from forerun.jobs import model_cache
from forerun.runs import state
from forerun.runs.listing import read_run
from forerun.runs.paths import check_run_id, claim_run_id, new_run_id

if TYPE_CHECKING:
    from forerun.data import Prepared

#: What a run consists of; the rule `all` makes the same.
PARTS = ("predictions", "plots", "report.html")
#: Exit codes of a call that was asked to end: by a closed terminal, by Ctrl-C, by ``kill``.
ENDED = (129, 130, 143)


def train(asked: Asked, dry_run: bool, verbose: bool) -> int:
    """Make or finish the run that was asked for; return Snakemake's exit code."""
    work = _workspace(asked)
    if asked.run_id is not None:
        asked.options["run_id"] = check_run_id(asked.run_id)
    settings, prepared = _settings(asked, work)
    if dry_run:
        return _dry_run(asked, work, settings, prepared)
    for place in (work.runs, work.runs / model_cache.FOLDER):
        sweep(place)
    run_id = asked.run_id or claim_run_id(work.runs)
    asked.options["run_id"] = run_id
    folder = work.runs / run_id
    say(f"run {run_id}")
    _say_notes(prepared)
    libraries = snakemake.libraries(folder, settings, asked.rest)
    try:
        with held(folder) as lock, _tidied(folder), libraries:
            return _run(asked, work, folder, verbose, lock)
    except OSError as error:
        if not is_full(error):
            raise
        raise UserError(no_space(folder)) from error


def _workspace(asked: Asked) -> Workspace:
    """Return the folder of the runs; Snakemake receives the same path."""
    value = asked.all.get("output_dir")
    output_dir = check_output_dir(None if value is None else str(value))
    if value is not None:
        asked.options["output_dir"] = output_dir
    return Workspace(output_dir)


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Leave no folder behind of a run that never began."""
    try:
        yield
    finally:
        started = state.is_frozen(folder) or (folder / "logs" / "freeze_run.log").exists()
        if folder.is_dir() and not started:
            state.remove_if_never_started(folder)


def _settings(asked: Asked, work: Workspace) -> tuple[dict[str, Any], Prepared | None]:
    """Check everything before anything is written or started; the data of a new run come too."""
    run_id = asked.run_id
    folder = work.runs / run_id if run_id else None
    if folder is not None and state.is_frozen(folder):
        refuse_if_busy(folder)
        state.refuse_if_damaged(folder)
        frozen = read_frozen(folder / "config.yaml")
        state.refuse_contradictions(folder, frozen, {**asked.in_files, **asked.options})
        state.refuse_contradictions(folder, frozen, asked.named(run_id))
        return frozen | _operational(asked.for_run(run_id)), None
    if found := asked.disagreements(run_id):
        advice = "choose another run id, or make the two files agree"
        raise UserError(f"run '{run_id}': {'; '.join(found)}; {advice}")
    settings = resolve(asked.for_run(run_id))
    return settings, _check_data(settings)


def _operational(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return how this call wants a run carried out, whatever the run's own folder says."""
    keys = schema.marked("x-operational")
    resolved = resolve({key: value for key, value in asked.items() if key in keys})
    return {key: resolved[key] for key in keys}


def _check_data(settings: dict[str, Any]) -> Prepared:
    """Read and check the data as creating the run will."""
    tables = {"data_file": settings["data_file"] or str(DATA)}
    tables |= {key: settings[key] for key in ("static_file", "futr_file") if settings[key]}
    for key, path in tables.items():
        check_path(key, path)
        if not Path(path).is_file():
            what = "is a folder" if Path(path).is_dir() else "does not exist"
            raise UserError(f"{key}: '{path}' {what}; give the path of a CSV or Parquet file")
    from forerun.forecasting.freeze import read_data

    return read_data(settings | tables)


def _say_notes(prepared: Prepared | None) -> None:
    """Say how the data of a new run were read; those of an existing one, `show` lists them."""
    for note in prepared.notes if prepared else ():
        say(f"note: {note}")


def _targets(folder: Path) -> list[str]:
    return [f"{folder.as_posix()}/{part}" for part in PARTS]


def _run(asked: Asked, work: Workspace, folder: Path, verbose: bool, lock: int) -> int:
    from forerun.cli.board import Board
    from forerun.jobs.fit_job import ROOM

    def is_full_disk() -> bool:
        return shutil.disk_usage(folder).free < ROOM

    command = snakemake.command(_targets(folder), asked.arguments())
    say(snakemake.shown(command))
    log = folder / "logs" / "snakemake.log"
    with log.open("ab+") as output:
        start = output.tell()
        output.write(f"$ {snakemake.shown(command)}\n".encode())
        output.flush()
        with nullcontext() if verbose else Board(folder, plain=not is_terminal()):
            # Snakemake would start each fit again, as often as its rule says, on the full disk.
            code = snakemake.run(command, None if verbose else output, [lock], is_full_disk)
        output.seek(start)
        text = output.read().decode("utf-8", "replace")
    if code and code not in ENDED and (is_full_disk() or is_full(text)):
        raise UserError(no_space(folder))
    if code and not verbose and code not in ENDED:
        say(*_relevant(text, log))
    again = work.next("train", "--run-id", folder.name, extras=asked.rest)
    _conclude(work, folder, code, again)
    return code


def _relevant(text: str, log: Path) -> list[str]:
    """Return what a user needs of Snakemake's output when something went wrong."""
    lines = text.splitlines()[1:]
    own = list(dict.fromkeys(line for line in lines if line.startswith("forerun:")))
    if own:
        return own
    shown = [line for line in lines if line.strip()]
    return [*shown[-20:], f"(all of it: {log})"]


def _conclude(work: Workspace, folder: Path, code: int, again: str) -> None:
    """Show the leaderboard, where things are, and what to type next: `again` resumes the run."""
    if code in ENDED:
        say(f"stopped; resume with: {again}")
        return
    table = leaderboard(folder / "leaderboard.csv", metric=read_run(folder).metric or "mae")
    if table is None:
        return
    show(table)
    for line in cautions.of_run(folder):
        warn(line)
    for part in ("plots", "predictions", "report.html"):
        if (folder / part).exists():
            say(f"{part.removesuffix('.html')}: {folder / part}{os.sep if '.' not in part else ''}")
    if code == 0:
        say(f"next: {work.next('predict', '--run-id', folder.name, '--cherry-pick')}")
    else:
        say(f"next: {again}   (retries only what failed)")


def _dry_run(
    asked: Asked, work: Workspace, settings: dict[str, Any], prepared: Prepared | None
) -> int:
    """Show per model what would be done and why; Snakemake confirms that it can be."""
    import tempfile

    from forerun.cli import plan
    from forerun.cli.console import table

    run_id = asked.run_id or new_run_id(work.runs)
    folder = work.runs / run_id
    asked.options["run_id"] = run_id
    exists = state.is_frozen(folder)
    say(f"run {run_id} ({'exists' if exists else 'would be new'})")
    _say_notes(prepared)
    rows = plan.rows(folder, settings, prepared)
    lines = [(row.model, row.final, row.cv, row.why, plan.estimate(row.seconds)) for row in rows]
    show(table(["model", "final fit", "cross-validation", "why", "time"], lines))
    if total := plan.summary(rows, settings):
        say(total)
    command = snakemake.command(_targets(folder), asked.arguments())
    say(snakemake.shown(command))
    with tempfile.TemporaryFile() as output:
        code = snakemake.run([*command, "--dry-run", "--quiet", "progress", "rules"], output)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code:
        say(*_relevant("\n" + text, Path("snakemake --dry-run")))
    return code
