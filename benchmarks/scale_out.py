"""Speedup of a run with more slots of a cluster, measured on a local Slurm.

Jobs wait rather than compute, so one machine can pretend to have many CPUs: what is measured is
how Snakemake, the executor and Slurm hand out work, not how fast a processor is. The list of jobs
is the same for each number of slots: k slots should finish it in little more than a k-th of the
time.

    python benchmarks/scale_out.py --slots 1 2 4 8 --jobs 16 --wait 120 --executor slurm

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
    per_job: float
    load: float = 0.0

    @property
    def fixed(self) -> float:
        """Time that is not spent in rounds of jobs."""
        return self.seconds - math.ceil(self.jobs / self.slots) * (self.wait + self.per_job)

    @property
    def mean_at_once(self) -> float:
        """Slots that were held, on average, from the command's start to its end."""
        return self.jobs * (self.wait + self.per_job) / self.seconds


def model(jobs: int, work: float, slots: int, per_job: float, fixed: float) -> float:
    """Wall time in seconds of `jobs` independent jobs of `work` seconds on `slots` slots.

    Each job costs its slot `per_job` seconds more than its work, as it starts interpreters. `fixed`
    is spent once: planning, submitting, noticing the end.
    """
    return fixed + math.ceil(jobs / slots) * (work + per_job)


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
        round(held - sum(end - start for start, end in spans) / len(spans), 1),
        round(os.getloadavg()[1], 1),
    )  # fmt: skip


def _spans(home: Path) -> list[tuple[float, float]]:
    return [
        (float(first), float(second))
        for first, second in (path.read_text().split() for path in (home / "fit").glob("*.txt"))
    ]


def _slurm_spans(cluster: Cluster) -> list[tuple[float, float]]:
    """Start and end of each job that Slurm still lists; it forgets jobs after some minutes."""
    text = cluster.ask("scontrol", "-o", "show", "jobs")
    found = []
    for line in text.splitlines():
        fields = dict(item.split("=", 1) for item in line.split() if "=" in item)
        at = [time.mktime(time.strptime(fields[key], "%Y-%m-%dT%H:%M:%S"))
              for key in ("StartTime", "EndTime")]  # fmt: skip
        found.append((at[0], at[1]))
    return found


def _most(spans: list[tuple[float, float]]) -> int:
    return max(sum(a <= start < b for a, b in spans) for start, _ in spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--jobs", type=int, default=16, help="jobs in the list")
    parser.add_argument("--wait", type=float, default=120, help="seconds that a job waits")
    parser.add_argument("--executor", choices=["slurm", "cluster-generic"], default="slurm")
    parser.add_argument("--predict", action="store_true")
    asked = parser.parse_args()
    if asked.predict:
        predict()
        return
    if reason := why_not():
        sys.exit(f"no Slurm here: {reason}")
    for slots in asked.slots:
        found = measure(slots, asked.jobs, asked.wait, asked.executor)
        report(remember(found)[0], found)


def remember(found: Measured) -> list[Measured]:
    """Save a measurement with those of the same list on other slots; return all of them."""
    path = Path(__file__).with_suffix(".json")
    stored = json.loads(path.read_text()) if path.exists() else {}
    earlier = stored.get(found.executor, {}).get("results", [])
    same = (found.jobs, found.wait)
    results = {one["slots"]: one for one in earlier if (one["jobs"], one["wait"]) == same}
    results[found.slots] = asdict(found)
    ordered = [results[slots] for slots in sorted(results)]
    stored[found.executor] = {"cores": os.cpu_count(), "results": ordered}
    path.write_text(json.dumps(stored, indent=1) + "\n")
    return [Measured(**one) for one in ordered]


def report(first: Measured, found: Measured) -> None:
    """Print one measurement and the prediction of the model from the costs of the first."""
    predicted = model(found.jobs, found.wait, found.slots, first.per_job, first.fixed)
    print(
        f"{found.slots} slots, {found.jobs} jobs of {found.wait:g} s: {found.seconds:.0f} s, "
        f"{first.seconds / found.seconds:.2f} times as fast as with {first.slots}; "
        f"{found.most_at_once} at once, {found.mean_at_once:.1f} on average; "
        f"{found.per_job:.1f} s per job besides its work, {found.fixed:.1f} s fixed; "
        f"model: {predicted:.0f} s, {predicted / found.seconds - 1:+.0%}",
        flush=True,
    )


def predict() -> None:
    """Print the model's prediction for 12 models x 10 windows x 100,000 series (docs/cluster.md).

    The costs are those measured with one slot, as each slot of a cluster has its own core.
    """
    stored = json.loads(Path(__file__).with_suffix(".json").read_text())
    one = Measured(**stored["slurm"]["results"][0])
    per_job, fixed, submitting = one.per_job, one.fixed, 0.1
    jobs = 12 * (10 + 1)
    for minutes in (1, 10, 60):
        for slots in (10, 100, 1000):
            seconds = model(jobs, 60 * minutes, slots, per_job, fixed + submitting * jobs)
            print(f"{minutes:3} min per fit, {slots:5} slots: {seconds / 60:7.1f} min")


if __name__ == "__main__":
    main()
