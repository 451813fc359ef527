"""Implementation of ``train``: check everything, run Snakemake, show progress and results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError, is_full, no_space
from forerun.base.publishing import sweep
from forerun.base.terminal import echo
from forerun.cli import snakemake
from forerun.cli.call import Call
from forerun.cli.console import is_terminal, leaderboard, leaderboard_rows, show, warn
from forerun.cli.locks import held, refuse_if_busy
from forerun.cli.workspace import Workspace, check_output_dir
from forerun.config import presets, schema
from forerun.config.names import reference
from forerun.config.settings import preset_choice, read_frozen, resolve
from forerun.evaluation import cautions
from forerun.forecasting import warm_start
from forerun.jobs import fit_history, model_cache
from forerun.runs import state
from forerun.runs.listing import read_run
from forerun.runs.paths import RunPaths, check_run_id, new_run_id, reserve_run_id
from forerun.runs.request import check_frozen_metrics, check_own_metrics, source_tables

if TYPE_CHECKING:
    from forerun.data import Prepared

#: Targets of a run, the same as of the rule `all`.
PARTS = ("predictions", "plots", "report.html")
#: Exit codes after SIGHUP (closed terminal), SIGINT (Ctrl-C) and SIGTERM (``kill``).
ENDED = (129, 130, 143)


def train(call: Call, dry_run: bool, verbose: bool, trust: bool = False) -> int:
    """Create or resume the run of a call; return Snakemake's exit code.

    Parameters
    ----------
    trust : execute the code in an existing run, now and later
    """
    work = _workspace(call)
    for key in ("run_id", "warm_start"):
        named = call.options.get(key)
        if isinstance(named, str) and named.startswith("@"):  # the run in service
            call.options[key] = work.folder(named).name
    if call.run_id is not None:
        call.options["run_id"] = check_run_id(call.run_id)
    if trust:
        _trust(call, work)
    settings, prepared = _settings(call, work)
    if dry_run:
        return _dry_run(call, work, settings, prepared)
    for place in (work.runs, work.runs / model_cache.FOLDER):
        sweep(place)
    run_id = call.run_id or reserve_run_id(work.runs)
    call.options["run_id"] = run_id
    folder = work.runs / run_id
    echo(f"run {run_id}")
    _say_notes(prepared)
    libraries = snakemake.libraries(folder, settings, call.rest)
    try:
        with held(folder) as lock, _tidied(folder), libraries:
            return _run(call, work, folder, verbose, lock, _first(folder, settings))
    except OSError as error:
        if not is_full(error):
            raise
        raise UserError(no_space(folder)) from error


def _trust(call: Call, work: Workspace) -> None:
    from forerun.runs import metric_functions

    if call.run_id is None:
        raise UserError("--trust needs the --run-id of an existing run")
    folder = work.frozen(call.run_id)
    files = metric_functions.trust_run(folder, read_frozen(folder / "config.yaml"))
    echo(*(f"note: trusted: {folder / file}" for file in files))


def _workspace(call: Call) -> Workspace:
    """Return the folder of runs; Snakemake receives the same path."""
    value = call.all.get("output_dir")
    output_dir = check_output_dir(None if value is None else str(value))
    if value is not None:
        call.options["output_dir"] = output_dir
    return Workspace(output_dir)


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Remove the folder of a run that never started."""
    try:
        yield
    finally:
        started = state.is_frozen(folder) or (folder / "logs" / "freeze_run.log").exists()
        if folder.is_dir() and not started:
            state.remove_if_never_started(folder)


def _settings(call: Call, work: Workspace) -> tuple[dict[str, Any], Prepared | None]:
    """Check everything before anything is written; return settings and the data of a new run."""
    run_id = call.run_id
    folder = work.runs / run_id if run_id else None
    if folder is not None and state.is_frozen(folder):
        refuse_if_busy(folder)
        state.refuse_if_damaged(folder)
        frozen = read_frozen(folder / "config.yaml")
        explicit = call.explicit(run_id)
        state.refuse_contradictions(folder, frozen, {**call.in_files, **call.options}, explicit)
        state.refuse_contradictions(folder, frozen, call.named(run_id), explicit)
        check_frozen_metrics(folder, frozen, call.named(run_id))
        if not state.is_sealed(folder):
            warm_start.parent_of(folder, frozen)
        return frozen | operational(call.for_run(run_id)), None
    if found := call.disagreements(run_id):
        advice = "choose another run id, or make the two files agree"
        raise UserError(f"run '{run_id}': {'; '.join(found)}; {advice}")
    choose_by_preset(call, work.runs)
    settings = resolve(call.for_run(run_id), explicit=call.explicit(run_id))
    check_own_metrics(settings)
    return settings, _check_data(settings, work.runs)


def choose_by_preset(call: Call, runs: Path) -> None:
    """Say what the preset of a new run chooses, and pass it to Snakemake, which does not choose.

    Other runs may end in between, so that the times of fits would be different.
    """
    given = call.for_run(call.run_id)
    if not given.get("preset"):
        return
    limited = given.get("time_limit")
    timings = fit_history.timings(runs, given.get("data_file")) if limited else presets.Timings()
    found, notes = preset_choice(given, timings, call.explicit(call.run_id))
    echo(*(f"note: {note}" for note in notes))
    if limited:
        call.options |= {key: found[key] for key in found if key in presets.CHOSEN}


