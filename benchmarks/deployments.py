"""A long-lived deployment: time of `update` when nothing is due, and size of its folder.

    python benchmarks/deployments.py [--origins 1000] [--series 1000]

Writes synthetic origins (one model and the seasonal naive forecast) and vintages with the
library's own functions, scores all of them and one of them again, and times the real command. The
plain alternative reads every forecast table and joins it with the values, as a script without
records would.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from forerun.base.files import sha256, write_text
from forerun.deployments import actuals, changes, inputs, origins, scores, summaries
from forerun.deployments.folder import Deployment, append, appointment
from forerun.deployments.settings import Settings
from forerun.deployments.update import note

HORIZON = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--origins", type=int, default=1000)
    parser.add_argument("--series", type=int, default=1000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="forerun-deployments-"))
    one = Deployment(folder, "long")
    started = time.perf_counter()
    table = build(one, asked.origins, asked.series)
    print(f"made {asked.origins} origins of {asked.series} series in {since(started):.0f} s")
    started, cpu = time.perf_counter(), time.process_time()
    done = scores.update(one)
    cpu = time.process_time() - cpu
    print(f"first scoring of {len(done)} origins: {since(started):.1f} s, {cpu:.1f} s of CPU time")
    (summaries.folder(one) / f"{done[-1]}.parquet").unlink()
    cpu = time.process_time()
    assert scores.update(one) == done[-1:]
    print(f"scoring one of them again: {time.process_time() - cpu:.2f} s of CPU time")
    by_series = timed(lambda: pd.read_parquet(summaries.folder(one)))
    print(f"reading scores.parquet: {by_series:.1f} s")
    command = [sys.executable, "-m", "forerun.cli", "update", "long", "--data-file", str(table)]
    note(one, inputs.Source(str(table)))
    one.monitor.touch()
    before = os.times()
    ours = [timed(lambda: subprocess.run(command, cwd=folder, check=True)) for _ in range(3)]
    after = os.times()
    spent = after.children_user + after.children_system
    spent = (spent - before.children_user - before.children_system) / len(ours)
    plain = timed(lambda: by_hand(one, table))
    size = sum(path.stat().st_size for path in one.folder.rglob("*") if path.is_file())
    print(f"nothing due: {np.median(ours):.2f} s, {spent:.2f} s of CPU time")
    print(f"reading everything: {plain:.1f} s")
    print(f"ratio {np.median(ours) / plain:.3f}; {size / 1e6:.0f} MB")
    return 0


def since(started: float) -> float:
    return time.perf_counter() - started


def timed(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return since(started)


def build(one: Deployment, number: int, series: int) -> Path:
    random = np.random.default_rng(1)
    weeks = pd.date_range("2005-01-02", periods=number + 60, freq="W")
    ids = [f"s{i:04d}" for i in range(series)]
    values = random.normal(100, 5, (series, len(weeks)))
    run = one.run("base")
    run.mkdir(parents=True)
    (run / "SEALED").write_text("{}")
    settings = Settings.of({"data_file": "table.csv", "horizon": HORIZON, "every": "1W"})
    one.folder.mkdir(parents=True)
    write_text(one.config, yaml.safe_dump(settings.as_dict()))
    append(one.champions, appointment(one, "base", "deploy"))
    frame = pd.DataFrame(
        {"unique_id": np.repeat(ids, len(weeks)), "ds": np.tile(weeks, series), "y": values.ravel()}
    )
    for place in range(number):
        at = 55 + place
        history = frame[frame["ds"] <= weeks[at]] if place == 0 else None
        if history is not None:
            described = changes.describe(history, 52)
        steps = pd.DataFrame(
            {
                "unique_id": np.repeat(ids, HORIZON),
                "ds": np.tile(weeks[at + 1 : at + 1 + HORIZON], series),
            }
        )
        frames = {
            name: steps.assign(**{name: random.normal(100, 5, len(steps))})
            for name in ("ensemble", "SeasonalNaive")
        }
        long = origins.long_table(frames, weeks[at], "base", "champion", [])
        record = {"end": long["ds"].max().isoformat(), "kind": "live", "runs": {}}
        origins.write(origins.origin_of(one, weeks[at]), long, described, record)
    path = one.output / "table.csv"
    frame.to_csv(path, index=False)

    actuals.write(one, actuals.compare(one, frame), sha256(path))
    return path


def by_hand(one: Deployment, table: Path) -> None:
    values = pd.read_csv(table, parse_dates=["ds"])
    parts = [pd.read_parquet(path) for path in one.forecasts.glob("*/forecasts.parquet")]
    both = pd.concat(parts).merge(values, on=["unique_id", "ds"])
    both.assign(error=(both["point"] - both["y"]).abs()).groupby(["origin", "model"])[
        "error"
    ].mean()


if __name__ == "__main__":
    raise SystemExit(main())
