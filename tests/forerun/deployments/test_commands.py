"""The commands of deployments as typed by a user, and user errors."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from deploying import ALL, TRAINED, until
from forking import Forked
from pages import data_of
from running import snakemake

from forerun.api import open_run
from forerun.base.files import sha256
from forerun.cli.app import run as forerun
from forerun.deployments import actuals, backfilling, origins, summaries
from forerun.deployments.folder import Deployment
from forerun.runs.paths import run_folders

DEPLOY = ["deploy", "sales", "--run-id", "naive", "--data-file", "sales.csv", "--every", "1W"]
Capture = pytest.CaptureFixture[str]


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process that can be killed and has imported everything."""
    return Forked(
        ["forerun", *arguments], lambda: forerun(arguments),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


# -- The table ------------------------------------------------------------------------------------


def test_the_table_of_deployments(sales: Deployment, capsys: Capture) -> None:
    assert forerun(["challenge", "sales", "--run-id", "other"]) == 0
    second = ["deploy", "second", *DEPLOY[2:]]
    assert forerun([*second, "--data-file", until(TRAINED)]) == 0
    assert forerun(["forecast", "sales"]) == 0
    shutil.copytree("deployments/second", "deployments/third")
    (Path("deployments/third") / "champions.jsonl").write_text("damaged")
    capsys.readouterr()
    assert forerun(["deployments"]) == 0
    shown = capsys.readouterr()
    rows = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines() if line.strip()}
    (origin,) = origins.origins(sales)
    assert rows["sales"][0] == "naive"
    assert rows["sales"][2:] == ["other", "1", origin.name]
    assert rows["second"][0] == "naive"
    assert rows["second"][-3:] == ["0", "none", "yet"]
    assert "third" not in rows
    assert "third" in shown.err


def test_no_deployments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    assert forerun(["deployments"]) == 0
    assert capsys.readouterr().out.startswith("no deployments; create one with 'forerun deploy ")


# -- @NAME ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["show", "@sales"], "run naive: complete"),
        (["verify", "@sales"], "run naive matches its seal"),
        (["train", "--run-id", "@sales", "--dry-run"], "run naive (exists)"),
        (["watch", "@sales"], "run 'naive' is not in use"),
        (["compare", "@sales", "other"], "naive"),
        (["export", "@sales"], "naive.tar.gz"),
        (["challenge", "sales", "--run-id", "other"], "run other challenges naive"),
        (["promote", "sales", "--run-id", "@sales"], "run naive is in service already"),
        (["predict", "--run-id", "@sales", "-d", "sales.csv", "--no-plot"], "SeasonalNaive"),
        (["challenge", "second", "--run-id", "@sales"], "run naive challenges other"),
    ],
)
def test_the_run_in_service_has_a_name(
    sales: Deployment, command: list[str], shown: str, capfd: Capture
) -> None:
    assert forerun(["deploy", "second", "--run-id", "other", "--data-file", "sales.csv"]) == 0
    capfd.readouterr()
    assert forerun(command) == 0
    assert shown in capfd.readouterr().out


def test_the_name_follows_the_champion(sales: Deployment) -> None:
    assert open_run("@sales").run_id == "naive"
    assert forerun(["promote", "sales", "-r", "other", "--force", "--reason", "a test"]) == 0
    assert open_run("@sales").run_id == "other"
    assert forerun(["rollback", "sales"]) == 0
    assert open_run("@sales").run_id == "naive"


def test_a_run_in_service_is_not_deleted_or_renamed(sales: Deployment, capfd: Capture) -> None:
    for command in (["delete", "naive", "--yes"], ["rename", "naive", "new", "--yes"]):
        assert forerun(command) == 2
        assert "run 'naive' is in service in deployment sales" in capfd.readouterr().err
    assert forerun(["delete", "@sales", "--yes", "--force"]) == 0
    assert "deleted run naive" in capfd.readouterr().out
    assert forerun(["forecast", "sales"]) == 2
    assert "run 'naive', champion of 'sales', is missing" in capfd.readouterr().err


# -- Training again -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_retrained_run_is_a_challenger_with_the_champions_settings(
    sales: Deployment, capfd: Capture
) -> None:
    until(TRAINED + 14)
    assert forerun(["retrain", "sales", "--run-id", "again", "--set", "n_windows=2"]) == 0
    assert "run again challenges naive" in capfd.readouterr().out
    assert [line.run_id for line in sales.challenging()] == ["again"]
    again, before = open_run("runs/again").config, open_run("runs/naive").config
    assert again["n_windows"] == 2
    assert {k for k in again if again[k] != before[k]} <= {
        "run_id", "data_file", "n_windows", "plot_series", "output_dir",
    }  # fmt: skip
    # A challenger trained on values after the origin does not forecast there.
    assert forerun(["backfill", "sales", "--from", "2024-03-07", "--every", "1W"]) == 0
    early = origins.origins(sales)[0]
    assert set(early.forecasts()["run_id"]) == {"naive"}
    assert "challenger again: skipped, because it was trained on data up to 2024-03-14" in str(
        early.record["problems"]
    )
    assert set(origins.origins(sales)[-1].forecasts()["run_id"]) == {"naive", "again"}


