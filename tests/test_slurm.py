"""Whole runs through a real Slurm on this machine, and everything that goes wrong in one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from running import PROJECT, SNAKEMAKE, TEST_CONFIG, write_table
from slurm.cluster import Cluster, why_not

from forerun.files import read_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=f"no Slurm here: {why_not()}"),
]

#: Models whose fits take no time: two fits each, and one job for the predictions.
MODELS = ["Naive", "SeasonalNaive"]
#: A machine that is busy with other tests starts interpreters slowly.
PATIENCE = 600.0
DEFAULTS = ["slurm_partition=main", "slurm_account=none", "mem_mb=1000", "runtime=10"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Call:
    """A `snakemake` on the login node, while it works."""

    def __init__(
        self, cluster: Cluster, home: Path, *arguments: str,
        profile: str = "slurm", config: tuple[str, ...] = (), target: str = "runs/exp1/predictions",
        defaults: list[str] = DEFAULTS,
    ) -> None:  # fmt: skip
        if not (home / "table.csv").exists():
            write_table(home / "table.csv")
        command = [SNAKEMAKE, target, "--snakefile", str(PROJECT / "Snakefile")]
        command += ["--workflow-profile", str(PROJECT / "profiles" / profile)]
        command += ["--default-resources", *defaults, "--configfile", str(TEST_CONFIG)]
        command += [*arguments, "--config", "data_file=table.csv", "models=Naive"]
        command += ["baselines=SeasonalNaive", *config]
        self.cluster, self.home = cluster, home
        self.output = home / f"output_{time.time_ns()}.txt"
        self.before = {job["id"] for job in cluster.queue()}
        with open(self.output, "w") as file:
            self.process = subprocess.Popen(
                command, cwd=home, env=cluster.env, stdout=file, stderr=file,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    @property
    def text(self) -> str:
        return self.output.read_text()

    def jobs(self, pattern: str = "", state: str | None = None) -> list[dict[str, str]]:
        """Return the jobs of this call, by a pattern of what they do, in order of submission."""
        found = [
            job
            for job in self.cluster.queue()
            if job["id"] not in self.before
            and re.search(pattern, job["comment"])
            and state in (None, job["state"])
        ]
        return sorted(found, key=lambda job: int(job["id"]))

    def job(self, pattern: str, state: str = "RUNNING") -> dict[str, str]:
        """Wait until a job is in a state; return it."""
        self.wait(lambda: self.jobs(pattern, state), f"a {state} job like {pattern}")
        return self.jobs(pattern, state)[0]

    def wait(self, condition, what: str) -> None:  # type: ignore[no-untyped-def]
        def met() -> object:
            return condition() or self.process.poll() is not None

        self.cluster.wait(met, what, PATIENCE)
        assert condition(), f"the call ended before {what}\n{self.text[-5000:]}"

    def end(self, code: int = 0) -> str:
        """Wait for the end of the call and check its exit code."""
        try:
            self.process.wait(PATIENCE)
        finally:
            self.kill()
        queue = "\n".join(str(job) for job in self.jobs())
        assert self.process.returncode == code, f"{self.text[-8000:]}\n{queue}"
        return self.text

    def kill(self, number: int = signal.SIGKILL) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return
        self.process.wait(60)


def outcome(home: Path, piece: str) -> dict:
    return json.loads((home / "runs" / "exp1" / "parts" / f"{piece}.json").read_text())


def assert_complete(home: Path) -> None:
    run = home / "runs" / "exp1"
    assert (run / "SEALED").is_file()
    for model in MODELS:
        assert (run / "predictions" / f"{model}.csv").is_file()
        assert any(p.name == "model.json" for p in (run / "models" / model).iterdir())
    assert not list(run.rglob("*.claim"))


def processes_in(folder: Path, text: str) -> list[int]:
    """Return the processes that work in a folder and whose command line holds a text."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and text in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


# -- A whole run ----------------------------------------------------------------------------------


def test_a_whole_run(cluster: Cluster, tmp_path: Path) -> None:
    call = Call(cluster, tmp_path)
    most = 0
    while call.process.poll() is None:
        most = max(most, len(call.jobs("train_|cross_validate", "RUNNING")))
        time.sleep(0.5)
    call.end()
    assert_complete(tmp_path)
    # One job for each fit, and one for the predictions; the light rules stay on the login node.
    jobs = call.jobs()
    assert len(call.jobs("train_")) == 2
    assert len(call.jobs("cross_validate")) == 2
    assert len(call.jobs("predict_run")) == 1
    assert len(jobs) == 5
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    assert most >= 2, "no two fits ran at the same time"
    # What the rules ask for reached Slurm; a run without a GPU asks for none.
    assert {job["memory"] for job in call.jobs("train_")} == {"1500M"}
    assert {job["limit"] for job in call.jobs("train_")} == {"2:00:00"}
    assert {job["gpus"] for job in jobs} <= {"N/A", ""}
    # Nothing of the login node's preloaded process went into the jobs.
    assert "preloaded" not in call.text
    # The same command again has nothing to do, and asks Slurm for nothing.
    again = Call(cluster, tmp_path)
    assert "Nothing to be done" in again.end()
    assert not again.jobs()


