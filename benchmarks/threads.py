"""One thread for each of several jobs against several threads for one job at a time.

    python benchmarks/threads.py [--steps 50] [--models NHITS NBEATS ...]
    python benchmarks/threads.py --statistical AutoETS [--series 40]

The same run with `threads` 1 (as many jobs at once as there are cores) and with `threads` equal to
the number of cores (one job at a time). With `--statistical`: one cross-validation of a model, by
plain statsforecast on one core and on all, and by Forerun with one process and one for each core.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import Cost, compared, in_turn, run, snakemake, table, write_series

MODELS = ["NHITS", "NBEATS", "LSTM", "GRU", "RNN", "TCN", "MLP", "DLinear", "NLinear", "TiDE"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=[*MODELS, "BiTCN", "PatchTST"])
    parser.add_argument("--statistical", metavar="MODEL")
    parser.add_argument("--series", type=int, default=40)
    options = parser.parse_args()
    if options.statistical:
        statistical(options.statistical, options.series, options.times)
        return
    folder = Path(tempfile.mkdtemp(prefix="threads-"))
    write_series(folder / "table.csv", 20)
    cores = os.cpu_count() or 1

    def with_threads(threads: int, number: int) -> Cost:
        name = f"t{threads}_{number}"
        (folder / f"{name}.yaml").write_text(
            f"data_file: table.csv\nhorizon: 7\ninput_size: 28\nmax_steps: {options.steps}\n"
            f"models: [{', '.join(options.models)}]\nbaselines: []\nreuse: false\n"
            f"threads: {threads}\n"
        )
        target = f"runs/{name}/leaderboard.csv"
        return run(snakemake(target, "--configfile", f"{name}.yaml"), folder)

    try:
        ways = {
            "1 thread each": lambda number: with_threads(1, number),
            f"{cores} threads each": lambda number: with_threads(cores, number),
        }
        table(compared(in_turn(ways, options.times), "1 thread each"))
    finally:
        shutil.rmtree(folder)


def statistical(model: str, series: int, times: int) -> None:
    """Compare ways of cross-validating a statistical model: three windows of a week."""
    import pandas as pd
    import statsforecast.models
    from statsforecast import StatsForecast

    from forerun.config.models import specs
    from forerun.config.settings import resolve
    from forerun.forecasting.engines import statistical as engine
    from forerun.forecasting.engines.base import Data

    with tempfile.TemporaryDirectory() as folder:
        path = write_series(Path(folder) / "table.parquet", series)
        frame = pd.read_parquet(path)
    asked = {"horizon": 7, "models": [], "baselines": [model], "levels": [80], "n_windows": 3}
    cores = os.cpu_count() or 1

    def plain(jobs: int) -> pd.DataFrame:
        models = [getattr(statsforecast.models, model)(season_length=7)]
        library = StatsForecast(models=models, freq="D", n_jobs=jobs)
        return library.cross_validation(df=frame, h=7, n_windows=3, step_size=7, level=[80])

    def own(threads: int) -> pd.DataFrame:
        settings = resolve(asked | {"threads": threads}) | {"freq": "D", "season_length": 7}
        spec = next(iter(specs(settings)))
        return engine.cross_validate(spec, settings, Data(frame), 3, lambda *_: None)

    ways: dict[str, Callable[[], pd.DataFrame]] = {
        "statsforecast, n_jobs=1": lambda: plain(1),
        f"statsforecast, n_jobs={cores}": lambda: plain(cores),
        "Forerun, threads: 1": lambda: own(1),
        f"Forerun, threads: {cores}": lambda: own(cores),
    }
    plain(1)  # compiles
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    results = {}
    for _ in range(times):
        for name, way in ways.items():
            found[name].append(timed(way, name, results))
    first, *others = (frame.drop(columns=["index"], errors="ignore") for frame in results.values())
    for other in others:
        pd.testing.assert_frame_equal(other[first.columns], first, check_exact=True)
    table(compared(found, next(iter(ways))))
    print("all results are equal, to the last digit")


def timed(way: Callable[[], Any], name: str, results: dict[str, Any]) -> Cost:
    """Call a way of doing something in this process and its children; keep the result."""
    began, used = time.perf_counter(), sum(os.times()[:4])
    results[name] = way()
    return Cost(time.perf_counter() - began, sum(os.times()[:4]) - used, 0.0)


if __name__ == "__main__":
    main()
