"""Errors with promotions and holidays that are known in advance: shops with planted effects.

    python benchmarks/covariates.py                  # 30 shops, 700 days, three windows of 28 days
    python benchmarks/covariates.py --cores 2 --folder out
    python benchmarks/covariates.py --quick          # does the program work? poor errors

Daily revenue with a weekday pattern, a trend, a yearly season, promotions (+25 to +50 %) and
holidays (-40 to -70 %). A run with benchmarks/configs/shops.yaml and models of the standard
installation is trained, cross-validated and forecast. docs/models.md has results.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from measuring import forerun, run, table

CONFIG = Path(__file__).parent / "configs" / "shops.yaml"
START, DAYS, HORIZON = "2023-01-01", 700, 28
#: Month and day of holidays of each year, and others.
FIXED = [(1, 1), (5, 1), (10, 3), (12, 24), (12, 25), (12, 26), (12, 31)]
MOVING = ["2023-04-07", "2023-04-10", "2023-05-18", "2023-05-29"]
MOVING += ["2024-03-29", "2024-04-01", "2024-05-09", "2024-05-20"]
WEEK = np.array([0.9, 0.85, 0.9, 1.0, 1.25, 1.5, 0.6])


def shops(number: int = 30, days: int = DAYS, seed: int = 7) -> pd.DataFrame:
    """Return ``shop, day, revenue, holiday, promo``; revenue is missing in the last 28 days."""
    rng = np.random.default_rng(seed)
    times = pd.date_range(START, periods=days + HORIZON)
    holidays = {pd.Timestamp(year, *day) for year in (2023, 2024, 2025) for day in FIXED}
    holidays |= {pd.Timestamp(day) for day in MOVING}
    holiday = times.isin(sorted(holidays)).astype(int)
    frames = [_shop(shop, times, holiday, rng) for shop in range(number)]
    return pd.concat(frames, ignore_index=True)


def _shop(
    number: int, times: pd.DatetimeIndex, holiday: npt.NDArray[np.int64], rng: np.random.Generator
) -> pd.DataFrame:
    level, week = rng.uniform(500, 5000), WEEK * rng.normal(1, 0.05, 7)
    season, trend = rng.uniform(0.05, 0.2), rng.uniform(-0.1, 0.25)
    lift, drop = rng.uniform(0.25, 0.5), rng.uniform(0.4, 0.7)
    promo, step = np.zeros(len(times), dtype=int), 0
    while step < len(times):
        step += int(rng.integers(10, 30))
        length = int(rng.integers(3, 8))
        promo[step : step + length] = 1
        step += length
    noise = rng.normal(0, 0.06, len(times))
    for day in range(1, len(times)):
        noise[day] += 0.5 * noise[day - 1]
    passed = np.arange(len(times)) / len(times)
    yearly = 1 + season * np.sin(2 * np.pi * (times.dayofyear - 80) / 365.25)
    revenue = level * week[times.dayofweek] * yearly * (1 + trend * passed)
    revenue = revenue * (1 + lift * promo) * (1 - drop * holiday) * np.exp(noise)
    observed = np.arange(len(times)) < len(times) - HORIZON
    values = {"day": times, "revenue": np.where(observed, revenue.round(2), np.nan)}
    return pd.DataFrame(
        {"shop": f"shop_{number + 1:02d}"} | values | {"holiday": holiday, "promo": promo}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the run is kept")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="covariates-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    number, days = (3, 200) if options.quick else (30, DAYS)
    shops(number, days).to_csv(folder / "shops.csv", index=False)
    steps = ["--max-steps", "5"] if options.quick else []
    command = forerun("train", "--run-id", "shops", "--config", str(CONFIG), *steps)
    command += ["--data-file", "shops.csv", "--", "--cores", str(options.cores)]
    cost = run(command, folder)
    board = pd.read_csv(folder / "runs" / "shops" / "leaderboard.csv")
    board["skill"] = board["skill"].map("{:.1%}".format)
    table(board[["model", "mae", "mase", "skill", "train_seconds"]].to_dict("records"))
    print(f"{cost.wall:.0f} s on {options.cores} cores, {cost.cpu:.0f} CPU s, files in {folder}")


if __name__ == "__main__":
    main()
