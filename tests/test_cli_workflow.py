"""Commands that start Snakemake, on one small run."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import termios
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from forking import TRAINING
from running import OWN_SERVER, PROGRAMS, PROJECT, contents, forerun, snakemake, write_table

from forerun.base.files import sha256
from forerun.base.yaml_files import load_yaml
from forerun.jobs import lease
from forerun.runs.fit import Fit
from forerun.runs.paths import RunPaths

pytestmark = pytest.mark.slow

CONFIG = """\
horizon: 3
input_size: 6
n_windows: 2
models: []
baselines: [SeasonalNaive]
plot_series: 1
threads: null
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(PROJECT / "scripts")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a configuration file, and the run `small` made by ``train``.

    Its final fit waits until a leaderboard is printed: ``early.txt`` is the output before.
    """
    folder = tmp_path_factory.mktemp("home")
    write_table(folder / "table.csv", series=2, length=40)
    (folder / "small.yaml").write_text(CONFIG)
    for name in ("output.txt", "errors.txt"):
        (folder / name).touch()
    files = (str(folder / "output.txt"), str(folder / "errors.txt"))
    final, until = Fit(RunPaths(folder / "runs/small"), "SeasonalNaive"), time.monotonic() + 120
    with lease.held(final.lease_path):
        call = PROGRAMS.start(
            [*TRAIN, "--", "--cores", "2"], folder, environment(), "forerun", files
        )
        while " unfinished" not in (early := (folder / "output.txt").read_text()):
            assert call.poll() is None and time.monotonic() < until, early  # noqa: PT018
            time.sleep(0.1)
        assert not final.outcome_path.exists()
    (folder / "early.txt").write_text(early)
    code = call.wait(timeout=120)
    assert code == 0, "".join((folder / name).read_text()[-3000:] for name in files)
    return folder


TRAIN = ["train", "--run-id", "small", "-c", "small.yaml", "-d", "table.csv"]


def test_scores_are_printed_before_the_final_fits_end(home: Path) -> None:
    early, whole = ((home / name).read_text() for name in ("early.txt", "output.txt"))
    mae = re.findall(r"(?m)^SeasonalNaive: MAE (\S+) \(rank 1 of 1 so far\)$", early)
    assert len(mae) == 1
    assert "final fit done" not in early
    assert "leaderboard so far, 0 of 1 final fits completed; a model may still fail" in early
    rows = [re.split(r"\s{2,}", row.strip()) for row in whole.splitlines() if f" {mae[0]} " in row]
    assert [(row[0], row[-1]) for row in rows if row[0] == "SeasonalNaive"] == [
        ("SeasonalNaive", "unfinished"),
        ("SeasonalNaive", "ok"),
    ]
    before, after = (row for row in rows if row[0] == "SeasonalNaive")
    assert after[: len(before) - 1] == before[:-1]  # the same scores; time and memory follow


def test_train_prints_progress_and_results(home: Path) -> None:
    lines = (home / "output.txt").read_text().splitlines()
    assert lines[0] == "run small"
    assert lines[1] == "note: freq was inferred from the data: D"
    call = next(line for line in lines if not line.startswith(("run ", "note: ")))
    assert call.startswith("snakemake runs/small/predictions runs/small/plots ")
    assert call.endswith("--config run_id=small data_file=table.csv --cores 2")
    assert any(line.startswith("SeasonalNaive: final fit") for line in lines)
    assert any(line.split()[:1] == ["SeasonalNaive"] and " ok" in line for line in lines)
    assert lines[-1] == "next: predict --run-id small --cherry-pick"
    assert not any("\x1b" in line for line in lines), "control characters without a terminal"
    assert "snakemake runs/small" in (home / "runs/small/logs/snakemake.log").read_text()
    assert (home / "runs/small/SEALED").is_file()


def test_a_rerun_changes_nothing(home: Path) -> None:
    seal = sha256(home / "runs/small/SEALED")
    done = forerun(home, *TRAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sha256(home / "runs/small/SEALED") == seal
    assert forerun(home, "verify", "small").returncode == 0


def test_contradictions_from_any_source_are_refused(home: Path) -> None:
    before = contents(home / "runs")
    for more in (["--horizon", "5"], ["--set", "horizon=5"], ["--", "--config", "horizon=5"]):
        done = forerun(home, "train", "--run-id", "small", *more)
        assert done.returncode == 2
        assert "horizon is 3, requested 5; choose another run id" in done.stderr
    assert contents(home / "runs") == before


def test_dry_run_shows_the_plan_and_writes_nothing(home: Path) -> None:
    before = contents(home)
    done = forerun(home, *TRAIN, "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the run is sealed" in done.stdout
    done = forerun(home, "train", "-c", "small.yaml", "-d", "table.csv", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("run run_20")
    assert "new run" in done.stdout
    assert contents(home) == before


def planned(home: Path, *more: str) -> list[str]:
    """Return the plan of SeasonalNaive in a new run, by columns, and the line about the time."""
    done = forerun(home, "train", "-c", "small.yaml", "-d", "table.csv", "--dry-run", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    row = next(line for line in lines if line.split()[:1] == ["SeasonalNaive"])
    time = next((line for line in lines if line.startswith("time: ")), "")
    return [*filter(None, re.split(r"\s{2,}", row.strip())), time]


def test_dry_run_prints_reused_fits_and_estimated_times(home: Path) -> None:
    again = "new run; equal fits exist in small"
    assert planned(home) == ["SeasonalNaive", "reuse", "reuse", again, ""]
    retrained = ["SeasonalNaive", "train", "train", "new run"]
    *what, time = planned(home, "--set", "reuse=false")[:5]
    assert what == retrained
    assert re.fullmatch(r"about \d+ s", time)
    unknown = planned(home, "--horizon", "4")
    assert unknown == [*retrained, "no earlier run", "time: no earlier run with similar fits"]
    fewer = planned(home, "--n-windows", "1")
    assert fewer[1:4] == ["reuse", "train", again]


#: A rule that prints the resources of jobs, which Snakemake does not.
RESOURCES = """
from types import SimpleNamespace

