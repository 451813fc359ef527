"""Implementation of ``predict``: choose the run, verify its models, forecast, write and plot."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.terminal import echo
from forerun.cli import snakemake
from forerun.cli.console import warn
from forerun.cli.forecast_table import present
from forerun.cli.locks import held
from forerun.cli.series_plots import COMPARISONS, draw
from forerun.cli.workspace import Workspace
from forerun.config.settings import read_frozen
from forerun.forecasting import inference
from forerun.forecasting.choice import UNVERIFIED, Choice, choose, refuse_damaged
from forerun.legacy import folders
from forerun.runs import listing
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_history
from forerun.runs.state import is_sealed, refuse_if_damaged

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"


@dataclass
class Options:
    """Options of ``predict``."""

    run_id: str | None = None
    models: list[str] | None = None
    unique_ids: list[str] = field(default_factory=list)
    data_file: str | None = None
    static_file: str | None = None
    futr_file: str | None = None
    name: str | None = None
    cherry_pick: bool = False
    seed: int | None = None
    plot: bool = True
    save: bool = True
    verify: bool = True
    trust: bool = False
    skip_missing: bool = False
    extras: list[str] = field(default_factory=list)

    @property
    def all_predictions(self) -> bool:
        """Whether all of the run's own predictions are requested."""
        selected = self.models or self.unique_ids or self.data_file or self.cherry_pick
        return not selected and self.save


def forecast(work: Workspace, options: Options) -> int:
    """Run the command; return the exit code."""
    if options.name is not None and not re.fullmatch(_NAME, options.name):
        raise UserError(
            f"--name: '{options.name}' cannot name a folder; use letters, digits, '_', '.' and '-'"
        )
    folder = _find(work, options)
    if folder is None or (folder / listing.IMPORTED).is_file():
        return _unversioned(folder or work.output, options)
    if options.name is not None and options.save:
        inference.refuse_taken(folder, options.name)
    if options.verify:
        refuse_if_damaged(folder)
    settings = read_frozen(folder / "config.yaml")
    choice = choose(folder, settings, options.models)
    if options.verify:
        refuse_damaged(folder, choice.models)
    if options.all_predictions and (is_sealed(folder) or (folder / "predictions").is_dir()):
        return _own_predictions(folder, settings, choice, options)
    if options.extras:
        raise UserError("'--' is not allowed here: these forecasts are made without Snakemake")
    if options.data_file:
        return _from_data(folder, settings, choice, options, options.data_file)
    return _from_run(folder, settings, choice, options)


def _find(work: Workspace, options: Options) -> Path | None:
    """Return the requested run; None for an old folder without runs."""
    if options.run_id is not None:
        return work.frozen(options.run_id)
    if folders.has_models(work.output):
        warn(
            f"using the unversioned models in {work.output / 'models'}; this is not recommended: "
            "'forerun migrate' converts them to a run, --run-id selects a run"
        )
        return None
    rows = [row for row in listing.scan(work.runs)[0] if row.state == "complete"]
    if not rows:
        raise UserError(f"there is no complete run in {work.runs}; name one with --run-id")
    echo(f"run {rows[0].run_id} (the newest complete one)")
    return work.runs / rows[0].run_id


def _own_predictions(
    folder: Path, settings: dict[str, Any], choice: Choice, options: Options
) -> int:
    """Make the run's predictions and plots with the workflow, without training."""
    if is_sealed(folder):
        parts = ["predictions", *(["plots"] if options.plot else [])]
        targets = [f"{folder.as_posix()}/{part}" for part in parts]
        output = folder.parent.parent.as_posix()
        config = ["--config", f"output_dir={output}"] if output != "." else []
        command = snakemake.command(targets, [*config, *options.extras])
        echo(snakemake.shown(command))
        if not options.verify:
            os.environ[UNVERIFIED] = "1"  # inherited by the jobs of this call
        with held(folder) as lock, snakemake.libraries(folder, settings, options.extras):
            code = _run_quietly(command, options.extras, lock)
        if code:
            return code
    _show_predictions(folder, settings, choice)
    if options.plot and (folder / "plots").is_dir():
        echo(f"plots: {folder / 'plots'}/")
    return 0


def _run_quietly(command: list[str], extras: Sequence[str], lock: int) -> int:
    """Run the workflow; show its output if it fails or if Snakemake got further arguments."""
    if extras:
        return snakemake.run(command, keep=[lock])
    with tempfile.TemporaryFile() as output:
        code = snakemake.run([*command, "--quiet", "all"], output, keep=[lock])
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").splitlines()
    if code:
        own = list(dict.fromkeys(line for line in lines if line.startswith("forerun:")))
        echo(*(own or [line for line in lines if line.strip()][-20:]))
    return code


