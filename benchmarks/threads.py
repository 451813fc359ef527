"""One thread for each of several jobs against several threads for one job at a time.

    python benchmarks/threads.py [--steps 50] [--models NHITS NBEATS ...]

The same run with `threads` 1 (as many jobs at once as there are cores) and with `threads` equal to
the number of cores (one job at a time).
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from measuring import Cost, compared, in_turn, run, snakemake, table, write_series

MODELS = ["NHITS", "NBEATS", "LSTM", "GRU", "RNN", "TCN", "MLP", "DLinear", "NLinear", "TiDE"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=[*MODELS, "BiTCN", "PatchTST"])
    options = parser.parse_args()
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


if __name__ == "__main__":
    main()
