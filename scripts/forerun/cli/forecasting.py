"""The work of ``predict``: choose the run, check its models, forecast, write, draw."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.cli import snakemake
from forerun.cli.console import say, warn
from forerun.cli.forecast_table import present
from forerun.cli.locks import held
from forerun.cli.workspace import Workspace
from forerun.config.settings import read_frozen
from forerun.forecasting import inference
from forerun.forecasting.choice import UNVERIFIED, Choice, choose, refuse_damaged
from forerun.legacy import folders
from forerun.runs import listing, state
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_history
from forerun.runs.state import is_sealed, refuse_if_damaged
from forerun.runs.tables import read_metrics

if TYPE_CHECKING:
    import pandas as pd

#: Where pictures of chosen series lie. Not in ``plots/``: that folder is made anew as a whole.
COMPARISONS = "comparisons"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"


@dataclass
class Wish:
    """The options of ``predict``; see there."""

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
    def whole(self) -> bool:
        """Whether the run's own predictions are wanted, all of them."""
        chosen = self.models or self.unique_ids or self.data_file or self.cherry_pick
        return not chosen and self.save


def forecast(work: Workspace, wish: Wish) -> int:
    """Run the command; return the exit code."""
    if wish.name is not None and not re.fullmatch(_NAME, wish.name):
        raise UserError(
            f"--name: '{wish.name}' cannot name a folder; use letters, digits, '_', '.' and '-'"
        )
    folder = _find(work, wish)
    if folder is None or (folder / listing.IMPORTED).is_file():
        return _from_old(folder or work.output, wish)
    if wish.name is not None and wish.save:
        inference.refuse_taken(folder, wish.name)
    if wish.verify:
        refuse_if_damaged(folder)
    settings = read_frozen(folder / "config.yaml")
    choice = choose(folder, settings, wish.models)
    if wish.verify:
        refuse_damaged(folder, choice.models)
    if wish.whole and (is_sealed(folder) or (folder / "predictions").is_dir()):
        return _own_predictions(folder, settings, choice, wish)
    if wish.extras:
        raise UserError("nothing may follow '--' here: these forecasts are made without Snakemake")
    if wish.data_file:
        return _from_data(folder, settings, choice, wish, wish.data_file)
    return _from_run(folder, settings, choice, wish)


def _find(work: Workspace, wish: Wish) -> Path | None:
    """Return the run that is meant; None for an old folder without runs."""
    if wish.run_id is not None:
        return work.frozen(wish.run_id)
    if folders.has_models(work.output):
        warn(
            f"using the unversioned models in {work.output / 'models'}; this is not recommended: "
            "'forerun migrate' makes a run of them, --run-id names a run"
        )
        return None
    rows = [row for row in listing.scan(work.runs)[0] if row.state == "complete"]
    if not rows:
        raise UserError(f"there is no complete run in {work.runs}; name one with --run-id")
    say(f"run {rows[0].run_id} (the newest complete one)")
    return work.runs / rows[0].run_id


def _own_predictions(folder: Path, settings: dict[str, Any], choice: Choice, wish: Wish) -> int:
    """Let the workflow make the run's predictions and plots, without training."""
    if is_sealed(folder):
        parts = ["predictions", *(["plots"] if wish.plot else [])]
        targets = [f"{folder.as_posix()}/{part}" for part in parts]
        output = folder.parent.parent.as_posix()
        options = ["--config", f"output_dir={output}"] if output != "." else []
        command = snakemake.command(targets, [*options, *wish.extras])
        say(snakemake.shown(command))
        if not wish.verify:
            os.environ[UNVERIFIED] = "1"  # the jobs of this call inherit it
        with held(folder) as lock, snakemake.libraries(folder, settings, wish.extras):
            code = _run_quietly(command, wish.extras, lock)
        if code:
            return code
    _show_predictions(folder, settings, choice)
    if wish.plot and (folder / "plots").is_dir():
        say(f"plots: {folder / 'plots'}/")
    return 0


def _run_quietly(command: list[str], extras: Sequence[str], lock: int) -> int:
    """Run the workflow; show its output where it fails, or where Snakemake got other arguments."""
    if extras:
        return snakemake.run(command, keep=[lock])
    with tempfile.TemporaryFile() as output:
        code = snakemake.run([*command, "--quiet", "all"], output, keep=[lock])
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").splitlines()
    if code:
        own = list(dict.fromkeys(line for line in lines if line.startswith("forerun:")))
        say(*(own or [line for line in lines if line.strip()][-20:]))
    return code


def _show_predictions(folder: Path, settings: dict[str, Any], choice: Choice) -> None:
    """Print the run's own forecasts and say where they are."""
    from forerun.runs.tables import read_predictions

    files = {name: RunPaths(folder).existing_predictions(name) for name in choice.names}
    present({n: read_predictions(path) for n, path in files.items() if path.is_file()}, settings)
    say(f"predictions: {folder / 'predictions'}/")


def _from_run(folder: Path, settings: dict[str, Any], choice: Choice, wish: Wish) -> int:
    """Forecast some series or models of the run's own data."""
    note = ""
    if wish.cherry_pick:
        note = _pick(folder, wish)
    frames = inference.run_forecasts(folder, settings, choice)
    lacking = [name for name in choice.names if name not in frames]
    if wish.models and lacking and not wish.skip_missing:
        raise UserError(
            f"run '{folder.name}' has no forecasts of {', '.join(lacking)}: future values are "
            f"missing ('show {folder.name}' names them)"
        )
    if wish.unique_ids:
        frames = inference.only_series(frames, wish.unique_ids)
    present(frames, settings)
    if wish.save:
        wished = wish.name or _name(wish, "selection")
        target = inference.save(
            folder, wished, frames, RunPaths(folder).data, settings,
            unique_ids=wish.unique_ids or None,
        )  # fmt: skip
        say(f"predictions: {target}/")
    if wish.plot and (wish.cherry_pick or wish.unique_ids):
        history = read_history(RunPaths(folder).data)
        for unique_id in wish.unique_ids:
            _draw(COMPARISONS, folder, history, frames, unique_id, settings, note)
    return 0


