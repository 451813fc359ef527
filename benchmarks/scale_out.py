"""How a run gets faster with more slots of a cluster: measured on a Slurm of this machine's own.

Jobs wait rather than compute, so one machine can pretend to have many CPUs: what is measured is
how Snakemake, the executor and Slurm hand out work, not how fast a processor is.

    python benchmarks/scale_out.py --slots 1 2 4 8 --jobs 8 --wait 20 --executor cluster-generic

writes benchmarks/scale_out.json. `--predict` only prints what the model of the wall time says about
larger runs (docs/cluster.md has the table).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "tests"))

from slurm.cluster import Cluster, why_not  # noqa: E402

#: The shape of a run: independent fits, then one job that needs them all.
SNAKEFILE = """
rule all:
    input: "all.txt"
    default_target: True
    localrule: True

rule fit:
    output: "fit/{{number}}.txt"
    threads: 1
    resources: mem_mb=300, runtime=10
    shell: "date +%s.%N > {{output}}; sleep {wait}; date +%s.%N >> {{output}}"

rule collect:
    input: expand("fit/{{number}}.txt", number=range({jobs}))
    output: "all.txt"
    localrule: True
    shell: "cat {{input}} > {{output}}"
"""


@dataclass
class Measured:
    """One run of the benchmark; times in seconds."""

    executor: str
    slots: int
    jobs: int
    wait: float
    seconds: float
    most_at_once: int
    mean_at_once: float
    per_job: float
    fixed: float


def model(
    jobs: int, work: float, slots: int, per_job: float, fixed: float, chain: int = 1
) -> float:
    """Wall time in seconds of `jobs` independent jobs of `work` seconds on `slots` slots.

    Each job costs its slot `per_job` seconds more than its work. `fixed` is spent once: planning,
    submitting, noticing the end. `chain` is the number of jobs that must follow each other at
    least: no number of slots makes a run shorter than its longest chain.
    """
    rounds = max(math.ceil(jobs / slots), chain)
    return fixed + rounds * (work + per_job)


def measure(slots: int, jobs: int, wait: float, executor: str) -> Measured:
    """Run the jobs on a fresh Slurm with `slots` CPUs."""
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    cluster = Cluster(folder, cpus=slots, memory=64000)
    home = folder / "home"
    home.mkdir()
    (home / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs, wait=wait))
    command = [sys.executable, "-m", "snakemake", "--workflow-profile"]
    command += [str(PROJECT / "profiles" / executor), "--default-resources", "slurm_partition=main"]
    command += ["slurm_account=none", "partition=main", "mem_mb=300", "runtime=10"]
    try:
        cluster.start()
        began = time.time()
        with open(home / "output.txt", "w") as file:
            subprocess.run(command, cwd=home, env=cluster.env, stdout=file, stderr=file, check=True)
        seconds = time.time() - began
        spans = sorted(_spans(home))
        jobs_of_slurm = _slurm_spans(cluster)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    held = sum(end - start for start, end in jobs_of_slurm) / len(jobs_of_slurm)
    return Measured(
        executor, slots, jobs, wait, round(seconds, 1), _most(jobs_of_slurm),
        round(sum(end - start for start, end in jobs_of_slurm) / _length(jobs_of_slurm), 2),
        round(held - sum(end - start for start, end in spans) / len(spans), 1),
        round(seconds - _length(jobs_of_slurm), 1),
    )  # fmt: skip


def _spans(home: Path) -> list[tuple[float, float]]:
    return [
        (float(first), float(second))
        for first, second in (path.read_text().split() for path in (home / "fit").glob("*.txt"))
    ]


def _slurm_spans(cluster: Cluster) -> list[tuple[float, float]]:
    """When each job of Slurm began and ended."""
    text = cluster.ask("scontrol", "-o", "show", "jobs")
    found = []
    for line in text.splitlines():
        fields = dict(item.split("=", 1) for item in line.split() if "=" in item)
        at = [time.mktime(time.strptime(fields[key], "%Y-%m-%dT%H:%M:%S"))
              for key in ("StartTime", "EndTime")]  # fmt: skip
        found.append((at[0], at[1]))
    return found


def _length(spans: list[tuple[float, float]]) -> float:
    return max(end for _, end in spans) - min(start for start, _ in spans)


def _most(spans: list[tuple[float, float]]) -> int:
    return max(sum(a <= start < b for a, b in spans) for start, _ in spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--wait", type=float, default=20)
    parser.add_argument("--executor", choices=["slurm", "cluster-generic"], default="slurm")
    parser.add_argument("--predict", action="store_true")
    asked = parser.parse_args()
    if asked.predict:
        predict()
        return
    if reason := why_not():
        sys.exit(f"no Slurm here: {reason}")
    results: list[Measured] = []
    for slots in asked.slots:
        found = measure(slots, asked.jobs, asked.wait, asked.executor)
        results.append(found)
        said = model(found.jobs, found.wait, slots, results[0].per_job, results[0].fixed)
        faster = results[0].seconds / found.seconds
        print(
            f"{slots} slots: {found.seconds:.0f} s, {faster:.2f} times as fast; "
            f"{found.most_at_once} at once, {found.mean_at_once:.1f} on average; "
            f"{found.per_job:.1f} s per job beside its work; "
            f"model (costs of the first): {said:.0f} s, {said / found.seconds - 1:+.0%}",
            flush=True,
        )
    table = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    path = Path(__file__).with_suffix(".json")
    known = json.loads(path.read_text()) if path.exists() else {}
    known[asked.executor] = table | {"results": [asdict(one) for one in results]}
    path.write_text(json.dumps(known, indent=1) + "\n")


def predict() -> None:
    """What the model says about 12 models x 10 windows x 100,000 series (see docs/cluster.md)."""
    per_job, fixed, submitting = 8.0, 30.0, 0.1
    for minutes in (1, 10, 60):
        for slots in (10, 100, 1000):
            jobs = 12 * (10 + 1)
            seconds = model(jobs, 60 * minutes, slots, per_job, fixed + submitting * jobs)
            print(f"{minutes:3} min per fit, {slots:5} slots: {seconds / 60:7.1f} min")


if __name__ == "__main__":
    main()