def _show_predictions(folder: Path, settings: dict[str, Any], choice: Choice) -> None:
    """Print the run's own forecasts and their folder."""
    from forerun.runs.tables import read_predictions

    files = {name: RunPaths(folder).existing_predictions(name) for name in choice.names}
    present({n: read_predictions(path) for n, path in files.items() if path.is_file()}, settings)
    echo(f"predictions: {folder / 'predictions'}/")


def _from_run(folder: Path, settings: dict[str, Any], choice: Choice, options: Options) -> int:
    """Forecast selected series or models of the run's own data."""
    note = ""
    if options.cherry_pick:
        note = _pick(folder, options)
    frames = inference.run_forecasts(folder, settings, choice)
    lacking = [name for name in choice.names if name not in frames]
    if options.models and lacking and not options.skip_missing:
        raise UserError(
            f"run '{folder.name}' has no forecasts of {', '.join(lacking)}: future values are "
            f"missing ('show {folder.name}' names them)"
        )
    if options.unique_ids:
        frames = inference.only_series(frames, options.unique_ids)
    present(frames, settings)
    if options.save:
        name = options.name or _name(options, "selection")
        target = inference.save(
            folder, name, frames, RunPaths(folder).data, settings,
            unique_ids=options.unique_ids or None,
        )  # fmt: skip
        echo(f"predictions: {target}/")
    if options.plot and (options.cherry_pick or options.unique_ids):
        history = read_history(RunPaths(folder).data)
        for unique_id in options.unique_ids:
            draw(COMPARISONS, folder, history, frames, unique_id, settings, note)
    return 0


def _pick(folder: Path, options: Options) -> str:
    """Choose the series of ``--cherry-pick``; return why it was chosen."""
    if options.unique_ids:
        if len(options.unique_ids) > 1:
            raise UserError("--cherry-pick shows one series; use --unique-id only once")
        return ""
    unique_id, error, metric = inference.pick_series(folder / "metrics.csv", options.seed)
    options.unique_ids = [unique_id]
    how = f"picked with seed {options.seed}" if options.seed is not None else "lowest mean error"
    shown = f"{text.metric(metric)} over the models {text.error(metric, error)}"
    note = f"{how}: mean {shown}"
    echo(f"series {unique_id} ({note})")
    return note


def _name(options: Options, other: str) -> str:
    if len(options.unique_ids) == 1:
        from forerun.plots.names import file_name

        kind = "cherry_pick" if options.cherry_pick else "series"
        return f"{kind}_{file_name(options.unique_ids[0])}"
    return other


def _from_data(
    folder: Path, settings: dict[str, Any], choice: Choice, options: Options, file: str
) -> int:
    """Forecast new observations."""
    if options.cherry_pick:
        raise UserError("--cherry-pick is for the run's own series; it excludes --data-file")
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(file).stem).strip("-.")[:80]
    name = options.name or stem or "data"
    notes: list[str] = []
    data = inference.new_data(folder, settings, file, options.static_file, options.futr_file, notes)
    echo(*(f"note: {note}" for note in notes))
    from forerun.forecasting.predict import forecast_all

    read = len(notes)
    frames = forecast_all(settings, data, choice, notes, options.skip_missing)
    if options.unique_ids:
        frames = inference.only_series(frames, options.unique_ids)
    present(frames, settings)
    echo(*(f"note: {note}" for note in notes[read:]))
    if not options.save:
        return 0
    target = inference.save(
        folder, name, frames, file, settings, unique_ids=options.unique_ids or None, notes=notes
    )
    echo(f"predictions: {target}/")
    if options.plot:
        history = data.history[["unique_id", "ds", "y"]]
        first = list(history["unique_id"].unique())[: settings["plot_series"]]
        place, note = f"inference/{target.name}/plots", f"data {target.name}"
        for unique_id in options.unique_ids or first:
            draw(place, folder, history, frames, str(unique_id), settings, note)
    return 0


def _unversioned(output: Path, options: Options) -> int:
    """Forecast with models of the unversioned structure."""
    if options.data_file:
        raise UserError("unversioned models forecast only the data saved with them: no --data-file")
    note = _pick(output, options) if options.cherry_pick else ""
    frames, history = folders.forecasts(output / "models", options.trust)
    if options.models:
        missing = [name for name in options.models if name not in frames]
        if missing:
            raise UserError(f"there is no model '{missing[0]}', only {', '.join(frames)}")
        frames = {name: frames[name] for name in options.models}
    if options.unique_ids:
        frames = inference.only_series(frames, options.unique_ids)
    present(frames, {})
    if options.save:
        mark = next(iter(sorted((output / "models").rglob("*.*"))))
        target = inference.save(
            output, options.name or _name(options, "forecasts"), frames, mark, {}
        )
        echo(f"predictions: {target}/")
    if options.plot and options.unique_ids:
        draw(COMPARISONS, output, history, frames, options.unique_ids[0], {}, note)
    return 0
