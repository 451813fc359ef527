"""Forecasts of a run's models for the steps after each series' end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.engines.base import Data, get_engine
from forerun.models import specs
from forerun.training import without_gap


def forecasts(
    settings: dict[str, Any], data: Data, models: dict[str, Path]
) -> Iterable[tuple[str, pd.DataFrame]]:
    """Yield each model's name and its forecasts: ``unique_id``, ``ds``, ``<model>``, intervals.

    Parameters
    ----------
    models : the folder of each model to use; those whose folder is empty (failed) are left out
    """
    for spec in specs(settings):
        folder = models.get(spec.name)
        if folder is None or not any(folder.iterdir()):
            continue
        print(f"{spec.name}: predicting", file=sys.stderr, flush=True)
        engine = get_engine(spec.engine)
        fitted = engine.load(spec, settings, folder)
        frame = engine.predict(fitted, settings, data)
        frame = frame.sort_values(["unique_id", "ds"], ignore_index=True)
        yield spec.name, without_gap(frame, settings, ["unique_id"])
