"""Eight weeks with a deployment, on the shipped flights data: each command as a user types it.

    python benchmarks/weekly.py [--folder DIR]

The data are cut at the end of each week. A run of the naive forecast is in service; a second
run challenges it, and is promoted through the gates if it is better. Ends with the monitor page.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
TABLE = PROJECT / "data" / "nyc_flights_daily.csv"
WEEKS = 8
#: Before the holidays of November and December.
LAST = "2013-10-29"
COMMON = ["--horizon", "14", "--levels", "80", "--n-windows", "4", "--set", "plot_series=1"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Where to work; a temporary folder.")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="forerun-weekly-"))
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    whole = pd.read_csv(TABLE, parse_dates=["ds"])[["unique_id", "ds", "y"]]
    whole = whole[whole["ds"] <= LAST]
    ends = [whole["ds"].max() - pd.Timedelta(weeks=week) for week in range(WEEKS, -1, -1)]

    def call(*words: str) -> int:
        print(f"$ {shlex.join(words)}", flush=True)
        command = [sys.executable, "-m", "forerun.cli", *words[int(words[0] == "forerun") :]]
        return subprocess.run(command, cwd=folder).returncode

    def week(end: pd.Timestamp) -> None:
        whole[whole["ds"] <= end].to_csv(folder / "flights.csv", index=False)
        print(f"\n# the data end on {end:%Y-%m-%d}", flush=True)

    week(ends[0])
    data = ["--data-file", "flights.csv"]
    first = ["--set", "models=[]", "--baselines", "Naive"]
    second = ["--set", "models=[]", "--baselines", "SeasonalNaive,DynamicOptimizedTheta,MSTL"]
    failed = call("train", "--run-id", "first", *data, *first, *COMMON)
    failed |= call("forerun", "deploy", "flights", "--run-id", "first", *data, "--every", "1W")
    failed |= call("train", "--run-id", "better", *data, *second, *COMMON)
    failed |= call("forerun", "challenge", "flights", "--run-id", "better")
    for end in ends:
        if end != ends[0]:
            week(end)
        failed |= call("forerun", "update", "flights")
    promoted = call("forerun", "promote", "flights", "--run-id", "better")
    failed |= call("forerun", "monitor", "flights")
    print(f"\n{'promoted' if promoted == 0 else 'not promoted'}; {folder}/deployments/flights")
    print(f"{time.perf_counter() - started:.0f} s")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