def _pick(folder: Path, wish: Wish) -> str:
    """Choose the series of ``--cherry-pick``; return why it was chosen."""
    if wish.unique_ids:
        if len(wish.unique_ids) > 1:
            raise UserError("--cherry-pick shows one series, give --unique-id once")
        return ""
    unique_id, error, metric = inference.pick_series(folder / "metrics.csv", wish.seed)
    wish.unique_ids = [unique_id]
    how = f"picked with seed {wish.seed}" if wish.seed is not None else "lowest mean error"
    shown = f"{text.metric(metric)} over the models {text.error(metric, error)}"
    note = f"{how}: mean {shown}"
    say(f"series {unique_id} ({note})")
    return note


def _name(wish: Wish, other: str) -> str:
    if len(wish.unique_ids) == 1:
        from forerun.plots import file_name

        kind = "cherry_pick" if wish.cherry_pick else "series"
        return f"{kind}_{file_name(wish.unique_ids[0])}"
    return other


def _from_data(
    folder: Path, settings: dict[str, Any], choice: Choice, wish: Wish, file: str
) -> int:
    """Forecast from new observations."""
    if wish.cherry_pick:
        raise UserError("--cherry-pick looks at the run's own series: leave out --data-file")
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(file).stem).strip("-.")[:80]
    name = wish.name or stem or "data"
    notes: list[str] = []
    data = inference.new_data(folder, settings, file, wish.static_file, wish.futr_file, notes)
    say(*(f"note: {note}" for note in notes))
    from forerun.forecasting.predict import forecast_all

    read = len(notes)
    frames = forecast_all(settings, data, choice, notes, wish.skip_missing)
    if wish.unique_ids:
        frames = inference.only_series(frames, wish.unique_ids)
    present(frames, settings)
    say(*(f"note: {note}" for note in notes[read:]))
    if not wish.save:
        return 0
    target = inference.save(
        folder, name, frames, file, settings, unique_ids=wish.unique_ids or None, notes=notes
    )
    say(f"predictions: {target}/")
    if wish.plot:
        history = data.history[["unique_id", "ds", "y"]]
        series = wish.unique_ids or list(history["unique_id"].unique())[: settings["plot_series"]]
        place, note = f"inference/{target.name}/plots", f"data {target.name}"
        for unique_id in series:
            _draw(place, folder, history, frames, str(unique_id), settings, note)
    return 0


def _from_old(output: Path, wish: Wish) -> int:
    """Forecast with models of the unversioned structure."""
    if wish.data_file:
        raise UserError("old models forecast the data saved with them: leave out --data-file")
    note = _pick(output, wish) if wish.cherry_pick else ""
    frames, history = folders.forecasts(output / "models", wish.trust)
    if wish.models:
        missing = [name for name in wish.models if name not in frames]
        if missing:
            raise UserError(f"there is no model '{missing[0]}' here, only {', '.join(frames)}")
        frames = {name: frames[name] for name in wish.models}
    if wish.unique_ids:
        frames = inference.only_series(frames, wish.unique_ids)
    present(frames, {})
    if wish.save:
        mark = next(iter(sorted((output / "models").rglob("*.*"))))
        target = inference.save(output, wish.name or _name(wish, "forecasts"), frames, mark, {})
        say(f"predictions: {target}/")
    if wish.plot and wish.unique_ids:
        _draw(COMPARISONS, output, history, frames, wish.unique_ids[0], {}, note)
    return 0


def _draw(
    place: str,
    folder: Path,
    history: pd.DataFrame,
    frames: Mapping[str, pd.DataFrame],
    unique_id: str,
    settings: Mapping[str, Any],
    note: str,
) -> None:
    """Draw all models on one series as ``<place>/comparison_<unique_id>.png`` in the run.

    Earlier pictures are not replaced: the name gets a number.
    """
    from forerun.plots import comparison, file_name, looks, save
    from forerun.plots.palette import places_of
    from forerun.runs.reader import RunReader
    from forerun.runs.records import recorded_files

    palette = looks(frames, places_of(RunReader(folder))) if settings else None
    figure = comparison(
        history, dict(frames), unique_id, palette=palette, settings=settings, note=note,
        errors=_errors(folder / "metrics.csv", unique_id, list(frames)),
    )  # fmt: skip
    base = f"comparison_{file_name(unique_id)}"
    stem, number = base, 1
    while any((folder / place / f"{stem}.{kind}").exists() for kind in ("png", "svg")):
        number += 1
        stem = f"{base}_{number}"
    if not state.is_frozen(folder):  # the unversioned structure: nothing is verified there
        save(figure, folder / place, stem)
    else:
        with recorded_files(folder, place, f"{place}/{stem}") as temporary:
            save(figure, temporary, stem)
    say(f"plot: {folder / place / f'{stem}.png'}")


def _errors(metrics: Path, unique_id: str, models: Sequence[str]) -> dict[str, float] | None:
    """Return each model's MAE on the series; None where the run has none."""
    try:
        table = read_metrics(metrics)
    except UserError:
        return None
    rows = table[(table["unique_id"] == unique_id) & (table["metric"] == "mae")]
    if not len(rows):
        return None
    errors = rows.iloc[0].reindex(list(models)).dropna()
    return {str(model): float(error) for model, error in errors.items()}
