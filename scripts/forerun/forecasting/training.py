"""Training of the two kinds of fit: the final fit of a model, and the fit of a fold.

Both run in a child process and write their product completely or not at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base.files import new_folder, write_csv, write_json, write_parquet
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_frozen
from forerun.config.models import ModelSpec
from forerun.config.windows import reach, step_size
from forerun.data import split
from forerun.data.panel import without_last
from forerun.forecasting import search_data, transforms, warm_start, weights
from forerun.forecasting.checkpoint import Checkpoint
from forerun.forecasting.engines.base import Data, Progress, get_engine
from forerun.forecasting.remainder import Remainder
from forerun.forecasting.scaling import Scaling
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_data
from forerun.runs.search import Trial


def read_run_data(data: str | Path, settings: dict[str, Any]) -> Data:
    """Read the frozen ``data.parquet`` of a run."""
    return Data(*split(read_data(data), settings), own=True)


def _scaling(spec: ModelSpec, settings: dict[str, Any], data: Data, seen: pd.DataFrame) -> Scaling:
    """Return the scaling of a fit's data: that of the initial weights, if there are any."""
    return Scaling.read(data.start) if data.start else Scaling.of(spec, settings, data, seen)


def without_gap(frame: pd.DataFrame, settings: dict[str, Any], by: list[str]) -> pd.DataFrame:
    """Drop the first ``gap`` forecast steps of each group."""
    if not settings.get("gap"):
        return frame
    step = frame.groupby(by, observed=True).cumcount()
    return frame[step >= settings["gap"]].reset_index(drop=True)


def train(
    run: str,
    model: str,
    fold: int | None,
    progress: Progress,
    trial: tuple[int, int] | None = None,
    checkpoint: dict[str, Any] | None = None,
    threads: int | None = None,
) -> None:
    """Train a fit of the run in the folder `run`; the task of a child process.

    Parameters
    ----------
    threads : of the job, which may differ from those of the run (``--set-threads``)
    trial : round and place of a trial of the search `model`
    checkpoint : fields of :class:`~forerun.forecasting.checkpoint.Checkpoint`
    """
    paths = RunPaths(Path(run))
    saved = Checkpoint(**checkpoint) if checkpoint else None
    if trial is not None:
        fit: Fit = Trial(paths, model, round=trial[0], place=trial[1])
        cross_validate(fit, progress, saved, threads)
    else:
        work = train_model if fold is None else cross_validate
        work(Fit(paths, model, fold), progress, saved, threads)


def _begin(
    fit: Fit, checkpoint: Checkpoint | None, threads: int | None
) -> tuple[dict[str, Any], ModelSpec, Data]:
    """Return the settings of the run with the threads of the job, the model, and the run's data."""
    frozen = read_frozen(fit.run.config)
    settings = frozen if threads is None else frozen | {"threads": threads}
    spec = weights.located(fit.spec(settings), settings, fit.run.folder.parent)
    seen = read_run_data(fit.run.data, settings)
    seen.start = warm_start.start(fit.run.folder, settings, spec)
    seen.checkpoint = checkpoint
    return settings, spec, seen


def _keep(data: Data, fit: Fit) -> None:
    """Write the tables that an engine keeps next to the outcome."""
    for name, table in data.kept.items():
        write_csv(fit.kept_path(name), table)


def train_model(
    fit: Fit,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
    threads: int | None = None,
) -> None:
    """Train a model on all data of the run and save it."""
    settings, spec, seen = _begin(fit, checkpoint, threads)
    engine = get_engine(spec.engine)
    logged = transforms.forward(seen, spec)
    remainder = Remainder.of(spec, settings, logged, logged.history)
    given, inner = remainder.forward(logged), remainder.settings
    scaling = _scaling(spec, inner, given, given.history)
    fitted = engine.fit(spec, inner, scaling.forward(given, given.history), progress)
    _keep(seen, fit)
    with new_folder(fit.product_path) as temporary:
        engine.save(fitted, temporary)
        scaling.write(temporary)
        if spec.transform:  # for readers of the model without its run
            write_json(temporary / "transform.json", {"target": spec.transform})


def cross_validate(
    fit: Fit,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
    threads: int | None = None,
) -> None:
    """Train a model before the windows of its fold, forecast them, write the results.

    Data after the fold's last window are cut off, so neither scaler nor model can see them.
    """
    settings, spec, seen = _begin(fit, checkpoint, threads)
    later, number = fit.covered(settings)
    seen.history = without_last(seen.history, later)
    held = reach(settings) + (number - 1) * step_size(settings)
    if isinstance(fit, Trial):
        seen, settings = search_data.usable(seen, settings, spec, held)
    engine = get_engine(spec.engine)
    logged = transforms.forward(seen, spec)
    local = ENGINES[spec.engine].local and not spec.takes_remainder  # sees no scale
    before = logged.history[:0] if local else without_last(logged.history, held)
    remainder = Remainder.of(spec, settings, logged, before)
    given, inner = remainder.forward(logged), remainder.settings
    if given is not logged:
        before = without_last(given.history, held)
    scaling = _scaling(spec, inner, given, before)
    scaled = scaling.forward(given, before)
    before = before if scaling.centered else before[:0].copy()  # frees most memory of it
    frame = engine.cross_validate(spec, inner, scaled, number, progress)
    frame = remainder.back(scaling.back(frame, given, before), logged)
    frame = transforms.back(frame, seen, spec)
    _keep(seen, fit)
    frame = frame.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    write_parquet(fit.product_path, without_gap(frame, settings, ["unique_id", "cutoff"]))
