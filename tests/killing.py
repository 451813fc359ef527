"""Kill runs in progress at random moments, and check that nothing was lost.

Used by ``test_resume.py`` and, for any number of hours, by ``benchmarks/soak.py``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from forking import SERVER, WORKER, Started
from running import OWN_SERVER, PROGRAMS, PROJECT, TEST_CONFIG

from forerun.base.files import TEMPORARY, read_json, sha256
from forerun.runs.fit import completed_outputs
from forerun.runs.paths import RunPaths
from forerun.runs.seal import IGNORED, frozen_files, verify
from forerun.runs.state import is_frozen, is_sealed

#: Kinds of victims: one process of the kind, or all processes at once.
KINDS = ("snakemake", "job", "worker", "keeper", "server", "all")
#: Rules whose jobs are the target of every second kill; random kills rarely hit the short ones.
RULES = (
    *("freeze_run", "train_model", "cross_validate", "collect_model", "score_models", "seal_run"),
    *("predict_run", "plot_run", "report_run"),
)
#: Maximum seconds that an aimed kill waits after the start of a job.
INTO_JOB = 1.5
#: Models without neural networks, so that a call takes seconds.
QUICK = ("-m", "Naive", "--baselines", "SeasonalNaive", "--set", "plot_series=0")
#: Columns of the leaderboard with durations, memory and the source of reused fits.
MEASURED = ("train_seconds", "cv_seconds", "peak_memory_mb", "reason")


def start(home: Path, run_id: str, *arguments: str, shared: bool = False) -> Started:
    """Start `train` for a run; its output is written to ``<run_id>.out``.

    With `shared` its jobs use the server that is shared by all tests.
    """
    command = ["train", "-r", run_id, "-d", "table.csv", "-c", str(TEST_CONFIG), *arguments]
    env = os.environ | ({} if shared else OWN_SERVER) | {"PYTHONPATH": str(PROJECT / "scripts")}
    output = home / f"{run_id}.out"
    output.touch()
    return PROGRAMS.start(command, home, env, "forerun", (str(output), str(output)))


def kind_of(process: psutil.Process) -> str | None:
    """Return the kind of a process of a call."""
    if (name := process.name()) in (*RULES, "snakemake"):
        return "snakemake" if name == "snakemake" else "job"
    if is_server(process):
        if not any(map(is_server, process.parents())):
            return "server"
        # Keepers may be forks of the server or of the fork that has imported slow engines.
        with suppress(ProcessLookupError):
            return "worker" if os.getsid(process.pid) == process.pid else "keeper"
    return "worker" if name == WORKER or "forerun.jobs.worker" in process.cmdline() else None


def is_server(process: psutil.Process) -> bool:
    """Say whether a process is a server for jobs, forked or started, or a fork of one."""
    return process.name() == SERVER or "forerun.jobs.server_process" in process.cmdline()


def family(call: Started) -> dict[str, list[psutil.Process]]:
    """Return the living processes of a call by kind."""
    found: dict[str, list[psutil.Process]] = {}
    for pid in below(call.pid):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and (kind := kind_of(process)):
                found.setdefault(kind, []).append(process)
    return found


def below(pid: int) -> Iterator[int]:
    """Yield the descendants of a process; psutil asks every process of the machine for them."""
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, file.read_text().split()):
                yield child
                yield from below(child)


def phase(processes: dict[str, list[psutil.Process]]) -> str:
    """Return the rules whose jobs are running."""
    rules = set()
    for job in processes.get("job", []):
        with suppress(psutil.Error):  # if it has just ended
            rules.add(job.name())
    return "+".join(sorted(rules)) or ("between jobs" if "snakemake" in processes else "starting")


def end(processes: Sequence[psutil.Process]) -> None:
    """Kill processes with SIGKILL, so that they cannot clean up."""
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)


def workers_in(home: Path) -> list[psutil.Process]:
    """Return the processes whose folder is `home`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until_alone(home: Path, seconds: float = 60) -> list[psutil.Process]:
    """Wait until no process works in the folder; return the remaining ones after a timeout."""
    until = time.monotonic() + seconds
    while (left := workers_in(home)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def state(path: Path) -> tuple[int, str]:
    """Return an identifier of a file that changes if the same content is written again."""
    return path.stat().st_ino, sha256(path)


def finished(run: Path) -> dict[str, tuple[int, str]]:
    """Return the files that must not change: outputs of completed fits, or all if sealed."""
    if not is_frozen(run):
        return {}
    names = ["config.yaml", "data.parquet", "provenance.json"]
    for output in completed_outputs(RunPaths(run)):
        path = run / output
        files = path.rglob("*") if path.is_dir() else [path]
        names += [str(p.relative_to(run)) for p in files if p.is_file() and p.name not in IGNORED]
    if is_sealed(run):
        names += [*frozen_files(run), "SEALED"]
    return {name: state(run / name) for name in names}


def results(run: Path) -> dict[str, str]:
    """Return the sha256 of all results that do not depend on time or run id."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        top = name.partition("/")[0]
        kept = top in ("models", "predictions", "data.parquet", "metrics.csv", "ensemble.json")
        kept |= top.startswith("cv_results_") or (top == "parts" and path.suffix == ".parquet")
        if path.is_file() and kept and path.name not in IGNORED:
            found[name] = sha256(path)
    config = (run / "config.yaml").read_text().replace(f"run_id: {run.name}\n", "")
    for name in ("reuse: true\n", "reuse: false\n"):
        config = config.replace(name, "")
    board = list(csv.DictReader(io.StringIO((run / "leaderboard.csv").read_text())))
    rows = [{key: row[key] for key in row if key not in MEASURED} for row in board]
    found["config.yaml"] = hashlib.sha256(config.encode()).hexdigest()
    found["leaderboard.csv"] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


@dataclass
class Storm:
    """Starts runs and kills their processes a number of times; collects the errors found.

    Attributes
    ----------
    arguments : of `train`; `extras` alternate from run to run
    expected : :func:`results` of an undisturbed run
    duration : seconds that the undisturbed run took
    """

    home: Path
    expected: dict[str, str]
    duration: float
    seed: int = 1
    arguments: Sequence[str] = QUICK
    extras: Sequence[Sequence[str]] = (("--set", "reuse=false"), ("--set", "reuse=true"))
    kinds: Sequence[str] = KINDS
    rules: Sequence[str] = RULES
    per_call: int = 4
    kills: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    runs: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.next_kinds: list[str] = []

    @property
    def summary(self) -> str:
        """The number of kills, calls and runs so far, in one line."""
        return (
            f"{self.kills.total()} kills {dict(self.kills)} in {self.calls} calls, {self.runs} runs"
        )

    def blow(self, kills: int, seconds: float) -> None:
        """Kill until `kills` were survived or `seconds` have passed; finish the last run."""
        until = time.monotonic() + seconds
        while self.kills.total() < kills and time.monotonic() < until and not self.wrong:
            self.runs += 1
            run_id = f"storm{self.runs}"
            for _ in range(40):
                enough = self.kills.total() >= kills or time.monotonic() > until
                if self.call(run_id, calm=enough) == 0:
                    break
            else:
                self.wrong.append(f"{run_id}: not done after 40 calls")
            self.compare(run_id)

    def call(self, run_id: str, calm: bool = False) -> int:
        """Call `train` once, kill processes at random times, and check the remaining files."""
        run = self.home / "runs" / run_id
        before = finished(run)
        extras = self.extras[self.runs % len(self.extras)]
        process = start(self.home, run_id, *self.arguments, *extras)
        self.calls += 1
        most = self.kills.total() + self.per_call
        while not calm and process.poll() is None and self.kills.total() < most:
            before |= self.strike(process, run)
        try:
            code = process.wait(timeout=600)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"{run_id}: a call hangs")
            end([process, *(p for ps in family(process).values() for p in ps)])
            return -1
        if left := wait_until_alone(self.home):
            self.wrong.append(f"{run_id}: left behind: {[p.cmdline()[:4] for p in left]}")
            end(left)
        self.wrong += [f"{run_id}: {text}" for text in changes(run, before)]
        return code

    def strike(self, process: Started, run: Path) -> dict[str, tuple[int, str]]:
        """Wait for a random time and kill; return the completed files at that time.

        Every other strike waits for a job of a certain rule, but not for long: it may be done.
        """
        moment = time.monotonic() + self.random.uniform(0, self.duration) / 3
        if not self.next_kinds:  # each kind is met as often as the others
            self.next_kinds = self.random.sample(self.kinds, len(self.kinds))
        kind = self.next_kinds[-1]
        aim = self.random.choice(self.rules) if self.rules and self.random.random() < 0.5 else ""
        while process.poll() is None:
            there = family(process)
            what = phase(there)
            if aim and aim in what:
                moment, aim = time.monotonic() + self.random.uniform(0, INTO_JOB), ""
            elif aim and time.monotonic() > moment + self.duration / 4:
                aim = ""
            if not aim and time.monotonic() >= moment and (kind == "all" or kind in there):
                before = {} if kind == "job" else finished_now(run)
                every = [p for ps in there.values() for p in ps]
                one = [self.random.choice(there[kind])] if kind != "all" else every
                if kind == "all":
                    process.kill()
                end(one)
                self.kills[self.next_kinds.pop()] += 1
                self.phases[what] += 1
                return before
            time.sleep(0.05)
        return {}

    def compare(self, run_id: str) -> None:
        """Compare a completed run with the undisturbed one."""
        run = self.home / "runs" / run_id
        if not is_sealed(run):
            self.wrong.append(f"{run_id}: is not sealed")
            return
        found = results(run)
        differing = {
            n for n in found.keys() | self.expected if found.get(n) != self.expected.get(n)
        }
        self.wrong += [f"{run_id}: {name} is not as undisturbed" for name in sorted(differing)]
        self.wrong += [f"{run_id}: verify: {k} {v}" for k, v in verify(run).items() if v]
        left = [p for p in run.rglob(f"{TEMPORARY}*") if not {"logs", "benchmarks"} & {*p.parts}]
        self.wrong += [f"{run_id}: half-written: {path}" for path in left]
        if (run / "logs" / "session.json").exists():
            self.wrong.append(f"{run_id}: is still marked as in use")


def finished_now(run: Path, settled: float = 3) -> dict[str, tuple[int, str]]:
    """Return the completed files of a run in progress.

    Files younger than `settled` seconds are left out: their job may not have ended yet, and if
    that is killed Snakemake rightly does it again.
    """
    try:
        found = finished(run)
        young = {n for n in found if (run / n).stat().st_mtime > time.time() - settled}
    except FileNotFoundError:
        return {}
    return {name: signature for name, signature in found.items() if name not in young}


def changes(run: Path, before: dict[str, tuple[int, str]]) -> Iterator[str]:
    """Yield a message for each changed or missing file."""
    for name, signature in before.items():
        if not (run / name).is_file():
            yield f"{name} was finished and is gone"
        elif state(run / name) != signature:
            yield f"{name} was finished and was written again"
    if is_frozen(run) and not read_json(run / "provenance.json"):
        yield "there is a config.yaml without provenance.json"
    if is_frozen(run) and not (run / "data.parquet").is_file():
        yield "there is a config.yaml without data.parquet"
