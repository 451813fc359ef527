"""Warm start compared with training from scratch: CPU time of the fits, and errors.

    python benchmarks/warm_start.py [--models NHITS,LSTM] [--steps 500] [--seeds 2] [--sets ...]

A network is trained on the data before the last four horizons. At each of the three origins that
follow, a horizon apart, it forecasts without training, after training from scratch, and after
continuing the weights of the origin before with fewer steps. Errors are mean absolute errors over
all series of the horizon that follows; one thread; everything in one call.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.forecasting.engines import neural
from forerun.forecasting.engines.base import Data
from forerun.forecasting.training import without_last

PROJECT = Path(__file__).resolve().parents[1]
SETS: dict[str, dict[str, Any]] = {
    "us_employment_monthly": {"horizon": 12, "input_size": 48, "freq": "MS"},
    "nyc_flights_daily": {"horizon": 14, "input_size": 56, "freq": "D"},
}
ORIGINS = 3
#: Steps of each way as a share of those of training from scratch.
WAYS = {"scratch": 1.0, "scratch, 1/4 of the steps": 0.25, "warm, 1/4": 0.25, "warm, 1/10": 0.1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="NHITS,LSTM")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", default=",".join(SETS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in asked.sets.split(","):
        for model in asked.models.split(","):
            for seed in range(1, asked.seeds + 1):
                rows += measure(name, model, asked.steps, seed)
    table = pd.DataFrame(rows, columns=["set", "model", "way", "seconds", "mae"])
    means = table.groupby(["set", "model", "way"], sort=False).mean()
    scratch = means.xs("scratch", level="way")
    for column in ("seconds", "mae"):
        means[f"{column} / scratch"] = (
            means[column] / scratch[column].reindex(means.index.droplevel(2)).to_numpy()
        )
    print(means.round(3).to_string())
    return 0


def measure(
    name: str, model: str, steps: int, seed: int
) -> list[tuple[str, str, str, float, float]]:
    """Return set, model, way, CPU seconds and error at each origin."""
    frame = pd.read_csv(PROJECT / "data" / f"{name}.csv", parse_dates=["ds"])
    frame = frame[["unique_id", "ds", "y"]].dropna().sort_values(["unique_id", "ds"])
    frame = frame.reset_index(drop=True)
    settings = resolve(SETS[name] | {"models": [model], "seed": seed, "season_length": 7})
    horizon, rows = settings["horizon"], []
    with tempfile.TemporaryDirectory() as place:
        last = (ORIGINS + 1) * horizon
        first, _ = fit(settings, Data(without_last(frame, last)), steps)
        start = {way: save(first, Path(place) / f"0 {number}") for number, way in enumerate(WAYS)}
        for origin in range(1, ORIGINS + 1):
            seen = Data(without_last(frame, last - origin * horizon))
            after = without_last(frame, last - (origin + 1) * horizon)
            rows.append((name, model, "no training", 0.0, error(first, settings, seen, after)))
            for way, share in WAYS.items():
                warm = start[way] if way.startswith("warm") else None
                network, seconds = fit(settings, replace(seen, start=warm), int(share * steps))
                start[way] = save(network, Path(place) / f"{origin} {len(rows)}")
                rows.append((name, model, way, seconds, error(network, settings, seen, after)))
            print(f"{name} {model} seed {seed}: origin {origin} of {ORIGINS}", flush=True)
    return rows


def fit(settings: dict[str, Any], data: Data, steps: int) -> tuple[Any, float]:
    spec = next(spec for spec in specs(settings) if spec.is_network)
    started = time.process_time()
    network = neural.fit(spec, settings | {"max_steps": steps}, data, lambda *_: None)
    return network, time.process_time() - started


def save(network: Any, folder: Path) -> Path:
    folder.mkdir()
    neural.save(network, folder)
    return folder


def error(network: Any, settings: dict[str, Any], seen: Data, after: pd.DataFrame) -> float:
    made = neural.predict(network, settings, replace(seen, own=True))
    model = str(network.models[0].alias)
    both = made.merge(after, on=["unique_id", "ds"])
    return float((both[model] - both["y"]).abs().mean())


if __name__ == "__main__":
    raise SystemExit(main())
