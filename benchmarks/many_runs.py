"""Time of a call with nothing to do, and of list-runs, with few and with many sealed runs.

    python benchmarks/many_runs.py [--sealed 10 10000] [--times 3]

The calls take turns, so that a busy machine is busy for all of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import Cost, compared, forerun, in_turn, run, snakemake, table, write_series
from planning import settings

TARGET = "runs/x/predictions"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sealed", type=int, nargs="+", default=[10, 10000])
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="many-runs-"))
    try:
        homes = {f"with {number} sealed runs": folder / str(number) for number in asked.sealed}
        first, *others = homes.values()
        first.mkdir()
        write_series(first / "table.csv", 3)
        (first / "one.yaml").write_text(settings(1))
        nothing = snakemake(TARGET, "--configfile", "one.yaml")
        run(nothing, first)
        for home in others:
            shutil.copytree(first, home)
        for number, home in zip(asked.sealed, homes.values(), strict=True):
            add_runs(home / "runs", number)

        def way(home: Path) -> Callable[[int], Cost]:
            return lambda _: run(nothing, home)

        ways = {name: way(home) for name, home in homes.items()}
        for number, home in zip(asked.sealed, homes.values(), strict=True):
            ways[f"list-runs of {number} runs"] = partial(listing, home)
        found = in_turn(ways, asked.times)
        table(compared(found, next(iter(homes))))
    finally:
        shutil.rmtree(folder)


def listing(home: Path, _: int) -> Cost:
    return run(forerun("list-runs"), home)


def add_runs(runs: Path, number: int) -> None:
    """Make sealed runs of hard links, with the seal and the files that list-runs reads."""
    for count in range(number):
        copy = runs / f"run_20260101_{count:06d}"
        copy.mkdir()
        for name in (
            "config.yaml",
            "provenance.json",
            "leaderboard.csv",
            "metrics.csv",
            "SEALED",
            "summary.json",
        ):
            os.link(runs / "x" / name, copy / name)


if __name__ == "__main__":
    main()
