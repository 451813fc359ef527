"""Whole runs on a real Slurm on this machine, and failures in it.

Most of the time is waiting, so all cases run at the same time, each with its own run and folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from forking import ADDRESS, LINGER
from running import OWN_SERVER, PROGRAMS, PROJECT, TEST_CONFIG, contents, write_table
from slurm.cluster import Cluster, why_not

from forerun.base.files import read_json
from forerun.jobs import lease

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=f"no Slurm here: {why_not()}"),
]

#: Models whose fits take no time: two fits each, and one job for the predictions.
MODELS = ["Naive", "SeasonalNaive"]
#: Models that get a job each, as networks do, but are quickly imported; and networks.
QUICK = ["Ridge", "LinearRegression"]
NETWORKS = ["NHITS", "MLP"]
#: One job for each fit: other groups than those of the profile, of a rule that is not there.
ALONE = ("--groups", "nothing=nothing")
#: A machine that is busy with other tests starts interpreters slowly.
PATIENCE = 600.0
DEFAULTS = ["slurm_partition=main", "slurm_account=none", "mem_mb=1000", "runtime=10"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    cluster = Cluster(folder, cpus=12, memory=64000)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cases(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """The cases that this call of pytest selects, all started at once."""
    selected = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.module is request.module
        and hasattr(item, "callspec")
    ]
    folder = Path(tempfile.mkdtemp(prefix="runs"))
    with ThreadPoolExecutor(max(len(selected), 1)) as pool:
        yield {
            case.__name__: pool.submit(case, cluster, new_folder(folder / case.__name__))
            for case in selected
        }
    shutil.rmtree(folder, ignore_errors=True)


def new_folder(path: Path) -> Path:
    path.mkdir()
    return path


class Call:
    """A `snakemake` on the login node, while it works.

    With `shared` the jobs, which run on this machine after all, use the processes that have
    imported the libraries for all tests: their imports would take minutes.
    """

    def __init__(
        self, cluster: Cluster, home: Path, *arguments: str,
        profile: str = "slurm", config: tuple[str, ...] = (), target: str = "runs/exp1/predictions",
        defaults: list[str] = DEFAULTS, alone: bool = True, shared: bool = True,
    ) -> None:  # fmt: skip
        if not (home / "table.csv").exists():
            write_table(home / "table.csv")
        command = [target, "--snakefile", str(PROJECT / "Snakefile")]
        command += ["--workflow-profile", str(PROJECT / "profiles" / profile)]
        command += ["--default-resources", *defaults, "--configfile", str(TEST_CONFIG)]
        command += [
            *(ALONE if alone else ()),
            *arguments,
            "--config",
            "data_file=table.csv",
            "models=Naive",
        ]
        command += ["baselines=SeasonalNaive", *config]
        self.cluster, self.home = cluster, home
        self.output = home / f"output_{time.time_ns()}.txt"
        self.output.touch()
        self.before = {job["id"] for job in cluster.queue(home)}
        env = cluster.env | ({LINGER: "5"} if shared else OWN_SERVER | {ADDRESS: ""})
        self.process = PROGRAMS.start(command, home, env, "snakemake", (str(self.output),) * 2)

    @property
    def text(self) -> str:
        return self.output.read_text()

    def jobs(self, pattern: str = "", state: str | None = None) -> list[dict[str, str]]:
        """Return the jobs of this call, by a pattern of what they do, in order of submission."""
        found = [
            job
            for job in self.cluster.queue(self.home)
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

    def kill(self) -> None:
        """End it and all that it started at once."""
        with suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                process.kill()
        self.process.kill()


def outcome(home: Path, fit: str) -> dict:
    return json.loads((home / "runs" / "exp1" / "parts" / f"{fit}.json").read_text())


def assert_complete(home: Path, models: list[str] = MODELS) -> None:
    run = home / "runs" / "exp1"
    assert (run / "SEALED").is_file()
    for model in models:
        assert (run / "predictions" / f"{model}.csv").is_file()
        assert any((run / "models" / model).iterdir())
    assert not list(run.rglob("*.claim"))


# -- A whole run ----------------------------------------------------------------------------------


def a_whole_run(
    cluster: Cluster, home: Path, networks: list[str] = QUICK, shared: bool = True
) -> None:
    """Networks side by side, short fits together in one job."""
    asked = (f"models={json.dumps(networks)}", f"baselines={json.dumps(MODELS)}")
    call = Call(cluster, home, config=asked, alone=False, shared=shared)
    call.end()
    assert_complete(home, [*networks, *MODELS])
    training = call.jobs("|".join(networks))
    last, first = max(job["submitted"] for job in training), min(job["ended"] for job in training)
    assert last <= first, "a network had to wait for another"
    # Eight fits are three jobs: one of each network, one of all baselines. Then the predictions;
    # the light rules stay on the login node.
    jobs = {job["comment"].split("_wildcards")[0]: job for job in call.jobs()}
    rules = "cross_validate_train_model"
    baselines = "rule_baselines_cross_validate_baseline_train_baseline"
    each = [f"rule_exp1_{model}_{rules}" for model in networks]
    assert sorted(jobs) == sorted([baselines, *each, "rule_predict_run"])
    assert len(call.jobs()) == 4
    assert {job["state"] for job in call.jobs()} == {"COMPLETED"}
    # What the rules ask for reached Slurm. The fits of a job follow each other: its time is theirs
    # together, its memory that of one. A run without a GPU asks for none.
    assert [jobs[name]["limit"] for name in (baselines, *each)] == ["40:00", *["4:00:00"] * 2]
    assert {jobs[name]["memory"] for name in (baselines, *each)} == {"1500M"}
    assert {jobs[name]["cpus"] for name in (baselines, *each)} == {"1"}
    assert {job["gpus"] for job in call.jobs()} <= {"N/A", ""}
    # Nothing of the login node's preloaded process went into the jobs.
    assert "preloaded" not in call.text
    # The same command again has nothing to do, and asks Slurm for nothing.
    again = Call(cluster, home, config=asked, alone=False)
    assert "Nothing to be done" in again.end()
    assert not again.jobs()


def a_whole_run_of_networks(cluster: Cluster, home: Path) -> None:
    a_whole_run(cluster, home, NETWORKS, shared=False)


def a_whole_run_through_submit_commands(cluster: Cluster, home: Path) -> None:
    """The profile for SGE, PBS, LSF... with the commands of the cluster that is here."""
    defaults = ["partition=main", "mem_mb=1000", "runtime=10"]
    call = Call(cluster, home, profile="cluster-generic", defaults=defaults, alone=False)
    call.end()
    assert_complete(home)
    # The fits share a job, in which they run side by side: it has the CPUs and memory of all.
    fits, predictions = call.jobs()
    assert {fits["state"], predictions["state"]} == {"COMPLETED"}
    assert (fits["cpus"], fits["memory"], fits["limit"]) == ("4", "6000M", "10:00")
    assert predictions["cpus"] == "1"


# -- What goes wrong ------------------------------------------------------------------------------


def a_killed_job_blames_only_the_fit_that_it_was_killed_in(cluster: Cluster, home: Path) -> None:
    """All fits share one job, which is canceled twice while it is at the same one of them."""
    call = Call(cluster, home, alone=False)
    run = home / "runs" / "exp1"
    call.wait(lambda: holders(run), "a fit to begin")
    (guilty,) = holders(run)
    for _ in range(2):
        (pid,) = stop_at_work(call, home, guilty).values()
        cancel(call, call.job("baselines")["id"], pid)
    text = call.end(1)
    assert len(call.jobs("baselines")) == 3
    model = guilty.partition("/")[0]
    assert f"{model} failed: the job was killed 2 times" in text
    for fit in (f"{name}/{part}" for name in MODELS for part in ("final", "fold_0")):
        known = outcome(home, fit)
        assert known["status"] == ("failed" if fit == guilty else "ok"), fit
    other = next(name for name in MODELS if name != model)
    assert (run / "predictions" / f"{other}.csv").is_file()
    assert not (run / "predictions" / f"{model}.csv").exists()
    assert not (run / "SEALED").exists()


def mishaps_of_jobs_stay_with_the_model_they_hit(cluster: Cluster, home: Path) -> None:
    """Too much memory, too long, canceled, the controller restarted: all in one run."""
    memory = "train_baseline:mem_mb=200 if attempt == 1 and wildcards.model == 'Naive' else 3000"
    call = Call(cluster, home, "--set-resources", memory)
    # Canceled each time it runs: given up after two times, and reported.
    # Stopped, so that it reaches its time limit: one minute is the least that Slurm knows.
    pids = stop_at_work(call, home, "SeasonalNaive/fold_0", "Naive/fold_0")
    canceled = call.job("cross_validate.*SeasonalNaive")
    stopped = call.job("cross_validate.*_Naive")
    cluster.ask("scontrol", "update", f"JobId={stopped['id']}", "TimeLimit=1")
    cancel(call, canceled["id"], pids["SeasonalNaive/fold_0"])
    cluster.restart_controller()
    known = {job["id"] for job in call.jobs()}
    assert {canceled["id"], stopped["id"]} <= known, "the controller forgot jobs"
    (pid,) = stop_at_work(call, home, "SeasonalNaive/fold_0").values()
    cancel(call, call.job("cross_validate.*SeasonalNaive")["id"], pid)
    text = call.end(1)

    assert state(cluster, stopped["id"]) == "TIMEOUT"
    run = home / "runs" / "exp1"
    # A job that was too big for 200 MB got more when it was tried again.
    first, second = call.jobs("train_.*_Naive$")
    assert (first["memory"], second["memory"]) == ("200M", "3000M")
    assert (first["state"], second["state"]) == ("FAILED", "COMPLETED")
    assert len(call.jobs("train_.*_SeasonalNaive$")) == 1
    for model in MODELS:
        assert outcome(home, f"{model}/final")["status"] == "ok"
    # The one that ran too long was tried again; the one that was canceled twice is reported.
    assert outcome(home, "Naive/fold_0")["status"] == "ok"
    failed = outcome(home, "SeasonalNaive/fold_0")
    assert (failed["status"], failed["error"]["class"]) == ("failed", "JobKilled")
    assert "SeasonalNaive failed: the job was killed 2 times" in text
    board = (run / "leaderboard.csv").read_text()
    assert re.search(r"(?m)^Naive,.*,ok,", board)
    assert re.search(r"(?m)^SeasonalNaive,.*,failed,", board)
    assert (run / "predictions" / "Naive.csv").is_file()
    assert not (run / "SEALED").exists()


def the_login_node_breaks_and_nothing_is_trained_twice(cluster: Cluster, home: Path) -> None:
    one = ("models=[]",)
    call = Call(cluster, home, config=one)
    started = stop_at_work(call, home, "SeasonalNaive/final", "SeasonalNaive/fold_0")
    call.kill()
    for pid in started.values():
        os.kill(pid, signal.SIGCONT)
    assert call.jobs(state="RUNNING"), "the jobs died with the login node"
    cluster.wait(lambda: not any(map(is_before_training, started.values())), "the fits to start")

    unlock = ["--unlock", "--snakefile", str(PROJECT / "Snakefile")]
    assert PROGRAMS.run(unlock, home, cluster.env, PATIENCE).returncode == 0
    restarted = datetime.now(UTC)
    again = Call(cluster, home, config=one)
    again.end()
    assert_complete(home, ["SeasonalNaive"])
    # The first call's jobs completed what they had started, and the second call's jobs used it.
    for fit in started:
        known = outcome(home, fit)
        taken = known.get("reused_from") == "exp1"
        assert taken or datetime.fromisoformat(known["started_at"]) < restarted, fit


def a_search_of_which_a_job_is_canceled(cluster: Cluster, home: Path) -> None:
    """Each trial is a job; one that is canceled while it trains is tried again."""
    space = {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    item = {"model": "DLinear", "trials": 6, "space": space}
    (home / "config" / "experiments").mkdir(parents=True)
    (home / "config" / "experiments" / "exp1.yaml").write_text(json.dumps({"search": [item]}))
    call = Call(cluster, home, config=("models=[]", "max_steps=6"))
    (pid,) = stop_at_work(call, home, "DLinear_search_0/fold_2").values()
    canceled = call.job("run_trial.*_0_2$|run_trial.*2.*0")
    cancel(call, canceled["id"], pid)
    call.end()
    assert_complete(home, ["DLinear_search1", "SeasonalNaive"])
    states = [job["state"] for job in call.jobs("run_trial")]
    assert sorted(states) == ["CANCELLED", *["COMPLETED"] * 8]  # six trials, two of them again
    table = (home / "runs" / "exp1" / "search" / "DLinear_search" / "study.csv").read_text()
    assert len(re.findall(r"(?m)^[01],\d,[26],ok,", table)) == 8, table


def a_network_longer_than_the_time_limit(cluster: Cluster, home: Path) -> None:
    """It is halted after a checkpoint, so that its job reaches its time limit."""
    settings = ('models=["NHITS"]', "baselines=[]", "max_steps=300", "reuse=false")
    saving = (*settings, "checkpoint_minutes=0.0001")
    call = Call(cluster, home, config=saving, shared=False)
    run = home / "runs" / "exp1"
    checkpoint = run / "logs" / "train_model" / "NHITS.checkpoint"
    call.wait(checkpoint.exists, "a checkpoint")
    job = call.job("train_model.*NHITS")
    holder = psutil.Process(holders(run)["NHITS/final"])
    for process in (holder, *holder.children(recursive=True)):
        process.suspend()
    cluster.ask("scontrol", "update", f"JobId={job['id']}", "TimeLimit=1")
    call.end()
    assert state(cluster, job["id"]) == "TIMEOUT"
    assert_complete(home, ["NHITS"])
    first, second = call.jobs("train_model.*NHITS")
    assert (first["id"], second["state"]) == (job["id"], "COMPLETED")
    log = (run / "logs" / "train_model" / "NHITS.log").read_text()
    assert re.search(r"(?m)^resumed at step [1-9]\d* of 300$", log)
    assert not checkpoint.exists()

    # The model is that of a run without interruption, to the byte.
    whole = home / "whole"
    whole.mkdir()
    Call(cluster, whole, config=settings, shared=False).end()
    assert outcome(whole, "NHITS/final")["status"] == "ok"
    for part in ("models/NHITS", "predictions"):
        assert contents(run / part) == contents(whole / "runs" / "exp1" / part)


#: Each tests something else; the networks' imports take minutes on a small machine.
CASES: list[Callable[[Cluster, Path], None]] = [
    mishaps_of_jobs_stay_with_the_model_they_hit,
    the_login_node_breaks_and_nothing_is_trained_twice,
    a_killed_job_blames_only_the_fit_that_it_was_killed_in,
    a_whole_run,
    a_whole_run_through_submit_commands,
]
LONG = [
    pytest.param(case, marks=pytest.mark.long)
    for case in (
        a_whole_run_of_networks,
        a_search_of_which_a_job_is_canceled,
        a_network_longer_than_the_time_limit,
    )
]


@pytest.mark.parametrize("case", [*CASES, *LONG], ids=lambda case: case.__name__)
def test_in_a_cluster(case: Callable[..., None], cases: dict[str, Future[None]]) -> None:
    cases[case.__name__].result()


# -- What the cases use ---------------------------------------------------------------------------


def stop_at_work(call: Call, home: Path, *fits: str) -> dict[str, int]:
    """Halt each fit as soon as it has started; return the processes by fit."""
    found: dict[str, int] = {}

    def stopped() -> bool:
        for fit, pid in holders(home / "runs" / "exp1").items():
            if fit in fits and fit not in found:
                os.kill(pid, signal.SIGSTOP)
                found[fit] = pid
        return len(found) == len(fits)

    call.wait(stopped, f"{fits} to begin")
    return found


def is_before_training(pid: int) -> bool:
    """Return whether a process that holds a fit's lease still has to start its training."""
    try:
        return not psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return False


def cancel(call: Call, job: str, pid: int) -> None:
    """Cancel a job in which a process is halted."""
    call.cluster.ask("scancel", job)
    call.wait(lambda: state(call.cluster, job) == "CANCELLED", "the job to end")
    call.wait(lambda: not psutil.pid_exists(pid), "its process to end")


def holders(run: Path) -> dict[str, int]:
    """Return the running fits, each with its process."""
    found = {}
    for path in run.glob("logs/*/[!.]*.claim"):  # not those that are being written
        if (record := read_json(path)) and not lease.is_dead(record):
            found[fit_of(path)] = record["pid"]
    return found


def fit_of(path: Path) -> str:
    """Return the fit of a lease, as in ``parts/``."""
    if path.parent.name == "train_model":
        return f"{path.stem}/final"
    model, _, fold = path.stem.rpartition("_")
    return f"{model}/fold_{fold}"


def state(cluster: Cluster, job: str) -> str:
    return next((one["state"] for one in cluster.queue() if one["id"] == job), "")