include: "PROJECT/workflow/Snakefile"

def get_requested(wildcards, input):
    def ask(run_id, attempt=1):
        job = SimpleNamespace(run_id=run_id, model="SeasonalNaive")
        return get_training_memory(job, input, attempt)
    threads = get_settings("wide")["threads"]
    return [ask("next"), ask("next", 2), ask("other"), ask("other", 3), threads]

rule show:
    output: "shown.txt"
    params: requested=get_requested
    message: "requested {params.requested}"
    shell: "touch {output}"
"""


def test_jobs_request_the_memory_that_earlier_ones_needed(home: Path) -> None:
    from forerun.jobs.benchmark_files import read_benchmark

    files = (home / "runs/small/benchmarks").glob("*/SeasonalNaive*.tsv")
    needed = max(read_benchmark(path)["peak_memory_mb"] for path in files)
    options = ["--config", "data_file=table.csv", "models=DLinear"]
    config = home / "small.yaml"
    done = snakemake(home, "runs/next/config.yaml", *options, configfile=config)
    assert done.returncode == 0, done.stderr
    (home / "Resources").write_text(RESOURCES.replace("PROJECT", str(PROJECT)))
    done = snakemake(
        home, "shown.txt", "--dry-run", "--cores", "6", *options, "--snakefile", "Resources",
        configfile=config,
    )  # fmt: skip
    estimated = round(needed * 1.25 + 500)
    # Doubled on the second attempt. The run `other` does not exist, so its size is unknown.
    # Six cores are shared by two fits, which is decided when the run is created.
    requested = [estimated, 2 * estimated, 1500, 6000, 3]
    assert f"requested {' '.join(map(str, requested))}" in done.stdout + done.stderr, done.stderr
    assert load_yaml(home / "runs/small/config.yaml")["threads"] == 1  # all are statistical
    assert load_yaml(home / "runs/next/config.yaml")["threads"] == 1  # two cores, two fits


def test_snakemake_prints_the_same_table(home: Path) -> None:
    own = forerun(home, "list-runs").stdout
    assert "complete: config models metrics predictions plots" in own
    done = snakemake(home, "list-runs", configfile=None)
    assert done.returncode == 0, done.stderr
    assert own.strip() in done.stdout


def test_predictions_are_made_again_without_training(home: Path) -> None:
    import shutil

    before = contents(home / "runs/small/predictions")
    models = contents(home / "runs/small/models")
    shutil.rmtree(home / "runs/small/predictions")
    done = forerun(home, "predict", "--run-id", "small", "--no-plot")
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(home / "runs/small/predictions") == before
    assert contents(home / "runs/small/models") == models


def test_new_data_with_a_series_never_seen(home: Path) -> None:
    before = contents(home / "runs/small/predictions")
    write_table(home / "new data.csv", series=4, length=8)
    done = forerun(home, "predict", "-r", "small", "-d", "new data.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = home / "runs/small/inference/new-data"
    record = json.loads((folder / "record.json").read_text())
    assert record["data"]["sha256"] == sha256(home / "new data.csv")
    lines = (folder / "SeasonalNaive.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 3
    assert "series_3,2024-01-09" in (folder / "SeasonalNaive.csv").read_text()
    assert (folder / "plots" / "comparison_series_0.png").is_file()
    assert contents(home / "runs/small/predictions") == before


def test_a_refused_run_leaves_nothing_behind(home: Path) -> None:
    write_table(home / "short.csv", series=1, length=5)
    done = forerun(home, "train", "-r", "never", "-c", "small.yaml", "-d", "short.csv")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (home / "runs/never").exists()


def in_terminal(folder: Path, *arguments: str, columns: list[int]) -> tuple[int, str, list[str]]:
    """Run ``forerun <arguments>`` in a terminal whose width changes with each picture drawn.

    Returns
    -------
    The exit code, everything written, and the pictures of the board, without colors.
    """
    sizes = ("COLUMNS", "LINES")  # set by pytest's workers; the size must come from the terminal
    env = {name: value for name, value in environment().items() if name not in sizes}
    env["TERM"] = "xterm-256color"
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns[0]))
    written, heading = b"", b"State"
    name = os.ttyname(theirs)
    call = PROGRAMS.start(arguments, folder, env, "forerun", (name, name))
    while os.path.realpath(f"/proc/{call.pid}/fd/1") != name:  # until it has the terminal open
        time.sleep(0.01)
    os.close(theirs)
    with suppress(OSError):  # the error of reading from a terminal without writers
        while part := os.read(ours, 65536):
            written += part
            drawn = min(written.count(heading), len(columns) - 1)
            termios.tcsetwinsize(ours, (24, columns[drawn]))
    os.close(ours)
    code = call.wait(timeout=60)
    # Each picture starts where the previous one was erased, possibly within a line.
    text = written.decode().replace("\r", "").replace("\x1b[2K", "\n")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    pictures = re.findall(r"(?m)^ Model +State(?:.*\n)+?part +.*$", text)
    return code, text, pictures


def test_a_failed_model_is_named_and_the_command_ends_non_zero(home: Path) -> None:
    """The terminal becomes narrower during the call."""
    arguments = ["train", "-r", "part", "-c", "small.yaml", "-d", "table.csv"]
    arguments += ["-m", "DLinear", "--max-time", "0.5"]
    code, text, pictures = in_terminal(home, *arguments, columns=[140, 60])
    assert code == 1, text
    reason = r"it ran longer than max_time: 0.5 s"
    failure = rf"DLinear: final fit failed: {reason}.* \(log: .*logs/train_model/DLinear.log\)"
    assert re.search(failure, re.sub(r"\n", "", text))
    assert re.match(r" Model +State +Progress +Step +Loss +Time +Left", pictures[0])
    assert re.match(r" Model +State +Step +Left", pictures[-1])
    assert re.search(r"DLinear +✗ failed: it ran", pictures[-1])
    assert re.search(r"SeasonalN\S* +✓ done", pictures[-1])
    assert re.search(r"part +1 of 2 fits|part .*failed", pictures[-1])
    assert max(map(len, pictures[-1].splitlines())) <= 60
    assert "DLinear failed" in text
    assert "train --run-id part" in text.splitlines()[-1]
    listed = forerun(home, "list-runs", "--filter", "run_id=part").stdout
    assert "failed)" in listed
    assert forerun(home, "predict", "-r", "part", "-m", "DLinear").returncode == 2


def working_in(folder: Path) -> list[psutil.Process]:
    """Return the processes whose current folder is `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    ("number", "model"),
    [
        (signal.SIGINT, "Naive"),
        *(
            pytest.param(number, "DLinear", marks=pytest.mark.long)
            for number in (signal.SIGINT, signal.SIGTERM)
        ),
    ],
)
def test_ctrl_c_ends_everything_and_the_run_can_be_resumed(
    home: Path, tmp_path: Path, number: int, model: str
) -> None:
    """While a model trains, in a process of the call's own server or of that of all tests."""
    write_table(tmp_path / "table.csv", series=2, length=40)
    (tmp_path / "small.yaml").write_text(CONFIG)
    (output := tmp_path / "output.txt").touch()
    process = PROGRAMS.start(
        [*TRAIN, "-m", model, "-s", "1000000"], tmp_path,
        environment() | {TRAINING: "300"} | (OWN_SERVER if number == signal.SIGINT else {}),
        "forerun", (str(output), str(output)),
    )  # fmt: skip
    folder = tmp_path / "runs" / "small"
    until = time.monotonic() + 240
    while not list(folder.glob("logs/*/*.progress.json")):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < until, "training did not begin"
        time.sleep(0.2)
    assert len(working_in(tmp_path)) > 1
    process.send_signal(number)
    assert process.wait(timeout=60) == 128 + number, output.read_text()
    assert "stopped; resume with: train --run-id" in output.read_text()
    assert "Traceback" not in output.read_text()
    until = time.monotonic() + 5
    while working_in(tmp_path) and time.monotonic() < until:
        time.sleep(0.2)
    assert working_in(tmp_path) == []
    planned = forerun(tmp_path, "train", "--run-id", "small", "--dry-run")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "interrupted" in forerun(tmp_path, "list-runs").stdout
