"""Eight weeks with a deployment, on the shipped flights data: with the commands of a user.

    python benchmarks/weekly.py [--folder DIR]

The mean delay of departures, cut at the end of each week. A run of the seasonal naive forecast is
in service; a second run challenges it, and is promoted through the gates if it is better. Its
models were chosen by the error of their back-test, on windows before these weeks. Ends with the
monitor page. The commands run in one process, which imports the libraries once.
"""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
import time
from pathlib import Path

import pandas as pd

from forerun.cli.app import run

PROJECT = Path(__file__).resolve().parents[1]
TABLE = PROJECT / "data" / "nyc_flights_daily.csv"
WEEKS = 8
#: Before the holidays of November and December.
LAST = "2013-10-29"
COMMON = ["--set", "target_col=dep_delay", "--horizon", "14", "--levels", "80", "--n-windows", "4"]
COMMON += ["--set", "plot_series=1", "--set", "models=[]"]
FIRST = "SeasonalNaive"
#: Scheduled departures (column `y`) repeat those of the week before, so no model is better.
SECOND = "SeasonalNaive,SimpleExponentialSmoothingOptimized,DynamicOptimizedTheta"

#: Delays vary with the season: over eight weeks before these, the mean error of such forecasts was
#: up to 0.26 of the mean size of the values, and coverage up to 16 points off.
GATES = {"coverage_band: 10.0": "coverage_band: 16", "max_bias: 0.1": "max_bias: 0.3"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Where to work; a temporary folder.")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="forerun-weekly-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    started = time.perf_counter()
    whole = pd.read_csv(TABLE, parse_dates=["ds"])[["unique_id", "ds", "dep_delay"]]
    whole = whole[whole["ds"] <= LAST]
    ends = [whole["ds"].max() - pd.Timedelta(weeks=week) for week in range(WEEKS, -1, -1)]

    def call(*words: str) -> int:
        print(f"$ {shlex.join(words)}", flush=True)
        return run(words[int(words[0] == "forerun") :])

    def week(end: pd.Timestamp) -> None:
        whole[whole["ds"] <= end].to_csv("flights.csv", index=False)
        print(f"\n# the data end on {end:%Y-%m-%d}", flush=True)

    week(ends[0])
    data = ["--data-file", "flights.csv"]
    failed = call("train", "--run-id", "first", *data, "--baselines", FIRST, *COMMON)
    failed |= call("forerun", "deploy", "flights", "--run-id", "first", *data, "--every", "1W")
    set_gates(Path("deployments/flights/deployment.yaml"))
    failed |= call("train", "--run-id", "better", *data, "--baselines", SECOND, *COMMON)
    failed |= call("forerun", "challenge", "flights", "--run-id", "better")
    for end in ends:
        if end != ends[0]:
            week(end)
        failed |= call("forerun", "update", "flights")
    promoted = call("forerun", "promote", "flights", "--run-id", "better")
    failed |= call("forerun", "monitor", "flights")
    print(f"\n{'promoted' if promoted == 0 else 'not promoted'}; {folder}/deployments/flights")
    cpu = sum(os.times()[:4])
    print(f"{time.perf_counter() - started:.0f} s, {cpu:.0f} s of CPU time")
    return failed


def set_gates(path: Path) -> None:
    text = path.read_text()
    for old, new in GATES.items():
        assert old in text
        print(f"# {path}: {old} becomes {new}", flush=True)
        text = text.replace(old, new)
    path.write_text(text)


if __name__ == "__main__":
    raise SystemExit(main())
