"""Commands that need no training, on synthetic run folders."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import PROJECT, contents, write_table
from synthetic import make_run

from forerun.base.files import write_json
from forerun.cli.app import run
from forerun.cli.call import encode


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two finished runs and a failed one."""
    monkeypatch.chdir(tmp_path)
    make_run("runs", "exp1", models=2, series=3, horizon=6)
    make_run("runs", "exp2", models=2, series=3, horizon=6, noise=0.5)
    make_run("runs", "part", models=2, series=2, failed=["NHITS"], sealed=False)
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run ``forerun <arguments>``; return exit code, output and messages."""
    capsys.readouterr()
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def program(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "forerun.cli", *arguments], cwd=folder, text=True, timeout=120,
        capture_output=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "scripts")},
    )  # fmt: skip


# -- Help, and what is imported -----------------------------------------------------------------


def test_help_is_light(tmp_path: Path) -> None:
    code = (
        "import sys; from forerun.cli.app import run; run(['train', '--help']);"
        "heavy = {'torch', 'pandas', 'numpy', 'neuralforecast', 'snakemake', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "scripts")},
    )  # fmt: skip
    assert done.stderr.strip() == "[]"
    assert "--max-steps" in done.stdout


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("-r", "--run-id"), ("-c", "--config"), ("-d", "--data-file"), ("-o", "--output-dir"),
        ("-i", "--input-size"), ("-s", "--max-steps"), ("-m", "--models"), ("-n", "--n-windows"),
        ("-t", "--test-size"), ("-l", "--log-file"),
    ],
)  # fmt: skip
def test_short_forms(capsys: pytest.CaptureFixture[str], short: str, long: str) -> None:
    _, out, _ = call(capsys, "train", "--help")
    assert any(short in line.split() and long in line.split() for line in out.splitlines())


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    from forerun.cli.app import COMMANDS, load

    for name in COMMANDS:
        if load(name) is not None:
            code, out, _ = call(capsys, name, "--help")
            assert (code, "Usage" in out) == (0, True), name


# -- What users get wrong -----------------------------------------------------------------------

WRONG = {
    "unknown command": (["trian"], "No such command"),
    "unknown option": (["train", "--horizn", "3"], "No such option"),
    "stray word": (["train", "NHITS"], "unexpected extra argument"),
    "run id with slash": (["train", "--run-id", "a/b"], "run id 'a/b' is invalid"),
    "run id with dots": (["train", "--run-id", "../x"], "is invalid"),
    "run id with space": (["train", "--run-id", "a b"], "is invalid"),
    "absolute run id": (["train", "--run-id", "/tmp/x"], "is invalid"),
    "empty run id": (["train", "--run-id", ""], "is invalid"),
    "horizon 0": (["train", "--horizon", "0"], "horizon is 0; it must be an integer from 1"),
    "horizon text": (["train", "--horizon", "x"], "valid integer"),
    "model misspelt": (["train", "--models", "NHIT"], "did you mean 'NHITS'?"),
    "no data file": (["train", "-d", "nope.csv"], "data_file: 'nope.csv' does not exist"),
    "data file a folder": (["train", "-d", "runs"], "data_file: 'runs' is a folder"),
    "data file empty": (["train", "-d", "empty.csv"], "is empty"),
    "data without columns": (["train", "-d", "other.csv"], "unique_id"),
    "no configuration": (["train", "-c", "nope.yaml"], "--config: 'nope.yaml' does not exist"),
    "broken configuration": (["train", "-c", "broken.yaml"], "broken.yaml"),
    "unknown key": (["train", "--set", "horizn=3"], "did you mean 'horizon'?"),
    "no key": (["train", "--set", "horizon"], "not of the form key=value"),
    "output folder a file": (["train", "-o", "empty.csv"], "is a file, not a folder"),
    "no such directory": (["list-runs", "--directory", "nope"], "is not a folder"),
    "contradiction": (["train", "-r", "exp1", "--max-steps", "5000"], "max_steps is 50, requested"),
    "passing on": (["list-runs", "--", "-n"], "'--' is not allowed here"),
    "storage": (["train", "--", "--default-storage-provider", "s3"], "use snakemake itself"),
    "storage of a profile": (
        ["predict", "-r", "exp1", "--", f"--workflow-profile={PROJECT}/profiles/kubernetes"],
        "kubernetes/config.yaml: the commands work on runs in folders",
    ),
    "sort": (["list-runs", "--sort", "color"], "there is no column 'color'"),
    "no such run": (["predict", "-r", "exp3"], "there is no run 'exp3' in runs; the nearest: exp"),
    "run of predict": (["predict", "-r", "../exp1"], "is invalid"),
    "no such model": (["predict", "-r", "exp1", "-m", "NHIT"], "did you mean 'NHITS'?"),
    "failed model": (["predict", "-r", "part", "-m", "NHITS"], "failed: NHITS could not be"),
    "no such series": (["predict", "-r", "exp1", "-u", "x"], "there is no series 'x'"),
    "name outside": (["predict", "-r", "exp1", "--name", "../x"], "cannot name a folder"),
    "best and random": (["predict", "--cherry-pick", "--best", "--random"], "cannot be combined"),
    "new data missing": (["predict", "-r", "exp1", "-d", "nope.csv"], "does not exist"),
    "new data a folder": (["predict", "-r", "exp1", "-d", "runs"], "is a folder"),
    "new data without columns": (["predict", "-r", "exp1", "-d", "other.csv"], "unique_id"),
    "show": (["show", "exp"], "the nearest: exp"),
    "compare one": (["compare", "exp1"], "needs two different runs"),
    "compare itself": (["compare", "exp1", "exp1"], "needs two different runs"),
    "rename onto": (["rename", "exp1", "exp2", "--yes", "--force"], "run 'exp2' exists"),
    "rename badly": (["rename", "exp1", "a/b", "--yes", "--force"], "is invalid"),
    "rename sealed": (["rename", "exp1", "exp9", "--yes"], "only with --force"),
    "delete sealed": (["delete", "exp1", "--yes"], "only with --force"),
    "delete unasked": (["delete", "part"], "--yes"),
    "delete outside": (["delete", "..", "--yes", "--force"], "is invalid"),
    "import nothing": (["import", "nope.tar.gz"], "does not exist"),
    "import no archive": (["import", "other.csv"], "cannot be read as a tar.gz"),
    "verify unsealed": (["verify", "part"], "is not sealed"),
    "engine": (["list-models", "--engine", "neural"], "did you mean 'neuralforecast'?"),
    "overwriting": (["generate-config", "other.csv"], "exists and is not overwritten"),
    "project in a file": (["init", "other.csv"], "'other.csv' is not a folder"),
    "project below a file": (["init", "other.csv/mine"], "'other.csv' is not a folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_user_errors_are_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    (home / "empty.csv").touch()
    (home / "other.csv").write_text("a,b\n1,2\n")
    (home / "broken.yaml").write_text("horizon: [")
    before = contents(home)
    arguments, message = WRONG[case]
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1, err
    assert err.startswith("forerun: error: ")
    assert "Traceback" not in out + err
    assert contents(home) == before, "something was written"


# -- list-runs ----------------------------------------------------------------------------------


def test_list_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list-runs")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[2:]} == {"exp1", "exp2", "part"}
    assert "partial (1 failed)" in out
    _, out, _ = call(capsys, "list-runs", "--filter", "status=complete horizon=6", "--json")
    assert {row["run_id"] for row in json.loads(out)} == {"exp1", "exp2"}
    _, out, _ = call(capsys, "list-runs", "--limit", "1", "--csv", "--sort", "error")
    assert out.splitlines()[1].startswith("exp2,")
    _, out, _ = call(capsys, "list-runs", "--filter", "horizon=99")
    assert out == "no matching runs in runs (3 in total)\n"


def test_list_runs_elsewhere(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list-runs", "--output-dir", "nothing/here")
    assert (code, out.split(":")[0]) == (0, "no runs yet")
    shutil.move("runs", home / "results" / "runs") if (home / "results").mkdir() is None else None
    _, out, _ = call(capsys, "list-runs", "-o", "results/")
    assert "exp1" in out
    (home / "config").mkdir()
    (home / "config" / "config.yaml").write_text("output_dir: results\n")
    _, out, _ = call(capsys, "list-runs")
    assert "exp1" in out


def test_a_closed_pipe(home: Path) -> None:
    make_run(home / "runs", "long_" + "name_" * 10 + "end", models=1, series=1)
    command = f"{sys.executable} -m forerun.cli list-runs --json | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=home, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "scripts")},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_runs(home: Path, runs: int) -> None:
    for number in range(runs):
        folder = home / "many" / "runs" / f"run_{number:05}"
        folder.mkdir(parents=True)
        for name in ("config.yaml", "leaderboard.csv", "provenance.json", "SEALED"):
            os.link(home / "runs" / "exp1" / name, folder / name)
    done = program("list-runs", "-o", "many", folder=home)
    assert done.stdout.count("complete") == runs


# -- train, as far as it does not train ----------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, 5, 0.25, "text", "007", "1e5", "true", "a b", "it's; $(x) `y`", "ä", "{a: b}"],
)
def test_snakemake_parses_encoded_values_back(value: object) -> None:
    from snakemake.cli import parse_config

    assert parse_config([f"key={encode(value)}"]) == {"key": value}


@pytest.mark.parametrize("value", [["NHITS", "NBEATS"], ["a b", "c"], []])
def test_snakemake_reads_back_lists(value: list[str]) -> None:
    from snakemake.cli import parse_config

    read = parse_config([f"key={encode(value)}"])["key"]
    assert (read.split(",") if isinstance(read, str) else read) == value


def test_a_run_in_use_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    import psutil

    other = psutil.Process(os.getppid())
    me = {"pid": other.pid, "create_time": other.create_time()}
    me |= {"host": socket.gethostname(), "user": "ada", "started_at": "2026-01-01T00:00:00+00:00"}
    write_json(home / "runs/part/logs/session.json", me)
    for arguments in (["train", "-r", "part"], ["rename", "part", "x", "--yes"],
                      ["delete", "part", "--yes"], ["export", "part"]):  # fmt: skip
        code, _, err = call(capsys, *arguments)
        assert code == 2
        assert f"run 'part' is in use by ada (process {other.pid} on" in err


def test_stale_locks_of_this_run_only_are_cleared(home: Path) -> None:
    from forerun.cli.locks import held

    locks = home / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("runs/part/metrics.csv\n")
    (locks / "1.output.lock").write_text("runs/partial/metrics.csv\nruns/exp1/x\n")
    with held(Path("runs/part")):
        assert [path.name for path in locks.iterdir()] == ["1.output.lock"]


def test_the_same_run_twice_is_refused(home: Path) -> None:
    from forerun.base.errors import UserError
    from forerun.cli.locks import held

    with (
        held(Path("runs/part")),
        pytest.raises(UserError, match=f"in use by process {os.getpid()}"),
        held(Path("runs/part")),
    ):
        pass
    with held(Path("runs/part")):
        pass


@pytest.mark.parametrize(
    "arguments",
    [["delete", "part", "--yes"], ["rename", "part", "x", "--yes"], ["export", "part"]],
)
def test_a_run_is_in_use_before_its_session_is_written(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """A command holds the lock, or a plain snakemake starts."""
    from forerun.cli.locks import held

    before = contents(home)
    with held(Path("runs/part")):
        code, _, err = call(capsys, *arguments)
    assert code == 2
    assert "run 'part' is in use by process" in err
    script = "import time; print('started', flush=True); time.sleep(60)"
    named = [sys.executable, "-c", script, "snakemake", "--cores", "1"]
    for words, busy in ((["runs/part/plots"], True), (["runs/part2/plots"], False)):
        process = subprocess.Popen([*named, *words], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        try:
            if busy:
                code, _, err = call(capsys, *arguments)
                assert code == 2
                assert "run 'part' is in use by another Snakemake" in err
                assert contents(home) == before
            else:
                code, _, err = call(capsys, *arguments)
                assert code == 0, err
        finally:
            process.kill()
            process.wait()
    assert not list(home.rglob("command.lock"))


def test_commands_sweep_leftovers_of_killed_ones(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["delete", "nothing"], ["rename", "nothing", "x"], ["import", "nothing"]):
        (home / "runs/.tmp-0123456789ab-exp9").mkdir()
        call(capsys, *arguments)
        assert not (home / "runs/.tmp-0123456789ab-exp9").exists(), arguments


@pytest.mark.parametrize("stream", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams(home: Path, stream: str) -> None:
    command = f"{sys.executable} -m forerun.cli list-runs {stream}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=home)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from forerun.runs import session

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert session.user() == f"uid {os.getuid()}"


# -- predict with existing runs ------------------------------------------------------------------


def test_cherry_pick_takes_the_easiest_series(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas as pd

    before = contents(home / "runs/exp1/predictions")
    metrics = pd.read_csv(home / "runs/exp1/metrics.csv")
    mae = metrics[metrics["metric"] == "mae"].set_index("unique_id").drop(columns="metric")
    easiest = mae.mean(axis=1).idxmin()
    code, out, err = call(capsys, "predict", "-r", "exp1", "--cherry-pick")
    assert code == 0, err
    assert f"series {easiest} (lowest mean error" in out
    picture = home / f"runs/exp1/comparisons/comparison_{easiest}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not (
        home / "runs/exp1/plots"
    ).exists()  # an output of the workflow, which replaces it completely
    saved = home / f"runs/exp1/inference/cherry_pick_{easiest}"
    assert {path.stem for path in saved.glob("*.csv")} == {*mae.columns, "all"}
    table = pd.read_csv(saved / "NHITS.csv")
    assert set(table["unique_id"]) == {easiest}
    assert len(table) == 6
    assert contents(home / "runs/exp1/predictions") == before


def test_cherry_pick_at_random_is_repeatable(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["predict", "-r", "exp1", "--cherry-pick", "--random", "--no-plot"]
    options.append("--no-save-predictions")
    first = call(capsys, *options, "--seed", "1")[1]
    assert call(capsys, *options, "--seed", "1")[1] == first
    lines = {call(capsys, *options, "--seed", str(seed))[1].splitlines()[0] for seed in range(8)}
    assert len(lines) > 1
    assert not (home / "runs/exp1/inference").exists()
    assert not (home / "runs/exp1/plots").exists()


def test_predict_chosen_series_and_models(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(
        capsys, "predict", "-r", "exp1", "-m", "NHITS", "-u", "series_0000", "-u", "series_0002",
        "--no-plot",
    )  # fmt: skip
    assert code == 0
    record = json.loads((home / "runs/exp1/inference/selection/record.json").read_text())
    assert (record["models"], record["series"]) == (["NHITS"], 2)
    assert len(record["data"]["sha256"]) == 64
    assert "inference/selection" in out


def test_predict_takes_the_newest_complete_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run_id, year in (("exp1", 2028), ("exp2", 2027), ("part", 2029)):
        path = home / "runs" / run_id / "provenance.json"
        write_json(
            path, json.loads(path.read_text()) | {"created_at": f"{year}-01-01T00:00:00+00:00"}
        )
    code, out, _ = call(capsys, "predict", "-u", "series_0000", "--no-plot")
    assert (code, out.splitlines()[0]) == (0, "run exp1 (the newest complete one)")


def test_a_damaged_model_is_refused_by_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "runs/exp1/models/NHITS/model.json"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    code, _, err = call(capsys, "predict", "-r", "exp1", "--cherry-pick")
    assert code == 2
    assert "model 'NHITS' of run 'exp1' is damaged (changed models/NHITS/model.json)" in err
    assert call(capsys, "predict", "-r", "exp1", "-m", "NBEATS", "--no-plot")[0] == 0
    assert call(capsys, "predict", "-r", "exp1", "--cherry-pick", "--no-verify")[0] == 0
    code, out, _ = call(capsys, "verify", "exp1")
    assert (code, out.splitlines()[0]) == (1, "changed: models/NHITS/model.json")
    assert call(capsys, "verify", "exp2")[0] == 0


def test_old_models_are_used_with_a_warning(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "models").mkdir()
    (home / "models" / "NHITS_0.ckpt").write_bytes(b"pickle")
    code, _, err = call(capsys, "predict")
    assert code == 2
    assert "not recommended" in err.splitlines()[0]
    assert "executes any code in it" in err.splitlines()[1]
    code, _, err = call(capsys, "predict", "--trust")
    assert code == 2
    assert "cannot load a model of an older" in err


# -- Everything else ----------------------------------------------------------------------------


def test_compare(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "compare", "exp1", "exp2", "--metric", "mae")
    assert code == 0, err
    marked = [line.split() for line in out.splitlines() if " *" in line]
    assert marked
    for line in marked:  # the mark stands at the lower error
        values = [float(word) for word in line if word[0].isdigit()]
        assert line[line.index("*") - 1] == min(
            line[-3:], key=lambda w: float(w) if w != "*" else 9e9
        )
        assert len(values) == 2
    assert (home / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_compare_does_not_rank_incomparable_runs(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run("runs", "far", models=2, series=3, horizon=12, levels=[80, 95])
    code, out, _ = call(capsys, "compare", "exp1", "far", "--no-plot")
    assert code == 0
    assert re.search(r"levels +none +80, 95", out)
    assert "not comparable and not ranked: horizon differs (6, 12)" in out
    assert " *" not in out


@pytest.mark.parametrize("width", [60, 80, 400])
def test_leaderboard_fits_the_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    width: int,
) -> None:  # fmt: skip
    from forerun.cli import console

    monkeypatch.setattr(console, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    path = Path("runs/exp1/leaderboard.csv")
    made = console.leaderboard(console.leaderboard_rows(path), path, metric="rmse")
    assert made is not None
    console.show(made)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert max(map(len, lines)) <= width
    shown = lines[0].split()
    assert {"model", "rmse", "skill", "status"} <= set(shown)
    with Path("runs/exp1/leaderboard.csv").open() as file:
        names, *rows = csv.reader(file)
    left_out = len(names) - 2 - len(made.columns)  # rank and reason are never shown
    assert (left_out > 0) == (width < 100)
    assert [line.split()[0] for line in lines if " ok" in line] == [row[0] for row in rows]
    assert (f"{left_out} more columns" in lines[-1]) == bool(left_out)


def test_show(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "show", "part")
    assert code == 0
    assert "run part: partial (1 failed)" in out
    assert "NHITS could not be trained: loss is NaN" in out
    assert "runs/part/leaderboard.csv" in out
    (home / "runs/part/config.yaml").write_text("horizon: [")
    assert call(capsys, "show", "part")[0] == 2


def test_show_prints_completed_fits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Defaults are shown next to settings; a model is ok if all of its fits are."""
    run = make_run("runs", "half", models=2, series=2, sealed=False)
    for name in ("leaderboard.csv", "metrics.csv", "status", "parts/NHITS/fold_0.json"):
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    _, out, _ = call(capsys, "show", "half")
    assert "differ" not in out
    lines = [line.split() for line in out.splitlines()]
    assert ["max_steps", "50", "null"] in lines
    assert ["n_windows", "3", "3"] in lines or ["n_windows", "1", "3"] in lines
    (nhits,) = [line for line in out.splitlines() if line.split()[:1] == ["NHITS"]]
    assert "1 of 2 fits completed" in nhits
    (naive,) = [line for line in out.splitlines() if line.split()[:1] == ["SeasonalNaive"]]
    assert naive.split()[1] == "ok"
    (run / "parts/NHITS/final.json").unlink()
    write_json(run / "parts/NHITS/fold_0.json", {"status": "skipped"})
    assert "NHITS           stopped" in call(capsys, "show", "half")[1]


