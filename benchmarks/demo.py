"""Seconds from Enter to the first error, the leaderboards and the end of `make demo`.

    python benchmarks/demo.py [--times 3] [--config config/demo.yaml]

The first leaderboard is printed before the final fits end. Prints wall seconds of each call, then
the CPU seconds of each kind of job by Snakemake's benchmark files; "other" is what they do not
hold: Snakemake itself, imports, freezing, the table.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from measuring import PROJECT, as_for_users, forerun, table

#: What a line contains when something is first shown; what the head of a leaderboard begins with,
#: and contains only when the final fits are completed.
FIRST, BOARD, FINAL = "so far)", "model ", "train seconds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--config", type=Path, default=PROJECT / "config" / "demo.yaml")
    asked = parser.parse_args()
    calls = []
    for _ in range(asked.times):
        folder = Path(tempfile.mkdtemp(prefix="demo-"))
        try:
            calls.append(called(folder, asked.config.resolve()))
        finally:
            shutil.rmtree(folder)
    table(calls)
    if len(calls) > 1:
        table([{name: statistics.median(call[name] for call in calls) for name in calls[0]}])


def called(folder: Path, config: Path) -> dict[str, float]:
    """Train in an empty folder; return what took how long."""
    environment = as_for_users(PYTHONUNBUFFERED="1")
    command = forerun("train", "--run-id", "demo", "--config", str(config))
    seen: dict[str, float] = {}
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    for line in process.stdout:
        print(f"{time.perf_counter() - began:6.1f} {line}", end="", flush=True)
        is_board = line.lstrip().startswith(BOARD)
        names = {"first error": FIRST in line, "leaderboard": is_board}
        names |= {"final leaderboard": is_board and FINAL in line}
        for name in (name for name, is_shown in names.items() if is_shown):
            seen.setdefault(name, time.perf_counter() - began)
    _, status, usage = os.wait4(process.pid, 0)
    seen["end"] = time.perf_counter() - began
    if process.returncode or status:
        raise SystemExit("the demo failed")
    cpu = usage.ru_utime + usage.ru_stime
    jobs = cpu_of_jobs(folder / "runs" / "demo" / "benchmarks")
    return seen | {"CPU": cpu} | jobs | {"other": cpu - sum(jobs.values())}


def cpu_of_jobs(folder: Path) -> dict[str, float]:
    """Return the CPU seconds of fits by model, and of the other rules."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*.tsv"):
        with path.open(newline="") as file:
            (row,) = csv.DictReader(file, delimiter="\t")
        is_fit = path.parent.name in ("train_model", "cross_validate")
        name = path.stem.removesuffix("_0") if is_fit else path.stem
        found[name] += float(row["cpu_time"]) if row["cpu_time"] not in ("", "-", "NA") else 0.0
    return dict(sorted(found.items()))


if __name__ == "__main__":
    main()
