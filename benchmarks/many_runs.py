"""Time of a call with nothing to do, and of listings, with few and with many sealed runs.

    python benchmarks/many_runs.py [--sealed 10 10000] [--times 3]

The calls take turns, so that a busy machine is busy for all of them. `list-runs`, `runs-page` and
`show` are compared with a plain script that prints `summary.json` of each run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from measuring import (
    PYTHON,
    Cost,
    compared,
    forerun,
    in_turn,
    run,
    snakemake,
    table,
    write_series,
)
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

        ways = {name: way(nothing, home) for name, home in homes.items()}
        table(compared(in_turn(ways, asked.times), next(iter(homes))))
        for number, home in zip(asked.sealed, homes.values(), strict=True):
            plain = f"plain script, {number} runs"
            listings = {
                plain: way([PYTHON, "-c", PLAIN], home),
                f"list-runs of {number}": way(forerun("list-runs"), home),
                f"runs-page of {number}": way(forerun("runs-page"), home),
                f"show beside {number}": way(forerun("show", "x"), home),
            }
            table(compared(in_turn(listings, asked.times), plain))
    finally:
        shutil.rmtree(folder)


#: Prints the summary of each run.
PLAIN = """
import json
from pathlib import Path

for path in sorted(Path("runs").glob("*/summary.json"), reverse=True):
    print(path.parent.name, *json.loads(path.read_text())["run"].values())
"""


def way(command: list[str], home: Path) -> Callable[[int], Cost]:
    return lambda _: run(command, home)


#: Links of a file, whose number file systems limit.
MOST_LINKS = 10_000
#: The seal and the files that listings read.
FILES = (
    *("config.yaml", "provenance.json", "leaderboard.csv", "metrics.csv"),
    *("SEALED", "summary.json"),
)


def add_runs(runs: Path, number: int) -> None:
    """Make sealed runs of hard links."""
    source = runs / "x"
    for count in range(number):
        new = runs / f"run_20260101_{count:06d}"
        new.mkdir()
        for name in FILES:
            if count % MOST_LINKS:
                os.link(source / name, new / name)
            else:
                shutil.copy2(source / name, new / name)
        source = new if count % MOST_LINKS == 0 else source


if __name__ == "__main__":
    main()
