"""Data of a search: everything before the first cutoff of cross-validation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.base.text import plural
from forerun.config import search, windows
from forerun.data.lengths import LEAST
from forerun.forecasting.engines.base import Data, ForecastError

if TYPE_CHECKING:
    import pandas as pd

    from forerun.config.models import ModelSpec


def check(settings: dict[str, Any], history: pd.DataFrame) -> list[str]:
    """Check before training that searches have enough data; return notes on omitted series.

    Parameters
    ----------
    settings : settings of the run, completed from its data
    history : ``unique_id`` and the rows with a target

    Raises
    ------
    UserError
        All series are too short for the windows of a search.
    """
    lengths = history["unique_id"].value_counts(sort=False)
    notes = []
    for study in search.studies(settings):
        judged = windows.reach(settings) + (study.windows - 1) * windows.step_size(settings)
        need = windows.held_out(settings) + judged + LEAST
        short = int((lengths < need).sum())
        if short == len(lengths):
            raise UserError(
                f"search: {study.name} needs a series of at least {need} values "
                f"({windows.held_out(settings)} held out for cross-validation, {judged} to judge "
                f"trials, {LEAST} to train), the longest has {int(lengths.max())}; use fewer "
                "windows (n_windows), or remove the search"
            )
        if short:
            notes.append(f"{study.name} omits {plural(short, 'series')} below {need} values")
    return notes


def usable(
    data: Data, settings: dict[str, Any], spec: ModelSpec, held: int
) -> tuple[Data, dict[str, Any]]:
    """Return the data of a trial without series that are too short, and its settings.

    Networks pad series at the start if one leaves no full window for training.

    Parameters
    ----------
    data : data that end before the first cutoff of cross-validation
    held : number of steps at the end of each series on which the trial is scored
    """
    size = data.history.groupby("unique_id", observed=True)["y"].transform("size")
    kept = size >= held + LEAST
    if not kept.any():
        raise ForecastError("no series is long enough for the windows of the search")
    history = data.history[kept].reset_index(drop=True)
    static = data.static
    if static is not None and not kept.all():
        static = static[static["unique_id"].isin(history["unique_id"])].reset_index(drop=True)
    input_size = int(spec.params.get("input_size") or settings["input_size"])
    full = input_size + windows.reach(settings) + int(settings["val_size"]) + held
    how = {"on_short": "pad"} if int(size[kept].min()) < full else {}
    return replace(data, history=history, static=static), settings | how
