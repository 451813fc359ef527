"""Measuring commands: wall and CPU seconds, memory, medians, and tables of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))


#: Number of series that are written at once.
BLOCK = 20_000


@dataclass
class Cost:
    """Costs of a command, including its descendants.

    Attributes
    ----------
    wall, cpu : seconds
    peak_mb : largest memory of a single process
    """

    wall: float
    cpu: float
    peak_mb: float


class Together(threading.Thread):
    """Samples the memory of a process and all its descendants together.

    The proportional set size counts a page that several processes share once.

    Attributes
    ----------
    peak_mb : largest sum so far
    at_peak : MB of each process at that moment, with its command, largest first
    """

    #: Seconds between samples: at least so many, and so many times those of a sample.
    PAUSE, TIMES = 0.3, 20

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_mb = 0, 0.0
        self.at_peak: list[tuple[float, str]] = []
        self._end = threading.Event()

    def watch(self, pid: int) -> None:
        self.pid = pid
        self.start()

    def run(self) -> None:
        pause = self.PAUSE
        while not self._end.wait(pause):
            began = time.perf_counter()
            each = {pid: _proportional_mb(pid) for pid in _descendants(self.pid)}
            if sum(each.values()) > self.peak_mb:
                self.peak_mb = sum(each.values())
                largest = sorted(each, key=lambda pid: -each[pid])[:4]
                self.at_peak = [(each[pid], _command(pid)) for pid in largest]
            pause = max(self.PAUSE, self.TIMES * (time.perf_counter() - began))

    def end(self) -> None:
        self._end.set()
        self.join()


def _descendants(pid: int) -> set[int]:
    """Return the ids of a process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            parent = Path(f"/proc/{int(entry)}/stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(entry))
    found, waiting = {pid}, [pid]
    while waiting:
        following = children.get(waiting.pop(), [])
        found.update(following)
        waiting += following
    return found


def _proportional_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    return ""


def as_for_users(**variables: str) -> dict[str, str]:
    """Return environment variables to run this checkout with.

    Compiled modules are kept: without them each process would compile them again.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(PROJECT / "scripts")} | variables


def run(
    command: Sequence[str],
    folder: Path,
    during: Callable[[int], None] = lambda pid: None,
    **variables: str,
) -> Cost:
    """Run a command that must succeed, in `folder`; `during` is called with its process id."""
    environment = as_for_users(**variables)
    log = folder / "last_command.log"
    started = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        during(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def snakemake(*arguments: str) -> list[str]:
    """The command that runs the workflow in another folder, as written by a user."""
    return [
        *(SNAKEMAKE, "--snakefile", str(PROJECT / "Snakefile")),
        *("--workflow-profile", str(PROJECT / "profiles" / "default")),
        *arguments,
    ]


def forerun(*arguments: str) -> list[str]:
    """The command line of this checkout."""
    return [PYTHON, "-m", "forerun.cli", *arguments]


def in_turn(
    ways: dict[str, Callable[[int], Cost]], times: int, first: int = 0
) -> dict[str, list[Cost]]:
    """Run each way `times` times, in turn, so that a busy machine is busy for all of them."""
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(first, first + times):
        for name, way in ways.items():
            found[name].append(way(number))
            cost = found[name][-1]
            print(f"  {name}: {cost.wall:.1f} s, CPU {cost.cpu:.1f} s", file=sys.stderr, flush=True)
    return found


def median(costs: Iterable[Cost], what: str) -> float:
    return statistics.median(getattr(cost, what) for cost in costs)


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows as a Markdown table."""
    columns = list(rows[0])
    cells = [[_text(row.get(column, "")) for column in columns] for row in rows]
    width = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [columns, ["-" * n for n in width], *cells]:
        print("| " + " | ".join(cell.ljust(n) for cell, n in zip(line, width, strict=True)) + " |")


def _text(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def compared(found: dict[str, list[Cost]], base: str) -> list[dict[str, Any]]:
    """Rows with medians and the ratio to the way `base`."""
    return [
        {
            "": name,
            "wall s": median(costs, "wall"),
            "ratio": median(costs, "wall") / median(found[base], "wall"),
            "CPU s": median(costs, "cpu"),
            "CPU ratio": median(costs, "cpu") / median(found[base], "cpu"),
            "peak MB": round(median(costs, "peak_mb")),
        }
        for name, costs in found.items()
    ]


def write_series(path: Path, series: int, length: int = 120) -> Path:
    """Write daily series with a week, a trend and seeded noise, as CSV or Parquet."""
    import numpy as np
    import pandas as pd
    from pyarrow import Table, parquet

    random = np.random.default_rng(1)
    step, digits = np.arange(length), max(5, len(str(series - 1)))
    levels = random.uniform(10, 100, (series, 1))
    times = pd.date_range("2024-01-01", periods=length, freq="D")
    writer = None
    for first in range(0, series, BLOCK):  # which bounds memory
        level = levels[first : first + BLOCK]
        names = [f"series_{first + n:0{digits}d}" for n in range(len(level))]
        y = level + 3 * np.sin(2 * np.pi * step / 7) + 0.05 * step
        y = y + random.normal(0, 1, y.shape)
        frame = pd.DataFrame(
            {
                "unique_id": np.repeat(np.array(names, dtype=object), length),
                "ds": np.tile(times, len(level)),
                "y": y.round(3).ravel(),
            }
        )
        if path.suffix == ".parquet":
            table = Table.from_pandas(frame, preserve_index=False)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
        else:
            mode = "a" if first else "w"
            frame.to_csv(path, index=False, mode=mode, header=not first)
    if writer:
        writer.close()
    return path