@pytest.mark.slow
@pytest.mark.usefixtures("forked", "home")
def test_backfill_trains_runs_that_see_nothing_of_the_future(capfd: Capture) -> None:
    """A planted spike after the first origin changes no forecast there, and is resumed."""
    whole = pd.read_csv(until(TRAINED - 6))
    spiked = whole.assign(y=whole["y"].where(whole["ds"] <= "2024-02-16", 1e6))
    whole.to_csv("clean.csv", index=False)
    spiked.to_csv("spiked.csv", index=False)
    tables, series = [], []
    for name in ("clean", "spiked"):
        file = ["--data-file", f"{name}.csv"]
        assert forerun(["deploy", name, "--run-id", "naive", *file]) == 0
        command = ["backfill", name, "--from", "2024-02-16", "--every", "6D", "--retrain"]
        assert forerun(command) == 0
        first, second = origins.origins(Deployment(Path("."), name))
        assert [first.name, second.name] == ["2024-02-16", "2024-02-22"]
        assert set(second.record["runs"]) == {f"{name}_2024-02-16"}  # the newest usable run
        run = open_run(f"runs/{name}_2024-02-16")
        assert run.provenance["data"]["end"].startswith("2024-02-16")
        tables.append(first.forecasts().drop(columns="run_id"))
        series.append(first.series())
        capfd.readouterr()
        assert forerun(command) == 0
        assert "no run to train" in capfd.readouterr().out
        assert not list(Path(f"deployments/{name}/tables").glob("*"))
    pd.testing.assert_frame_equal(*tables)
    pd.testing.assert_frame_equal(*series)
    assert forerun(["score", "clean"]) == forerun(["monitor", "clean"]) == 0
    names = data_of(Path("deployments/clean/monitor.html"))["models"]
    assert any(name.endswith("trained for backfill") for name in names)


def test_retraining_in_a_backfill_follows_the_policy(sales: Deployment) -> None:
    def needed(policy: str) -> list[str]:
        text = sales.config.read_text().replace("retrain: never", f"retrain: {policy}")
        one = Deployment(Path("."), "policy")
        one.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(sales.champions, one.champions)
        one.config.write_text(text)
        asked = backfilling.Request.of(one, "2024-02-01", "1W", None)
        return [run.run_id for run in backfilling.needed(one, asked)]

    assert needed("never") == ["policy_2024-02-01"]
    assert needed("{every: 2W}") == ["policy_2024-02-01", "policy_2024-02-15"]