def test_a_run_that_has_just_been_started_is_running(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command locks the run before Snakemake's first job writes the session file."""
    from forerun.cli.locks import held
    from forerun.runs import session
    from forerun.runs.listing import read_run

    run = home / "runs" / "new"
    with held(run):
        assert session.is_running(run)
        assert read_run(run).state == "running"
        looks = iter([True, True, False])
        monkeypatch.setattr(session, "is_running", lambda folder: next(looks, False))
        assert "is not in use" not in call(capsys, "watch", "new", "--plain")[1]
    monkeypatch.undo()
    monkeypatch.chdir(home)
    assert not session.is_running(run)
    make_run("runs", "left", models=1, series=1, sealed=False)
    (home / "runs/left/logs").mkdir(exist_ok=True)
    (home / "runs/left/logs/command.lock").write_text("999999999")
    assert not session.is_running("runs/left")
    assert "run 'left' is not in use" in call(capsys, "watch", "left")[1]


@pytest.mark.parametrize("given", [[], ["--output-dir", "out"], ["--directory", "."]])
def test_suggested_commands_are_for_the_same_run(
    home: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    from forerun.runs.archive import export_run

    if "out" in given:
        shutil.move("runs", "out/runs") if (home / "out").mkdir() is None else None
    runs = home / "out/runs" if "out" in given else home / "runs"
    export_run(runs / "exp1", home / "exp1.tar.gz")
    _, out, _ = call(capsys, "import", "exp1.tar.gz", "--run-id", "exp5", *given)
    assert out.splitlines()[-1] == " ".join(["next: predict --run-id exp5", *given])


def test_next_commands_of_train() -> None:
    from forerun.cli.workspace import Workspace, enter

    enter(None)
    work = Workspace("my runs")
    assert work.next("train", "--run-id", "x", extras=["--profile", "p"]) == (
        "train --run-id x --output-dir 'my runs' -- --profile p"
    )
    assert Workspace().next("predict", "--run-id", "x") == "predict --run-id x"


@pytest.mark.parametrize("extras", [["--executor", "slurmy"], ["-e", "slurmy"], ["--profile", "p"]])
def test_an_executor_without_its_plugin(
    home: Path, capsys: pytest.CaptureFixture[str], extras: list[str]
) -> None:
    (home / "profiles" / "p").mkdir(parents=True)
    (home / "profiles" / "p" / "config.yaml").write_text("executor: slurmy\n")
    code, _, err = call(capsys, "train", "--run-id", "new", "--", *extras)
    assert code == 2
    assert "needs a Snakemake plugin that is not installed; install it with: pip install " in err
    assert err.rstrip().endswith("snakemake-executor-plugin-slurmy")
    assert len(err.splitlines()) == 1
    assert not (home / "runs/new").exists()


def test_an_executor_of_snakemake_needs_no_plugin() -> None:
    from forerun.cli.snakemake import refuse_missing_executor

    refuse_missing_executor(["--executor", "local", "--cores", "2"])
    refuse_missing_executor(["--profile", str(PROJECT / "profiles/default"), "-n"])


def test_every_command_has_the_short_help(capsys: pytest.CaptureFixture[str]) -> None:
    from forerun.cli.app import COMMANDS

    for words in ([], *([name] for name in COMMANDS)):
        code, out, _ = call(capsys, *words, "-h")
        assert (code, "Usage" in out) == (0, True), words
    capsys.readouterr()
    assert run(["-h"], only="train") == 0
    assert "--max-steps" in capsys.readouterr().out


def test_rename_and_delete(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(home / "runs/exp1")
    assert call(capsys, "rename", "exp1", "exp9", "--yes", "--force")[0] == 0
    assert contents(home / "runs/exp9") == before
    assert call(capsys, "verify", "exp9")[0] == 0
    assert call(capsys, "delete", "exp9", "--yes", "--force")[0] == 0
    assert call(capsys, "delete", "part", "--yes")[0] == 0
    assert [path.name for path in (home / "runs").iterdir()] == ["exp2"]


def test_export_then_import_then_predict(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(capsys, "export", "exp1")[0] == 0
    other = tmp_path / "other"
    other.mkdir()
    assert call(capsys, "import", "exp1.tar.gz", "--directory", str(other))[0] == 0
    assert "exp1" in call(capsys, "list-runs")[1]  # --directory has changed the folder
    assert Path.cwd() == other
    assert call(capsys, "predict", "--cherry-pick", "--no-plot")[0] == 0


def test_list_models(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list-models", "--json")
    models = {item["model"]: item for item in json.loads(out)}
    assert code == 0
    assert models["NHITS"] | {"historic": True, "future": True, "static": True} == models["NHITS"]
    assert not models["DLinear"]["historic"]
    _, out, _ = call(capsys, "list-models", "--family", "recurrent")
    assert "LSTM" in out
    assert "NHITS" not in out


def test_list_models_of_each_engine(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only NeuralForecast's Auto models, which run trials, need --auto."""
    for engine in ("neuralforecast", "statsforecast", "mlforecast"):
        code, out, _ = call(capsys, "list-models", "--engine", engine)
        assert code == 0
        listed = [line.split()[0] for line in out.splitlines() if line.strip()]
        assert ("AutoETS" in listed) == (engine == "statsforecast")
        assert "AutoNHITS" not in listed
    assert "AutoNHITS" in call(capsys, "list-models", "--auto")[1]


def test_list_models_without_the_library(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from forerun.config import engines

    installed = engines.version
    gone = {"mlforecast", "lightgbm"}
    monkeypatch.setattr(engines, "version", lambda name: None if name in gone else installed(name))
    code, out, err = call(capsys, "list-models", "--engine", "mlforecast")
    assert (code, err) == (0, "")
    assert "needs the packages mlforecast and lightgbm; install them with: pip install" in out
    assert "use one with" not in out


def test_list_models_of_another_version(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from forerun.config import engines

    installed = engines.version
    newer = {"mlforecast": "99.0"}
    monkeypatch.setattr(engines, "version", lambda name: newer.get(name) or installed(name))
    code, _, err = call(capsys, "list-models", "--engine", "mlforecast")
    assert code == 0
    assert "the model catalog was generated for mlforecast" in err
    assert "(99.0 is installed)" in err
    assert len(err.splitlines()) == 1


def test_generate_config_can_be_used(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from forerun.config.settings import load_yaml, resolve

    assert call(capsys, "generate-config", "mine/first.yaml")[0] == 0
    text = (home / "mine/first.yaml").read_text()
    assert resolve(load_yaml(home / "mine/first.yaml")) == resolve({})
    assert text.count("#") > 40


def test_generate_config_names_a_schema_that_exists(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "generate-config", "mine.yaml")
    named = re.search(r"\$schema=(.*)", (home / "mine.yaml").read_text())
    assert named is not None
    assert Path(named[1]).is_file()


def test_init_writes_a_project(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "init", "mine")
    assert code == 0
    assert "next: cd mine; train" in out
    mine = home / "mine"
    assert "include: WORKFLOW" in (mine / "Snakefile").read_text()
    assert "/runs/" in (mine / ".gitignore").read_text().splitlines()
    profiles = {path.parent.name for path in mine.glob("profiles/*/config.yaml")}
    assert profiles == {path.name for path in (PROJECT / "profiles").iterdir()}
    from forerun.config.settings import load_yaml, resolve

    assert resolve(load_yaml(mine / "config" / "config.yaml")) == resolve({})


@pytest.mark.parametrize(
    "taken", ["Snakefile", "config/config.yaml", "config", "profiles/slurm/config.yaml", "profiles"]
)
def test_init_overwrites_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], taken: str
) -> None:
    (home / taken).parent.mkdir(parents=True, exist_ok=True)
    (home / taken).write_text("mine")
    before = contents(home)
    code, out, err = call(capsys, "init")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert f"already has {taken}, and nothing is overwritten" in err
    assert contents(home) == before


def test_init_keeps_an_existing_gitignore(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".gitignore").write_text("mine")
    (home / "profiles").mkdir()  # an empty folder does not prevent init
    code, out, _ = call(capsys, "init")
    assert code == 0
    assert ".gitignore: exists and was not changed; it should contain /runs/" in out
    assert (home / ".gitignore").read_text() == "mine"
    assert (home / "Snakefile").is_file()


def test_generate_config_does_not_copy_an_edited_configuration(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from forerun.base import resources
    from forerun.config.settings import load_yaml, resolve

    edited = home / "config" / "config.yaml"
    edited.parent.mkdir()
    edited.write_text("horizon: 99\n")
    monkeypatch.setattr(resources, "CONFIG", edited)
    monkeypatch.setattr(resources, "SCHEMA", home / "workflow/schemas/config.schema.yaml")
    assert call(capsys, "generate-config", "new.yaml")[0] == 0
    assert resolve(load_yaml(home / "new.yaml")) == resolve({})


def test_migrate(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = home / "data" / "output"
    (output / "models").mkdir(parents=True)
    (output / "models" / "NHITS_0.ckpt").write_bytes(b"pickle")
    (output / "metrics.csv").write_text("unique_id,metric,NHITS\na,mae,2.0\n")
    before = contents(home)
    code, out, _ = call(capsys, "migrate", "-o", "data/output", "--dry-run")
    assert (code, contents(home)) == (0, before)
    assert "archive: data/old_output_backup_" in out
    assert call(capsys, "migrate", "-o", "data/output")[0] == 0
    assert [path.name for path in output.iterdir()] == ["runs"]
    assert len(list((home / "data").glob("old_output_backup_*.tar.gz"))) == 1
    _, out, _ = call(capsys, "list-runs", "-o", "data/output")
    assert "imported: config models metrics" in out
    code, out, _ = call(capsys, "migrate", "-o", "data/output")
    assert (code, out.split(":")[0]) == (0, "nothing to migrate")


def test_a_read_only_folder_is_one_line(home: Path) -> None:
    table = write_table(home / "table.csv")
    (home / "locked").mkdir()
    (home / "locked").chmod(0o555)
    if os.access(home / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    done = program("train", "-d", str(table), "-o", "locked", folder=home)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