def operational(requested: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operational settings of this call; those of the run are ignored."""
    keys = schema.marked("x-operational")
    resolved = resolve({key: value for key, value in requested.items() if key in keys})
    return {key: resolved[key] for key in keys}


def _check_data(settings: dict[str, Any], runs: Path) -> Prepared:
    """Read and check the data like the rule that creates the run."""
    tables = source_tables(settings)
    from forerun.forecasting.freeze import read_data

    return read_data(settings | tables, runs)


def _say_notes(prepared: Prepared | None) -> None:
    """Print notes on the data of a new run; `show` prints those of an existing run."""
    for note in prepared.notes if prepared else ():
        echo(f"note: {note}")


def _targets(folder: Path) -> list[str]:
    return [f"{folder.as_posix()}/{part}" for part in PARTS]


def _first(folder: Path, settings: dict[str, Any]) -> list[str]:
    """Return the arguments with which a new run begins with the reference: a result in seconds."""
    name = reference(settings)
    if name is None or state.is_frozen(folder):
        return []
    return ["--prioritize", RunPaths(folder).status(name).as_posix()]


def _run(
    call: Call, work: Workspace, folder: Path, verbose: bool, lock: int, first: list[str]
) -> int:
    from forerun.cli.board import Board
    from forerun.jobs.fit_job import ROOM

    def is_full_disk() -> bool:
        return shutil.disk_usage(folder).free < ROOM

    command = snakemake.command(_targets(folder), [*first, *call.arguments()])
    echo(snakemake.shown(command))
    log = folder / "logs" / "snakemake.log"
    with log.open("ab+") as output:
        start = output.tell()
        output.write(f"$ {snakemake.shown(command)}\n".encode())
        output.flush()
        board = Board(folder, plain=not is_terminal())
        with nullcontext() if verbose else board:
            # On a full disk Snakemake would retry each fit in vain.
            code = snakemake.run(command, None if verbose else output, [lock], is_full_disk)
        output.seek(start)
        text = output.read().decode("utf-8", "replace")
    if code and code not in ENDED and (is_full_disk() or is_full(text)):
        raise UserError(no_space(folder))
    if code and not verbose and code not in ENDED:
        echo(*_relevant(text, log))
    again = work.next("train", "--run-id", folder.name, extras=call.rest)
    _conclude(work, folder, code, again, board.has_leaderboard)
    return code


def _relevant(text: str, log: Path) -> list[str]:
    """Return the relevant part of Snakemake's output after a failure."""
    lines = text.splitlines()[1:]
    own = list(dict.fromkeys(line for line in lines if line.startswith("forerun:")))
    if own:
        return own
    shown = [line for line in lines if line.strip()]
    return [*shown[-20:], f"(full log: {log})"]


def _conclude(work: Workspace, folder: Path, code: int, again: str, is_shown: bool) -> None:
    """Show the leaderboard unless it `is_shown`, the outputs and the next command.

    `again` is the command that resumes the run.
    """
    if code in ENDED:
        echo(f"stopped; resume with: {again}")
        return
    if not is_shown:
        path = RunPaths(folder).leaderboard
        rows = leaderboard_rows(path)
        if not rows:
            return
        show(leaderboard(rows, path, metric=read_run(folder).metric or "mae"))
    for line in cautions.of_run(folder):
        warn(line)
    for part in ("plots", "predictions", "report.html"):
        if (folder / part).exists():
            echo(
                f"{part.removesuffix('.html')}: {folder / part}{os.sep if '.' not in part else ''}"
            )
    if code == 0:
        echo(f"next: {work.next('predict', '--run-id', folder.name, '--cherry-pick')}")
    else:
        echo(f"next: {again}   (retries only what failed)")


def _dry_run(
    call: Call, work: Workspace, settings: dict[str, Any], prepared: Prepared | None
) -> int:
    """Show the plan of each model, and check it with a dry run of Snakemake."""
    import tempfile

    from forerun.cli import plan
    from forerun.cli.console import table

    run_id = call.run_id or new_run_id(work.runs)
    folder = work.runs / run_id
    call.options["run_id"] = run_id
    exists = state.is_frozen(folder)
    echo(f"run {run_id} ({'exists' if exists else 'new'})")
    _say_notes(prepared)
    rows = plan.rows(folder, settings, prepared)
    lines = [(row.model, row.final, row.cv, row.why, plan.estimate(row.seconds)) for row in rows]
    show(table(["model", "final fit", "cross-validation", "why", "time"], lines))
    if total := plan.summary(rows, settings):
        echo(total)
    command = snakemake.command(_targets(folder), call.arguments())
    echo(snakemake.shown(command))
    with tempfile.TemporaryFile() as output:
        code = snakemake.run([*command, "--dry-run", "--quiet", "progress", "rules"], output)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code:
        echo(*_relevant("\n" + text, Path("snakemake --dry-run")))
    return code
