"""CPU seconds of baselines with their own intervals: Forerun's engine and a StatsForecast script.

    python benchmarks/baselines.py [--series 5000] [--models SeasonalNaive Naive] [--times 3]

Each model forecasts 7 steps of daily series and is cross-validated on two windows, with intervals
of 80 and 95 %, in one process. Both ways take turns, and their forecasts are compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from measuring import table, write_series
from statsforecast import StatsForecast, models

from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.forecasting.engines import statistical
from forerun.forecasting.engines.base import Data

LEVELS, HORIZON, WINDOWS, SEASON = [80, 95], 7, 2, 7
Way = Callable[[], tuple[pd.DataFrame, pd.DataFrame]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=5000)
    parser.add_argument("--models", nargs="+", default=["SeasonalNaive", "Naive"])
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_series(Path(folder) / "table.parquet", options.series, 200)
        frame = pd.read_parquet(path)
    table([compared(name, frame, options.times) for name in options.models])


def compared(name: str, frame: pd.DataFrame, times: int) -> dict[str, object]:
    """Measure a model both ways, which must agree."""
    ways: dict[str, Way] = {
        "script": lambda: plain(name, frame),
        "Forerun": lambda: ours(name, frame),
    }
    costs: dict[str, list[float]] = {way: [] for way in ways}
    results = {}
    for _ in range(times):
        for way, work in ways.items():
            began = time.process_time()
            results[way] = work()
            costs[way].append(time.process_time() - began)
    for one, other in zip(*results.values(), strict=True):
        columns = list(one.columns)
        pd.testing.assert_frame_equal(one, other[columns], check_exact=True)
    script, forerun = (statistics.median(found) for found in costs.values())
    return {
        "model": name,
        "series": frame["unique_id"].nunique(),
        "script, CPU s": script,
        "Forerun, CPU s": forerun,
        "ratio": forerun / script,
    }


def plain(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    model = getattr(models, name)
    made = model(season_length=SEASON) if name.startswith("Seasonal") else model()
    library = StatsForecast([made], freq="D")
    return library.forecast(h=HORIZON, df=frame, level=LEVELS), library.cross_validation(
        h=HORIZON, df=frame, n_windows=WINDOWS, step_size=HORIZON, level=LEVELS, refit=True
    )


def ours(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    asked = {"horizon": HORIZON, "models": [], "baselines": [name], "levels": LEVELS, "threads": 1}
    asked |= {"n_windows": WINDOWS, "statistical_intervals": "own"}
    settings = resolve(asked) | {"freq": "D", "season_length": SEASON}
    spec, data = next(iter(specs(settings))), Data(frame)
    fitted = statistical.fit(spec, settings, data, lambda *_: None)
    return fitted.forecasts, statistical.cross_validate(
        spec, settings, data, WINDOWS, lambda *_: None
    )


if __name__ == "__main__":
    main()
