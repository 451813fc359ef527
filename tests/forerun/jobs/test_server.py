"""The server: equal results, equal isolation, and no processes left behind."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from forerun.cli.snakemake import libraries
from forerun.config.engines import ENGINES
from forerun.config.settings import resolve
from forerun.jobs import child_task, helper
from forerun.jobs import server as preload
from forerun.jobs.benchmark_files import correct, of_log
from forerun.jobs.child_task import Task
from forerun.runs.fit import Fit
from forerun.runs.outcome import Failure, Outcome
from forerun.runs.paths import RunPaths

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")

WORK = '''
import os, sys, time
from forerun.base.errors import UserError

def show(text):
    print("printed", text, os.getcwd(), os.environ.get("COLOR"))
    print("to stderr", file=sys.stderr)

def mistake():
    raise UserError("the table is empty; give another one")

def die(signal_number, progress=None):
    os.kill(os.getpid(), signal_number)

def process(given):
    return [os.getpid(), given]

def die_in_a_fork(parent):
    if os.getpid() != parent:
        os.kill(os.getpid(), 9)
    return "asked again"

def leave(code, progress=None):
    os._exit(code)

def sleep(seconds, mark, progress=None):
    with open(mark, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(seconds)

def flaky(seconds, mark, progress=None):
    """The first time it sleeps, then it succeeds."""
    first = not os.path.exists(mark)
    if first:
        sleep(seconds, mark)
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with a module of functions that children can call."""
    (tmp_path / "work_here.py").write_text(textwrap.dedent(WORK))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv(preload.VARIABLE, raising=False)  # the process of the test session
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(place):
    started = preload.start([])
    assert started
    yield started
    started.stop()


FIT = Fit(RunPaths(Path("r")), "m")


def run(function, arguments, **options):
    return child_task.run(Task(f"work_here:{function}", arguments), FIT, **options)


def call(function, **arguments):
    child_task.call(Task(f"work_here:{function}", arguments), log="logs/train_model/m.log")


