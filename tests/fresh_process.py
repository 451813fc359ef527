"""Forecast with a saved model in a new process."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.config.engines import ENGINES
from forerun.config.models import ModelSpec
from forerun.forecasting.engines.base import Data, get_engine


def processes() -> ProcessPoolExecutor:
    """Return new processes, one for each task, forked from one that only imported libraries."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*(engine.module for engine in ENGINES.values()), "pandas"])
    return ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1)


def forecast_saved(
    spec: ModelSpec, settings: dict[str, Any], folder: Path, data: Data
) -> pd.DataFrame:
    """Load a model and forecast."""
    warnings.simplefilter("ignore")
    engine = get_engine(spec.engine)
    return engine.predict(engine.load(spec, settings, folder), settings, data)
