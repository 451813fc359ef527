"""Costs by number of series: time and memory of each job of a whole run.

    python benchmarks/scaling.py [--series 100 1000 10000] [--models NHITS] [--baselines ...]

Each size is a separate run on series of `--length` daily steps: it trains, cross-validates, scores,
predicts, draws and reports (`--targets` selects some). The table holds CPU seconds and peak
memory of each job; its last columns divide the growth of the seconds by that of the series: 1 is
linear, less is better. Runs with more series than `--shard-size` are predicted in shards.

For the whole call the memory is the largest sum over all its processes at a time, each shared page
counted once. `--memory` limits the sum of what jobs request that run at once (`mem_mb`).
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from measuring import Cost, Together, run, snakemake, table, write_series

TARGETS = ["predictions", "plots", "report.html"]
#: Targets that can be selected besides: only freeze the data.
MORE_TARGETS = ["config.yaml"]
BASELINES = ["SeasonalNaive", "SimpleExponentialSmoothingOptimized"]
#: For each size and job: seconds of CPU time and peak MB.
Costs = dict[int, dict[str, tuple[float, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--length", type=int, default=200, help="steps of each series")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--models", nargs="*", default=["NHITS"])
    parser.add_argument("--baselines", nargs="*", default=BASELINES)
    parser.add_argument("--levels", type=int, nargs="*", default=[])
    parser.add_argument("--targets", nargs="+", default=TARGETS, choices=TARGETS + MORE_TARGETS)
    parser.add_argument("--shard-size", type=int, default=20000)
    parser.add_argument("--memory", type=int, help="MB that jobs at once may request")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="scaling-"))
    folder.mkdir(exist_ok=True)
    costs: Costs = {}
    try:
        for series in options.series:
            total, together = one_size(folder, series, options)
            jobs = dict(measured(folder / "runs" / f"n{series}" / "benchmarks"))
            costs[series] = {"whole call": (total.cpu, together.peak_mb), **jobs}
            print(f"{series} series: {total.wall:.1f} s, CPU {total.cpu:.1f} s", flush=True)
            for megabytes, command in together.at_peak:
                print(f"  {megabytes:.0f} of {together.peak_mb:.0f} MB: {command}", flush=True)
            print(json.dumps(costs[series]), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    report(costs)


def one_size(folder: Path, series: int, options: argparse.Namespace) -> tuple[Cost, Together]:
    """Make a run of that many series from its data to the last target."""
    write_series(folder / f"{series}.parquet", series, options.length)
    settings = {
        "data_file": f"{series}.parquet",
        "horizon": 7,
        "input_size": 14,
        "n_windows": 2,
        "max_steps": options.steps,
        "models": options.models,
        "baselines": options.baselines,
        "levels": options.levels,
        "shard_size": options.shard_size,
        "reuse": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    targets = [f"runs/n{series}/{target}" for target in options.targets]
    limit = ["--resources", f"mem_mb={options.memory}"] if options.memory else []
    command = snakemake(*targets, *limit, "--configfile", "settings.json")
    together = Together()
    total = run(command, folder, together.watch)
    together.end()
    return total, together


def measured(folder: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield name, CPU seconds and peak MB of each job, from Snakemake's benchmark files."""
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        if row["max_rss"] != "NA":
            name = str(path.relative_to(folder).with_suffix(""))
            yield name, (float(row["cpu_time"]), float(row["max_rss"]))


def report(costs: Costs) -> None:
    """Print CPU seconds and peak memory by size, and how the former grow."""
    sizes = list(costs)
    names = [name for name in costs[sizes[-1]] if all(name in costs[size] for size in sizes)]
    table(
        [
            {"job": name}
            | {f"CPU s, {size}": costs[size][name][0] for size in sizes}
            | {f"MB, {size}": round(costs[size][name][1]) for size in sizes}
            | {
                f"{small} to {large}": costs[large][name][0]
                / max(costs[small][name][0], 0.01)
                / (large / small)
                for small, large in pairwise(sizes)
            }
            for name in names
        ]
    )


if __name__ == "__main__":
    main()