def wait_for(condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def number(path):
    return wait_for(lambda: path.exists() and path.read_text()) and int(path.read_text())


def children_of(pid):
    return psutil.Process(pid).children(recursive=True)


def test_the_child_is_forked_and_has_the_jobs_folder_environment_and_log(server, monkeypatch):
    monkeypatch.setenv("COLOR", "green")
    call("show", text="hello")
    log = Path("logs/train_model/m.log").read_text()
    assert log == f"printed hello {os.getcwd()} green\nto stderr\n"


def test_a_fresh_process_prints_the_same(place, monkeypatch):
    monkeypatch.setenv("COLOR", "green")
    call("show", text="hello")
    log = Path("logs/train_model/m.log").read_text()
    assert log == f"printed hello {os.getcwd()} green\nto stderr\n"


def test_a_job_has_functions_called_in_a_fork(server, place, monkeypatch, capfd):
    monkeypatch.syspath_prepend(place)
    given = {"given": {"a": [1, 2.5, None]}}
    pid, same = helper.ask("work_here:process", given)
    assert pid != os.getpid()
    assert same == given["given"]
    # Not what JSON changes, nor after the death of the fork, nor without a server.
    assert helper.ask("work_here:process", {"given": (1, 2)}) == [os.getpid(), (1, 2)]
    assert helper.ask("work_here:die_in_a_fork", {"parent": os.getpid()}) == "asked again"
    with pytest.raises(SystemExit) as ended:
        helper.record("work_here:mistake", log="logs/a.log")
    assert ended.value.code == 2
    line = "forerun: error: the table is empty; give another one\n"
    assert capfd.readouterr().err == Path("logs/a.log").read_text() == line
    helper.record("work_here:show", log="logs/a.log", text="hello")
    assert "printed hello" in Path("logs/a.log").read_text()
    monkeypatch.setenv(preload.VARIABLE, "off")
    assert helper.ask("work_here:process", given)[0] == os.getpid()


def test_slow_engines(place):
    assert preload.is_slow(ENGINES["neuralforecast"].imports)
    assert not preload.is_slow([*ENGINES["statsforecast"].imports, *ENGINES["direct"].imports])


@pytest.mark.long
def test_jobs_of_slow_engines_have_a_separate_process(place):
    """It does not exist before a job asks; no other job waits for these imports."""
    started = preload.start(["direct", "mlforecast"], at_once=False)
    try:
        imports = ENGINES["mlforecast"].imports
        quick, slow = preload.address(["pandas"]), preload.address(imports)
        assert slow == quick + preload.SLOW
        monitored = psutil.Process(started.process.pid)
        call("sleep", seconds=0, mark="mark")
        keepers = monitored.children()
        task = Task("work_here:sleep", {"seconds": 0, "mark": "mark"}, imports)
        child_task.call(task, log="logs/train_model/m.log")
        (forked,) = [one for one in monitored.children() if one not in keepers]
        forked.kill()
        assert wait_for(lambda: not forked.is_running() or forked.status() == "zombie")
        child_task.call(task, log="logs/train_model/m.log")  # in a fresh process
    finally:
        started.stop()


@pytest.mark.parametrize("forked", [True, False])
def test_a_child_that_dies_has_an_outcome(place, forked):
    started = preload.start([]) if forked else None
    try:
        outcome = run("sleep", {"seconds": 0, "mark": "mark"})
        assert (outcome.status, outcome.error) == ("ok", None)
        assert bool(outcome.usage) is forked
        assert outcome.peak_memory_mb > 5
        outcome = run("sleep", {"wrong": 1})
        assert outcome.error.kind == "TypeError"
        limit = child_task.Limit(0.5, "skipped", "the time is over")
        outcome = run("sleep", {"seconds": 60, "mark": "mark"}, limit=limit)
        assert outcome.status == "skipped"
        assert outcome.error == Failure("TimeLimit", "the time is over")
        assert Outcome.read("r/parts/m/final.json") == outcome
    finally:
        if started:
            started.stop()


def test_signals_and_exit_codes_are_reported(server):
    for function, argument, kind, words in [
        ("die", {"signal_number": 9}, "ProcessKilled", "killed by SIGKILL"),
        ("die", {"signal_number": 11}, "ProcessKilled", "killed by SIGSEGV"),
        ("leave", {"code": 3}, "ProcessDied", "exit code 3"),
    ]:
        outcome = run(function, argument)
        assert outcome.status == "failed"
        assert outcome.error.kind == kind
        assert words in outcome.error.message
    assert server.process.poll() is None


def test_a_user_error_is_one_line_and_exit_code_2(server, capsys):
    with pytest.raises(SystemExit) as ended:
        call("mistake")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "forerun: error: the table is empty; give another one\n"


def test_the_child_ends_with_its_job(server, place):
    code = "import work_here_job"
    (place / "work_here_job.py").write_text(
        "from forerun.jobs import child_task\n"
        "task = child_task.Task('work_here:sleep', {'seconds': 60, 'mark': 'mark'})\n"
        "child_task.call(task, log='logs/a.log')\n"
    )
    library = str(Path(child_task.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": f"{library}:{place}"}
    job = subprocess.Popen([sys.executable, "-c", code], env=environment)
    child = number(place / "mark")
    assert child in [process.pid for process in children_of(server.process.pid)]
    job.kill()
    job.wait()
    assert wait_for(lambda: not psutil.pid_exists(child))
    assert server.process.poll() is None


@pytest.mark.parametrize("victim", ["server", "keeper"])
def test_children_end_with_the_server_and_the_job_continues_in_a_fresh_process(
    server, place, victim
):
    import threading

    def kill():
        child = psutil.Process(number(place / "mark"))
        (server.process if victim == "server" else child.parent()).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run("flaky", {"seconds": 60, "mark": "mark"})
    killer.join()
    assert outcome.is_ok
    assert not outcome.usage
    assert "starting again" in FIT.log_path.read_text()
    assert wait_for(lambda: not psutil.pid_exists(int(Path("mark").read_text())))


def test_everything_ends_with_the_process_that_started_it(place):
    library = str(Path(child_task.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": f"{library}:{place}"}
    code = (
        "from forerun.jobs import child_task, server\n"
        "started = server.start([])\n"
        "print(started.process.pid, started.folder.path, flush=True)\n"
        "task = child_task.Task('work_here:sleep', {'seconds': 60, 'mark': 'mark'})\n"
        "child_task.call(task, log='logs/a.log')\n"
    )
    main = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )
    pid, folder = main.stdout.readline().split()
    child = number(place / "mark")
    main.send_signal(signal.SIGKILL)
    main.wait()
    assert wait_for(lambda: not psutil.pid_exists(child))
    assert wait_for(lambda: not psutil.pid_exists(int(pid)))
    assert wait_for(lambda: not os.path.exists(folder))


def test_stopping_the_server_leaves_no_files(place):
    started = preload.start([])
    assert (os.stat(started.folder.path).st_mode & 0o777) == 0o700
    assert os.environ[preload.VARIABLE].startswith(str(started.folder.path))
    started.stop()
    assert not started.folder.path.exists()
    assert preload.VARIABLE not in os.environ


def test_another_environment_is_refused(server, monkeypatch):
    monkeypatch.setattr(preload, "identity", lambda: ["another"])
    outcome = run("sleep", {"seconds": 0, "mark": "mark"})
    assert outcome.is_ok
    assert not outcome.usage  # trained by a fresh process


def test_without_a_server(place, monkeypatch):
    monkeypatch.setenv(preload.VARIABLE, str(place / "missing"))
    assert run("sleep", {"seconds": 0, "mark": "mark"}).is_ok


def test_the_benchmark_file_is_corrected(server):
    run("sleep", {"seconds": 1, "mark": "mark"})
    path = FIT.benchmark_path
    path.parent.mkdir(parents=True)
    columns = [
        "s",
        "h:m:s",
        "max_rss",
        "max_vms",
        "max_uss",
        "max_pss",
        "io_in",
        "io_out",
        "mean_load",
        "cpu_time",
    ]
    values = ["2.0", "0:00:02", "1.00", "2.00", "NA", "0.50", "0.00", "0.00", "0.00", "0.01"]
    path.write_text("\t".join(columns) + "\n" + "\t".join(values) + "\n")

    def row():
        with open(path, newline="") as file:
            return next(csv.DictReader(file, delimiter="\t"))

    assert wait_for(lambda: row()["max_rss"] != "1.00")
    corrected = row()
    assert list(corrected) == columns
    assert corrected["s"] == "2.0"
    assert float(corrected["max_rss"]) > 5
    assert float(corrected["max_uss"]) > 0


def test_correcting_twice_changes_nothing(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("s\tmax_rss\tmean_load\tcpu_time\n4.0\tNA\tNA\t1.00\n")
    usage = {"max_rss": 10.0, "cpu_time": 3.0}
    assert correct(str(path), 0, usage)
    assert path.read_text() == "s\tmax_rss\tmean_load\tcpu_time\n4.0\t10.00\t75.00\t3.00\n"
    assert correct(str(path), 0, usage)
    assert path.read_text() == "s\tmax_rss\tmean_load\tcpu_time\n4.0\t10.00\t75.00\t3.00\n"


def test_an_older_benchmark_file_is_not_changed(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("s\tmax_rss\n4.0\t1.00\n")
    assert not correct(str(path), time.time() + 5, {"max_rss": 10.0})
    assert path.read_text() == "s\tmax_rss\n4.0\t1.00\n"
    assert not correct(str(tmp_path / "missing.tsv"), 0, {"max_rss": 10.0})


def test_the_benchmark_file_mirrors_the_log():
    assert of_log("runs/a/logs/train_model/NHITS.log") == "runs/a/benchmarks/train_model/NHITS.tsv"
    assert of_log("elsewhere.log") == ""


#: Script for a child that prints the threads of torch and of all other libraries.
THREADS = """
import numpy, torch
from threadpoolctl import threadpool_info
counts = {pool["num_threads"] for pool in threadpool_info()}
with open("f", "w") as file:
    file.write(f"{torch.get_num_threads()} {sorted(counts)}")
"""


def threads_of_a_child(folder, count, imports):
    (folder / "threads.py").write_text(THREADS)
    script = {"path_name": str(folder / "threads.py")}
    task = Task("runpy:run_path", script, imports, threads=count)
    child_task.call(task, str(folder / "a.log"))
    torch, counts = Path("f").read_text().split(" ", 1)
    return int(torch), json.loads(counts)


@pytest.mark.slow
def test_threads_are_limited_where_the_libraries_are_loaded(tmp_path, monkeypatch):
    """In the shared server, some of whose libraries were loaded with one thread."""
    monkeypatch.chdir(tmp_path)
    for count in (1, 2):
        imports = [*ENGINES["neuralforecast"].imports]
        torch, counts = threads_of_a_child(tmp_path, count, imports)
        assert torch == max(counts) == count


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2])
def test_threads_are_limited_for_any_environment(server, place, count):
    assert threads_of_a_child(place, count, []) == (count, [count])


def content(path):
    """Bytes of a file; of safetensors without the (random) order of its header."""
    data = path.read_bytes()
    if path.suffix != ".safetensors":
        return data
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


#: Cross-validation of a network, which includes its forecasts; then all models.
SOME = [("NHITS", 0)]
ALL = [(model, fold) for model in ("NHITS", "AutoETS") for fold in (None, 0)]


@pytest.mark.slow
@pytest.mark.parametrize("fits", [SOME, pytest.param(ALL, marks=pytest.mark.long)], ids=len)
def test_results_are_the_same_to_the_last_byte(tmp_path, monkeypatch, fits):
    """Compare the shared server with fresh processes."""
    from forerun.config.settings import resolve
    from forerun.forecasting import freeze
    from forerun.jobs.fit_job import Job, perform

    monkeypatch.chdir(tmp_path)
    write_series(tmp_path / "table.csv")
    models = [{"name": "NHITS", "params": {"mlp_units": [[8, 8]] * 3}}]
    settings = {"data_file": "table.csv", "horizon": 4, "input_size": 8, "max_steps": 5}
    settings |= {"models": models, "baselines": ["AutoETS"], "n_windows": 2}
    for where in ("forked", "fresh"):
        paths = RunPaths(Path(where))
        to = {name: str(getattr(paths, name)) for name in ("data", "provenance", "config")}
        freeze.freeze(resolve(settings), "table.csv", to, "r")

    def products(where):
        for model, fold in fits:
            fit = Fit(RunPaths(Path(where)), model, fold)
            outcome = perform(Job(fit, reuse=False))
            assert outcome.is_ok, fit.log_path.read_text()
            assert bool(outcome.usage) is (where == "forked")
        files = [*Path(where).glob("models/*/*.safetensors"), *Path(where).glob("*/*/*.parquet")]
        return {str(path.relative_to(where)): content(path) for path in files}

    forked = products("forked")
    monkeypatch.setenv(preload.VARIABLE, "")
    assert len(forked) == {1: 1, 4: 5}[len(fits)]
    assert forked == products("fresh")


def write_series(path):
    import numpy as np
    import pandas as pd

    days = pd.date_range("2024-01-01", periods=60, freq="D")
    wave = 20 + 3 * np.sin(2 * np.pi * np.arange(60) / 7) + np.random.default_rng(7).random(60)
    frames = [pd.DataFrame({"unique_id": f"s{n}", "ds": days, "y": wave + n}) for n in range(3)]
    pd.concat(frames).to_csv(path, index=False)


def test_the_server_imports_nothing_before_the_first_request(place):
    started = preload.start(["direct"], at_once=False)
    try:
        call("show", text="forked before any import")
        before = psutil.Process(started.process.pid).memory_info().rss
        imports = ["forerun.forecasting.engines.direct"]
        task = Task("work_here:show", {"text": "hello"}, imports=imports)
        child_task.call(task, log="logs/a.log")
        after = psutil.Process(started.process.pid).memory_info().rss
    finally:
        started.stop()
    assert before < 60e6 < after


def test_it_can_be_turned_off(place, monkeypatch):
    monkeypatch.setenv(preload.VARIABLE, "off")
    assert preload.start(["statsforecast"]) is None
    assert not run("sleep", {"seconds": 0, "mark": "mark"}).usage


def test_a_running_server_is_used(place):
    with preload.running({"statsforecast"}):
        path = os.environ[preload.VARIABLE]
        assert preload.start(["neuralforecast"]) is None
        assert os.environ[preload.VARIABLE] == path
    assert preload.VARIABLE not in os.environ
    assert not Path(path).exists()


def test_a_dead_server_is_replaced(place, monkeypatch):
    monkeypatch.setenv(preload.VARIABLE, str(place / "gone" / "socket"))
    with preload.running({"statsforecast"}):
        assert Path(os.environ[preload.VARIABLE]).exists()


@pytest.mark.parametrize(
    ("finished", "rest", "started"),
    [
        ([], [], True),
        (["SEALED"], [], True),  # its predictions are to be made again
        (["SEALED", "predictions/NHITS.csv"], [], False),
        (["predictions/NHITS.csv"], [], True),  # it has failed models
        ([], ["--workflow-profile", "profiles/slurm"], False),
    ],
)
def test_commands_start_the_server_for_their_engines(place, finished, rest, started):
    run = place / "runs" / "exp1"
    for name in finished:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    settings = resolve({"models": [], "baselines": ["SeasonalNaive"]})
    with libraries(run, settings, rest):
        assert (preload.VARIABLE in os.environ) is started
