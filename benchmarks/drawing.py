"""CPU and wall seconds of drawing a run (15 series, 9 models) and of a report (1,000 x 12).

    python benchmarks/drawing.py [--times 3] [--processes 1 2]

To compare with another version, put its ``scripts`` on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import PROJECT, table

sys.path.append(str(PROJECT / "tests"))

from synthetic import make_run

from forerun import open_run
from forerun.plots.figures import write_all
from forerun.report import write_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="drawing-"))
    try:
        small = make_run(folder, "small", models=7, series=15, length=150, levels=[80])
        large = make_run(folder, "large", models=10, series=1000, length=150, levels=[80])
        ways: dict[str, Callable[[], object]] = {
            f"plots, {number} processes": lambda number=number: draw(small, number)
            for number in asked.processes
        }
        ways["report of 12 models x 1,000 series"] = lambda: write_report(large, folder / "r.html")
        table([measured(name, way, asked.times) for name, way in ways.items()])
    finally:
        shutil.rmtree(folder)


def draw(folder: Path, processes: int) -> None:
    run = open_run(folder)
    cv = {model: run.cv_results_of(model) for model in run.models}
    forecasts = {model: run.predictions_of(model) for model in run.models}
    with tempfile.TemporaryDirectory() as target:
        write_all(
            target, run.history, cv, forecasts, run.leaderboard, run.config, processes=processes
        )


def measured(name: str, way: Callable[[], object], times: int) -> dict[str, object]:
    """Return the medians of several calls."""
    costs = []
    for _ in range(times):
        began, used = time.perf_counter(), sum(os.times()[:4])
        way()
        costs.append((time.perf_counter() - began, sum(os.times()[:4]) - used))
    wall, cpu = (statistics.median(each) for each in zip(*costs, strict=True))
    return {"what": name, "wall s": wall, "CPU s": cpu}


if __name__ == "__main__":
    main()