# -- Snakemake ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_target_of_the_workflow_does_everything_that_is_due(
    sales: Deployment, home: Path
) -> None:
    target = "deployments/sales/monitor.html"
    done = snakemake(home, target, configfile=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [one.name for one in origins.origins(sales)] == ["2024-02-29"]
    assert "<html" in sales.monitor.read_text()[:200]
    before = sha256(sales.monitor)
    done = snakemake(home, target, configfile=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sha256(sales.monitor) == before
    until(TRAINED + 7)
    done = snakemake(home, target, configfile=None)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [one.name for one in origins.origins(sales)] == ["2024-02-29", "2024-03-07"]
    assert len(summaries.by_step(sales)) > 0


# -- Kills, and calls at once ---------------------------------------------------------------------


def state(one: Deployment) -> dict[str, object]:
    """Return the files of a deployment without creation times."""
    found: dict[str, object] = {}
    for origin in origins.origins(one):
        assert origin.problems() == []
        found[origin.name] = origin.forecasts().to_csv()
    found["actuals"] = actuals.latest(actuals.read(one)).drop(columns="as_of").to_csv()
    found["scores"] = summaries.by_step(one).drop(columns="as_of", errors="ignore").to_csv()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_kills_at_any_moment_lose_nothing(sales: Deployment, seed: int) -> None:
    """A rerun completes the work, with the result of an undisturbed call."""
    moments = random.Random(seed)
    days = (TRAINED, TRAINED + 7, TRAINED + 14)
    shutil.copytree("deployments", "aside/deployments")
    Path("aside/runs").symlink_to(Path("runs").absolute())
    alone = Deployment(Path("aside"), "sales")
    seconds = []
    for day in days:
        until(day)
        began = time.monotonic()
        assert forerun(["update", "sales", "--output-dir", "aside"]) == 0
        seconds.append(time.monotonic() - began)
    killed = 0
    for day in days:
        until(day)
        process = start("update", "sales")
        for _ in range(2):
            time.sleep(moments.uniform(0, min(seconds)))
            process.kill()
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            process = start("update", "sales")
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
    assert killed > 0
    assert state(sales) == state(alone)
    for path in sales.folder.rglob(".tmp-*"):
        os.utime(path, (0, 0))  # new files may still be incomplete
    with sales.locked():
        pass
    assert not list(sales.folder.rglob(".tmp-*"))


@pytest.mark.slow
def test_two_updates_at_once(sales: Deployment) -> None:
    calls = [start("update", "sales") for _ in range(2)]
    ended = [(call.communicate(timeout=300), call.returncode) for call in calls]
    codes = sorted(code for _, code in ended)
    assert codes in ([0, 0], [0, 2])
    for (_, err), code in ended:
        assert code == 0 or "deployment 'sales' is in use by another call" in err
    assert [one.name for one in origins.origins(sales)] == ["2024-02-29"]
    assert len(sales.vintages()) == 1
    assert forerun(["update", "sales"]) == 0


# -- Data change ----------------------------------------------------------------------------------


def test_changes_raise_an_alarm_that_names_them(sales: Deployment, capfd: Capture) -> None:
    assert forerun(["update", "sales"]) == 0
    assert forerun(["monitor", "sales", "--fail-if", "data_changes>0"]) == 0
    until(TRAINED + 7)
    frame = pd.read_csv("sales.csv")
    extra = frame[frame["unique_id"] == "series_1"].assign(unique_id="fresh")
    pd.concat([frame, extra]).to_csv("sales.csv", index=False)
    assert forerun(["update", "sales"]) == 0
    assert "1 series new: 'fresh'" in capfd.readouterr().err
    assert forerun(["monitor", "sales", "--fail-if", "data_changes>0"]) == 1
    assert "data_changes>0: 1 series new: 'fresh'" in capfd.readouterr().err
    assert "1 series new: " in sales.monitor.read_text()


def test_a_backfilled_origin_is_compared_with_the_one_before_it(sales: Deployment) -> None:
    """Not with a later origin, as its series have not started yet."""
    until(TRAINED + 21)
    frame = pd.read_csv("sales.csv")
    late = frame[(frame["unique_id"] == "series_1") & (frame["ds"] > "2024-02-20")]
    pd.concat([frame, late.assign(unique_id="fresh")]).to_csv("sales.csv", index=False)
    assert forerun(["update", "sales"]) == 0
    assert forerun(["backfill", "sales", "--from", "2024-03-07", "--every", "1W"]) == 0
    first, second, *_ = origins.origins(sales)
    assert [first.name, second.name] == ["2024-03-07", "2024-03-14"]
    assert "new" not in first.record["changes"]
    assert "vanished" not in first.record["changes"]


# -- Bad input ------------------------------------------------------------------------------------


def edited(**values: object) -> Callable[[], None]:
    """Return a function that changes the table."""

    def change() -> None:
        frame = pd.read_csv(until(TRAINED + 7))
        for name, value in values.items():
            frame = frame.drop(columns=name) if value is None else frame.assign(**{name: value})
        frame.to_csv("sales.csv", index=False)

    return change


def file(path: str, text: str | bytes | None) -> Callable[[], None]:
    """Return a function that writes a file, or removes it."""

    def change() -> None:
        if text is None:
            Path(path).unlink()
        else:
            Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())

    return change


def setting(old: str, new: str) -> Callable[[], None]:
    path = Path("deployments/sales/deployment.yaml")
    return lambda: path.write_text(path.read_text().replace(old, new))


def nothing() -> None:
    pass


UPDATE, MONITOR = ["update", "sales"], ["monitor", "sales"]
BACKFILL = ["backfill", "sales", "--from", "2024-03-01", "--every"]
BAD: dict[str, tuple[Callable[[], None], list[str], str]] = {
    "no such deployment": (nothing, ["update", "sale"], "(did you mean 'sales'?)"),
    "a name that leads out": (nothing, ["update", "../sales"], "is invalid"),
    "deployed twice": (nothing, DEPLOY, "deployment 'sales' exists"),
    "no such run": (nothing, ["challenge", "sales", "-r", "gone"], "there is no run 'gone'"),
    "a run id that leads out": (nothing, ["challenge", "sales", "-r", "../x"], "is invalid"),
    "no such alias": (nothing, ["show", "@gone"], "there is no deployment 'gone'"),
    "an alias that leads out": (nothing, ["show", "@../x"], "is invalid"),
    "challenging oneself": (nothing, ["challenge", "sales", "-r", "naive"], "champion of 'sales'"),
    "nothing scored": (nothing, ["promote", "sales", "-r", "other"], "no scored origin in common"),
    "force without a reason": (
        nothing, ["promote", "sales", "-r", "other", "--force"], "--force needs --reason",
    ),
    "force of no run": (
        nothing, ["promote", "sales", "-r", "gone", "--force", "--reason", "x"], "no run 'gone'",
    ),
    "another horizon": (nothing, ["retrain", "sales", "--set", "horizon=99"], "horizon=99: deploy"),
    "no champion before": (nothing, ["rollback", "sales"], "no champion before this one"),
    "no such table": (nothing, [*UPDATE, "-d", "gone.csv"], "there is no file 'gone.csv'"),
    "pattern without a file": (nothing, [*UPDATE, "-d", "in/*.csv"], "there is no file 'in/*.csv'"),
    "table is gone": (file("sales.csv", None), UPDATE, "there is no file 'sales.csv'"),
    "empty table": (file("sales.csv", ""), UPDATE, "is empty"),
    "binary table": (file("sales.csv", b"\0\1\2\3" * 99), UPDATE, "--data-file 'sales.csv'"),
    "no target": (edited(y=None), UPDATE, "'y' (target_col) is missing"),
    "no times": (edited(ds=None), UPDATE, "'ds' (time_col) is missing"),
    "times are words": (edited(ds="today"), UPDATE, "--data-file 'sales.csv'"),
    "values are words": (edited(y="many"), UPDATE, "'many'"),
    "infinite values": (edited(y=float("inf")), UPDATE, "infinite"),
    "one time for all": (edited(ds="2024-01-01"), UPDATE, "--data-file 'sales.csv'"),
    "span that is none": (nothing, [*BACKFILL, "often"], "'often' is not a span of time"),
    "span of nothing": (nothing, [*BACKFILL, "0W"], "'0W' is not a span of time"),
    "date that is none": (
        nothing, ["backfill", "sales", "--from", "2024-02-31", "--every", "1W"], "'2024-02-31'",
    ),
    "condition that is none": (nothing, [*MONITOR, "--fail-if", "mae"], "is not a condition"),
    "condition on code": (nothing, [*MONITOR, "--fail-if", "__import__('os')>1"], "is not a"),
    "unknown key": (setting("horizon", "horizn"), UPDATE, "(did you mean 'horizon'?)"),
    "unknown model": (setting("model: null", "model: NHITS"), UPDATE, "has no model 'NHITS'"),
    "unknown gate": (setting("p_value", "p_valu"), UPDATE, "(did you mean 'p_value'?)"),
    "unknown policy": (setting("retrain: never", "retrain: often"), UPDATE, "'never'"),
    "no YAML": (file("deployments/sales/deployment.yaml", "a: [1"), UPDATE, "deployment.yaml"),
    "YAML with code": (
        file("deployments/sales/deployment.yaml", "a: !!python/object/apply:os.getcwd []"),
        UPDATE, "deployment.yaml",
    ),
    "damaged champions": (
        file("deployments/sales/champions.jsonl", "{}\n"), UPDATE, "champions.jsonl: line 1",
    ),
    "champion that leads out": (
        file(
            "deployments/sales/champions.jsonl",
            json.dumps({"run_id": "../x", "seal": "", "since": "", "by": ""}),
        ),
        UPDATE, "champions.jsonl: line 1 has no valid run id",
    ),
    "no champions": (file("deployments/sales/champions.jsonl", ""), UPDATE, "is empty"),
    "adjustments without columns": (
        file("deployments/sales/adjustments.csv", "a,b\n1,2\n"), UPDATE, "adjustments.csv",
    ),
    "adjusted where there is no origin": (
        file(
            "deployments/sales/adjustments.csv",
            "origin,unique_id,ds,value\n2024-02-28,series_0,2024-03-01,2\n",
        ),
        UPDATE, "there is no origin 2024-02-28",
    ),
    "backfill after the data": (
        nothing, ["backfill", "sales", "--from", "2030-01-01", "--every", "1W"], "after the end of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(sales: Deployment, case: str, capfd: Capture) -> None:
    change, command, message = BAD[case]
    change()
    runs = sorted(entry.name for entry in run_folders(Path("runs")))
    assert forerun(command) == 2
    err = capfd.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert origins.origins(sales) == []
    assert sorted(entry.name for entry in run_folders(Path("runs"))) == runs


def test_bad_input_is_tried_in_many_ways() -> None:
    assert len(BAD) >= 25
    assert ALL > TRAINED
