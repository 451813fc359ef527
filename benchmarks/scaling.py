"""How cost grows with the number of series: time and memory of each rule.

    python benchmarks/scaling.py [--series 100 1000 10000] [--steps 20]

Each size is a run of its own (NHITS and SeasonalNaive). The last table divides the CPU seconds of
neighbouring sizes by the ratio of their series: 1 is linear, less is better.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

from measuring import run, snakemake, table, write_series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--models", nargs="*", default=["NHITS"])
    wish = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="scaling-"))
    costs: dict[int, dict[str, tuple[float, float]]] = {}
    try:
        for series in wish.series:
            write_series(folder / f"{series}.csv", series)
            (folder / "settings.yaml").write_text(
                f"data_file: {series}.csv\nhorizon: 7\ninput_size: 14\nn_windows: 2\n"
                f"max_steps: {wish.steps}\nmodels: [{', '.join(wish.models)}]\n"
                "baselines: [SeasonalNaive]\nreuse: false\n"
            )
            name = f"n{series}"
            target = f"runs/{name}/plots"
            total = run(snakemake(target, "--configfile", "settings.yaml"), folder)
            costs[series] = {"whole call": (total.cpu, total.peak_mb)}
            costs[series] |= rules(folder / "runs" / name / "benchmarks")
            print(f"{series} series: {total.wall:.1f} s, CPU {total.cpu:.1f} s", flush=True)
    finally:
        shutil.rmtree(folder)
    report(costs)


def rules(folder: Path) -> dict[str, tuple[float, float]]:
    """CPU seconds and peak MB of each job, from Snakemake's benchmark files."""
    found = {}
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        if row["max_rss"] != "NA":
            name = str(path.relative_to(folder).with_suffix(""))
            found[name] = (float(row["cpu_time"]), float(row["max_rss"]))
    return found


def report(costs: dict[int, dict[str, tuple[float, float]]]) -> None:
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