def test_a_whole_run_through_submit_commands(cluster: Cluster, tmp_path: Path) -> None:
    """The profile for SGE, PBS, LSF... with the commands of the cluster that is here."""
    defaults = ["partition=main", "mem_mb=1000", "runtime=10"]
    call = Call(cluster, tmp_path, profile="cluster-generic", defaults=defaults)
    call.end()
    assert_complete(tmp_path)
    assert {job["state"] for job in call.jobs()} == {"COMPLETED"}
    assert len(call.jobs()) == 5


# -- What goes wrong ------------------------------------------------------------------------------


def test_mishaps_of_jobs_stay_with_the_model_they_hit(cluster: Cluster, tmp_path: Path) -> None:
    """Too much memory, too long, cancelled, the controller restarted: all in one run."""
    memory = "train_baseline:mem_mb=200 if attempt == 1 else 3000"
    call = Call(cluster, tmp_path, "--set-resources", memory)
    # Cancelled each time it runs: given up after two times, and reported.
    cancelled = call.job("cross_validate.*SeasonalNaive")
    cluster.ask("scancel", cancelled["id"])
    # Stopped, so that it reaches its time limit: one minute is the least that Slurm knows.
    stopped = call.job("cross_validate.*_Naive")
    cluster.ask("scontrol", "update", f"JobId={stopped['id']}", "TimeLimit=1")
    stop_processes(call, tmp_path, "model=Naive,fold=0")
    cluster.restart_controller()
    known = {job["id"] for job in call.jobs()}
    assert {cancelled["id"], stopped["id"]} <= known, "the controller forgot jobs"
    call.wait(lambda: len(call.jobs("cross_validate.*SeasonalNaive")) == 2, "a second try")
    again = call.jobs("cross_validate.*SeasonalNaive")[1]["id"]
    call.wait(lambda: state(cluster, again) == "RUNNING", "the second try to run")
    cluster.ask("scancel", again)
    text = call.end(1)

    assert state(cluster, stopped["id"]) == "TIMEOUT"
    run = tmp_path / "runs" / "exp1"
    # Jobs that were too big for 200 MB got more when they were tried again.
    for model in MODELS:
        first, second = call.jobs(f"train_.*_{model}$")
        assert (first["memory"], second["memory"]) == ("200M", "3000M")
        assert (first["state"], second["state"]) == ("FAILED", "COMPLETED")
        assert outcome(tmp_path, f"{model}/final")["status"] == "ok"
    # The one that ran too long was tried again; the one that was cancelled twice is reported.
    assert outcome(tmp_path, "Naive/fold_0")["status"] == "ok"
    failed = outcome(tmp_path, "SeasonalNaive/fold_0")
    assert (failed["status"], failed["error"]["class"]) == ("failed", "JobKilled")
    assert "SeasonalNaive failed: the job was killed 2 times" in text
    board = (run / "leaderboard.csv").read_text()
    assert re.search(r"(?m)^Naive,.*,ok,", board)
    assert re.search(r"(?m)^SeasonalNaive,.*,failed,", board)
    assert (run / "predictions" / "Naive.csv").is_file()
    assert not (run / "SEALED").exists()


def test_the_login_node_breaks_and_nothing_is_trained_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    call = Call(cluster, tmp_path)
    call.wait(lambda: len(call.jobs("train_|cross_val", "RUNNING")) == 4, "all fits to run")
    run = tmp_path / "runs" / "exp1"
    call.wait(lambda: claimants(run), "a fit to begin")
    begun = claimants(run)
    for pid in begun.values():
        os.kill(pid, signal.SIGSTOP)
    call.kill()
    for pid in begun.values():
        os.kill(pid, signal.SIGCONT)
    assert call.jobs(state="RUNNING"), "the jobs died with the login node"

    subprocess.run(
        [SNAKEMAKE, "--unlock", "--snakefile", str(PROJECT / "Snakefile")],
        cwd=tmp_path, env=cluster.env, check=True, capture_output=True,
    )  # fmt: skip
    restarted = datetime.now(UTC)
    again = Call(cluster, tmp_path)
    again.end()
    assert_complete(tmp_path)
    # What the first call's jobs had begun, they finished, and the second call's jobs took it.
    for piece in begun:
        known = outcome(tmp_path, piece)
        taken = known.get("reused_from") == "exp1"
        assert taken or datetime.fromisoformat(known["started_at"]) < restarted, piece


def claimants(run: Path) -> dict[str, int]:
    """Return the pieces that are worked on right now, each with the process that does."""
    found = {}
    for path in run.glob("logs/*/*.claim"):
        if claim := read_json(path):
            found[piece_of(path)] = claim["pid"]
    return found


def piece_of(claim: Path) -> str:
    """Return the piece that a claim is for, as in ``parts/``."""
    if claim.parent.name == "train_model":
        return f"{claim.stem}/final"
    model, _, fold = claim.stem.rpartition("_")
    return f"{model}/fold_{fold}"


def state(cluster: Cluster, job: str) -> str:
    return next((one["state"] for one in cluster.queue() if one["id"] == job), "")


def stop_processes(call: Call, home: Path, text: str) -> None:
    """Halt what a job does without ending it."""
    call.wait(lambda: processes_in(home, text), "the job's processes")
    for pid in processes_in(home, text):
        os.kill(pid, signal.SIGSTOP)
