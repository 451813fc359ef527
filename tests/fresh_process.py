"""Forecast with a saved model in a new process, as jobs do."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.config.engines import ENGINES
from forerun.config.models import ModelSpec
from forerun.forecasting.engines.base import Data, get_engine
from forerun.jobs import child_task


def forecast_saved(
    spec: ModelSpec, settings: dict[str, Any], folder: Path, data: Data
) -> pd.DataFrame:
    """Load a model and forecast, in a child of the process that serves all tests."""
    with tempfile.TemporaryDirectory() as place:
        given, made = Path(place) / "given.pickle", Path(place) / "forecasts.parquet"
        given.write_bytes(pickle.dumps((spec, settings, folder, data)))
        paths = {"GIVEN": str(given), "MADE": str(made)}
        arguments = {"path_name": __file__, "run_name": "__main__", "init_globals": paths}
        task = child_task.Task("runpy:run_path", arguments, ENGINES[spec.engine].imports)
        child_task.call(task, f"{place}/fresh.log")
        return pd.read_parquet(made)


def forecast(given: Path, made: Path) -> None:
    """Runs in the child: read the input and write the forecasts."""
    spec, settings, folder, data = pickle.loads(given.read_bytes())
    engine = get_engine(spec.engine)
    loaded = engine.load(spec, settings, folder)
    engine.predict(loaded, settings, data).to_parquet(made)


if __name__ == "__main__":
    forecast(Path(globals()["GIVEN"]), Path(globals()["MADE"]))
