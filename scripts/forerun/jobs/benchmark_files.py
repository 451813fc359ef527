"""Snakemake's benchmark files, corrected for processes that Snakemake cannot see.

Snakemake measures a job and its descendants. A child forked by the server
(:mod:`forerun.jobs.server_process`) is not one of them, so its figures are added afterwards. The
maximum of both values is used, so that a second correction changes nothing.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from forerun.base.errors import UserError
from forerun.base.files import write_text
from forerun.base.text import real
from forerun.runs.tables import read_rows

#: Column of the file -> fields of /proc/<pid>/smaps_rollup to add up.
_MEMORY = {
    "max_rss": ("Rss",),
    "max_pss": ("Pss",),
    "max_uss": ("Private_Clean", "Private_Dirty", "Private_Hugetlb"),
}


def of_log(log: str | Path) -> str:
    """Return the path of a job's benchmark file from the path of its log."""
    before, separator, after = str(log).rpartition("logs/")
    return f"{before}benchmarks/{after.removesuffix('.log')}.tsv" if separator else ""


def read_benchmark(path: str | Path) -> dict[str, float]:
    """Return ``seconds`` and ``peak_memory_mb`` from a benchmark file; empty if there is none."""
    try:
        row = read_rows(path, ("s", "max_rss"), separator="\t")[0]
    except (UserError, LookupError):
        return {}
    seconds, memory = real(row["s"]), real(row["max_rss"])
    if seconds is None or memory is None:
        return {}
    return {"seconds": seconds, "peak_memory_mb": memory}


def sample(pid: int, usage: dict[str, float]) -> None:
    """Update the maxima in `usage` with the current usage of process `pid` (MB; Linux only)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        fields = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
        now = {
            column: sum(fields.get(name, 0) for name in names) for column, names in _MEMORY.items()
        }
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        now["max_vms"] = pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        io_bytes = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    except (OSError, ValueError):
        return  # it has just ended
    now["io_in"] = io_bytes["read_bytes"] / 1024**2
    now["io_out"] = io_bytes["write_bytes"] / 1024**2
    for name, value in now.items():
        usage[name] = round(max(value, usage.get(name, 0)), 2)


def correct(path: str, since: float, usage: dict[str, float]) -> bool:
    """Merge `usage` into a benchmark file if it was written after the time `since`.

    Returns whether the file was corrected.
    """
    try:
        if os.stat(path).st_mtime < since:
            return False
        rows = read_rows(path, separator="\t")
    except (OSError, UserError):
        return False
    if not rows:
        return False  # Snakemake is writing it
    row = rows[-1]
    for name, value in usage.items():
        row[name] = f"{max(value, _number(row.get(name))):.2f}"
    seconds = _number(row.get("s"))
    if seconds:
        row["mean_load"] = f"{100 * _number(row.get('cpu_time')) / seconds:.2f}"
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        write_text(path, text.getvalue())
    except OSError:
        return False  # sealing has swept the temporary file
    return True


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
