"""User errors: exit code 2, one clear message, no traceback, nothing written or lost."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import running
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from running import PROJECT, TEMPORARY_FILES, contents, snakemake, write_table
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.base.files import write_json
from forerun.cli.app import run as forerun
from forerun.data import load
from forerun.runs.paths import check_run_id

SMALL = "horizon: 4\ninput_size: 8\nn_windows: 2\nmodels: [Naive]\nbaselines: [SeasonalNaive]\n"
DAYS = [f"2024-01-{day:02d}" for day in range(1, 31)]
ROWS = [f"a,{day},{number}" for number, day in enumerate(DAYS)]
HOURS = [f"b,2024-01-01 {hour:02d}:00,1" for hour in range(24)]


def table(rows: list[str], head: str = "unique_id,ds,y") -> bytes:
    return "\n".join([head, *rows, ""]).encode()


# -- Tables ---------------------------------------------------------------------------------------

TABLES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "header only": (table([]), "no rows"),
    "one row": (table(ROWS[:1]), "one row"),
    "one short series": (table(ROWS[:5]), "too short, 20 values are needed"),
    "rows twice": (table(ROWS + ROWS[:3]), "3 rows repeat a time of the same series"),
    "two frequencies": (table(ROWS + HOURS), "two frequencies"),
    "mixed types": (table([*ROWS[:10], "a,2024-01-11,twelve", *ROWS[11:]]), "'twelve'"),
    "no dates": (table([f"a,day {i},1" for i in range(30)]), "cannot be read as a time"),
    "dates and numbers": (table(ROWS[:15] + [f"a,{i},1" for i in range(15)]), "e.g. '0'"),
    "31st of February": (table([*ROWS, "a,2024-02-31,3"]), "'2024-02-31'"),
    "year 0": (table([f"a,0000-01-{i:02d},1" for i in range(1, 29)]), "cannot be read as a time"),
    "year 99999": (table([f"a,99999-01-{i:02d},1" for i in range(1, 29)]), "cannot be read"),
    "fractions of time": (table([f"a,{i}.5,1" for i in range(30)]), "cannot be read as a time"),
    "gap": (table(ROWS[:10] + ROWS[13:]), "3 time steps are missing"),
    "no target": (table(["a,2024-01-01"], "unique_id,ds"), "'y' (target_col) is missing"),
    "no names": (table(["2024-01-01,1"], "ds,y"), "'unique_id' (id_col) is missing"),
    "column twice": (table([f"{r},1" for r in ROWS], "unique_id,ds,y,y"), "two columns named 'y'"),
    "infinite": (table([*ROWS[:-1], "a,2024-01-30,inf"]), "infinite"),
    "too large": (table([*ROWS[:-1], "a,2024-01-30,1e400"]), "infinite"),
    "complex number": (table([*ROWS[:-1], "a,2024-01-30,1+2j"]), "is not a number"),
    "no values": (table([f"a,{day}," for day in DAYS]), "no target value at all"),
    "rows without name": (table([f",{day},1" for day in DAYS]), "30 rows without a name"),
    "ragged": (table([*ROWS, "a,2024-01-31,1,2,3"]), "line 32 has 5 fields"),
    "open quote": (table(['"a,2024-01-01,1', *ROWS]), "has 1 field"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "neither a CSV nor a Parquet file"),
    "bytes": (bytes(range(256)) * 20, "neither a CSV nor a Parquet file"),
    "zip": (b"PK\x03\x04" + bytes(100), "zip archive"),
    "page": (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
    "JSON": (b'{"unique_id": ["a"], "y": [1]}', "is a JSON file"),
    "NUL": (b"unique_id,ds,y\na,2024\x00-01-01,1\n", "binary content"),
    "false Parquet": (b"PAR1" + bytes(50) + b"PAR1", "cannot be read as"),
    "6,000 columns": (table([",".join(["1"] * 6000)], ",".join(map("c{}".format, range(6000)))),
                      "is missing"),
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, lines: int = 1) -> str:
    """Call a command that must fail without writing anything; return its message."""
    before = contents(Path())
    folders = sorted(p for p in Path().rglob("*") if p.is_dir())
    capsys.readouterr()
    code = forerun(list(arguments))
    captured = capsys.readouterr()
    assert code == 2, captured
    assert "Traceback" not in captured.out + captured.err
    messages = captured.err.splitlines()
    assert 1 <= len(messages) <= lines, messages
    assert all(line.startswith("forerun: error: ") for line in messages)
    assert contents(Path()) == before, "something was written or lost"
    assert sorted(p for p in Path().rglob("*") if p.is_dir()) == folders
    return captured.err


@pytest.mark.parametrize("case", TABLES)
def test_tables(home: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    content, message = TABLES[case]
    (home / "table").write_bytes(content)
    assert message in refused(capsys, "train", "-r", "x", "-d", "table", "-c", "small.yaml")


UNUSUAL: dict[str, bytes] = {
    "BOM": b"\xef\xbb\xbf" + table(ROWS),
    "UTF-16": table(ROWS).decode().encode("utf-16"),
    "semicolons": table([row.replace(",", ";") for row in ROWS], "unique_id;ds;y"),
    "decimal commas": table([r.replace(",", ";") + ",0" for r in ROWS], "unique_id;ds;y"),
    "carriage returns": table(ROWS).replace(b"\n", b"\r\n"),
    "one time zone": table([f"a,{day}T00:00:00+00:00,{n}" for n, day in enumerate(DAYS)]),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_unusual_tables_mean_the_same(home: Path, case: str) -> None:
    settings = {"horizon": 4, "input_size": 8, "n_windows": 2, "models": ["Naive"]}
    from forerun.config.settings import resolve

    frames = []
    for content in (table(ROWS), UNUSUAL[case]):
        (home / "t.csv").write_bytes(content)
        frames.append(load(resolve(settings | {"data_file": "t.csv"})).frame)
    assert frames[0].equals(frames[1])


def test_names_in_latin_1(home: Path) -> None:
    from forerun.config.settings import resolve

    (home / "t.csv").write_bytes(
        table([r.replace("a,", "Köln,") for r in ROWS]).decode().encode("latin-1")
    )
    settings = {"horizon": 4, "input_size": 8, "n_windows": 2, "models": ["Naive"]}
    assert set(load(resolve(settings | {"data_file": "t.csv"})).frame["unique_id"]) == {"Köln"}


def test_a_constant_series_is_accepted(home: Path) -> None:
    from forerun.config.settings import resolve

    (home / "t.csv").write_bytes(table([f"a,{day},7" for day in DAYS]))
    settings = {"horizon": 4, "input_size": 8, "n_windows": 2, "data_file": "t.csv"}
    assert set(load(resolve(settings)).frame["y"]) == {7.0}


# -- Configuration --------------------------------------------------------------------------------

CONFIGURATIONS: dict[str, tuple[str, str]] = {
    "list": ("- horizon: 3\n", "contains a list, not a mapping"),
    "text": ("just words\n", "not a mapping"),
    "number": ("42\n", "not a mapping"),
    "key twice": ("horizon: 3\nhorizon: 4\n", "is duplicated"),
    "key twice inside": ("models: [{name: A, model: NHITS, name: B}]\n", "is duplicated"),
    "python tag": ("horizon: !!python/object/apply:os.system ['touch pwned']\n", "is not allowed"),
    "python name": ("data_file: !!python/name:os.system\n", "is not allowed"),
    "other tag": ("horizon: !env HOME\n", "is not allowed"),
    "two documents": ("horizon: 3\n---\nhorizon: 4\n", "not valid YAML"),
    "open bracket": ("models: [NHITS\n", "not valid YAML"),
    "tabs": ("models:\n\t- NHITS\n", "not valid YAML"),
    "bytes": ("\x00\x01", "not valid YAML"),
    "deep": ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    "laughs": ("a: &a [x,x]\nb: &b [*a,*a]\nhorizon: *b\n", "unknown key"),
    "misspelt": ("horizn: 3\n", "did you mean 'horizon'?"),
    "upper case": ("Horizon: 3\n", "did you mean 'horizon'?"),
    "number as key": ("3: 4\n", "the key 3 is not a string"),
    "negative": ("horizon: -1\n", "horizon is -1"),
    "fraction": ("horizon: 2.5\n", "horizon is 2.5"),
    "yes": ("horizon: true\n", "horizon is true"),
    "huge": ("max_steps: 1e30\n", "max_steps"),
    "not a number": ("learning_rate: .nan\n", "learning_rate"),
    "path as run": ("run_id: ../x\n", "run id"),
    "mapping for number": ("horizon: {a: 1}\n", "horizon"),
    "no models": ("models: []\nbaselines: []\n", "both empty"),
    "model unknown": ("models: [NBEAST]\n", "did you mean 'NBEATS'?"),
    "model twice": ("models: [NHITS, NHITS]\n", "NHITS"),
    "model with path": ("models: [{name: ../x, model: NHITS}]\n", "../x"),
    "model key": ("models: [{modle: NHITS}]\n", "model"),
    "model argument": ("models: [{name: A, model: NHITS, params: {stepz: 1}}]\n", "stepz"),
    "metric": ("metrics: [mea]\n", "mae"),
    "sorted by none": ("metrics: [mae]\nsort_metric: mse\n", "sort_metric"),
    "test size": ("horizon: 12\ntest_size: 13\n", "test_size is 13"),
    "frequency": ("freq: fortnightly\n", "fortnightly"),
    "column twice": ("hist_exog: [y]\n", "'y'"),
    "choice": ("on_gaps: maybe\n", "error, fill"),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configurations(home: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    content, message = CONFIGURATIONS[case]
    write_table(home / "table.csv")
    (home / "c.yaml").write_text(content)
    assert message in refused(capsys, "train", "-d", "table.csv", "-c", "c.yaml", lines=2)


# -- Names ----------------------------------------------------------------------------------------

NAMES = ["../x", "/etc/x", "a/b", "a\\b", ".", "..", ".hidden", "-x", "a b", "a\nb", "ä", "x" * 101,
         "a;b", "$(x)", "a*", "", "~", "a\x00b", "runs/../../x"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_run_ids(home: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    make_run("runs", "exp1", models=1, series=1)
    for command in (["train", "-r", name], ["predict", "-r", name]):
        assert "is invalid" in refused(capsys, *command, lines=2)
    message = refused(capsys, "rename", "exp1", name, "--yes", lines=2)
    assert "is invalid" in message or name.startswith("-")


@given(st.text(max_size=120))
def test_no_run_id_leaves_the_folder_of_runs(name: str) -> None:
    try:
        check_run_id(name)
    except UserError:
        return
    assert Path("/r/runs", name).parent == Path("/r/runs")
    assert os.path.normpath(f"/r/runs/{name}") == f"/r/runs/{name}"


# -- Damaged runs ---------------------------------------------------------------------------------


def overwrite(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        (run / name).write_bytes(content)

    return damage


def truncate(name: str) -> Callable[[Path], None]:
    return lambda run: os.truncate(run / name, 10)


def remove(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], list[str], str]] = {
    "configuration gone": (remove("config.yaml"), ["predict", "-r", "exp1"], "config.yaml"),
    "configuration cut": (truncate("config.yaml"), ["train", "-r", "exp1"], "config.yaml"),
    "configuration binary": (overwrite("config.yaml", b"\x00"), ["show", "exp1"], "config.yaml"),
    "configuration a list": (overwrite("config.yaml", b"[]"), ["predict", "-r", "exp1"], "config"),
    "data gone": (remove("data.parquet"), ["predict", "-r", "exp1", "-m", "NHITS"], "data.parquet"),
    "data cut": (truncate("data.parquet"), ["predict", "-r", "exp1"], "changed data.parquet"),
    "data gone, to reproduce": (remove("data.parquet"), ["reproduce", "exp1"], "data.parquet"),
    "provenance gone": (remove("provenance.json"), ["reproduce", "exp1"], "provenance.json"),
    "seal cut": (truncate("SEALED"), ["predict", "-r", "exp1"], "SEALED"),
    "model cut": (truncate("models/NHITS/model.json"), ["predict", "-r", "exp1"], "'NHITS'"),
    "model gone": (remove("models/NHITS/model.json"), ["predict", "-r", "exp1"], "json missing"),
    "metrics cut": (truncate("metrics.csv"), ["predict", "-r", "exp1", "--cherry-pick"], "metrics"),
    "metrics gone": (remove("metrics.csv"), ["predict", "-r", "exp1", "--cherry-pick"], "metrics"),
    "nothing sealed": (remove("SEALED"), ["verify", "exp1"], "not sealed"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_runs(home: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    damage, arguments, message = DAMAGES[case]
    damage(make_run("runs", "exp1", models=1, series=2, horizon=4))
    assert message in refused(capsys, *arguments)


@pytest.mark.slow
@example_settings(
    max_examples=example_settings().max_examples // 3, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(st.integers(0, 2**32))
def test_any_damage_is_reported_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    """Change, remove or duplicate bytes in one file: each command reports it or is not affected."""
    chance = random.Random(seed)
    original = tmp_path / "original"
    if not original.exists():
        make_run(original / "runs", "exp1", models=2, series=2, horizon=4)
    home = tmp_path / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(original, home)
    run = home / "runs" / "exp1"
    path = chance.choice(sorted(p for p in run.rglob("*") if p.is_file() and "logs" not in p.parts))
    content = bytearray(path.read_bytes())
    place = chance.randrange(max(1, len(content)))
    size = chance.choice([1, 5, 100])
    chance.choice([
        lambda: content.__setitem__(slice(place, place + size), chance.randbytes(size)),
        lambda: content.__delitem__(slice(place, place + size)),
        lambda: content.__delitem__(slice(place, None)),
        lambda: content.__setitem__(slice(place, place), content[place : place + size]),
    ])()  # fmt: skip
    changed = bytes(content) != path.read_bytes()
    path.write_bytes(bytes(content))
    before = contents(home)
    for command in (
        ["list-runs"],
        ["show", "exp1"],
        ["verify", "exp1"],
        ["compare", "exp1", "exp1"],
    ):
        code = forerun([*command, "--directory", str(home)])
        captured = capsys.readouterr()
        assert code in (0, 1, 2)
        assert "Traceback" not in captured.out + captured.err
        frozen = path.relative_to(run).parts[0] not in ("predictions", "benchmarks")
        if command[0] == "verify" and changed and frozen:
            assert code != 0, path
    assert contents(home) == before


# -- The machine refuses --------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount small file systems, which only the superuser can."""
    if os.getuid() != 0:
        pytest.skip("only the superuser can mount a file system")
    places: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this machine does not let a file system be mounted")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_read_only_output(
    home: Path, mounted: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(home / "table.csv")
    place = mounted("size=1m,ro")
    message = refused(
        capsys, "train", "-r", "x", "-d", "table.csv", "-c", "small.yaml", "-o", str(place)
    )
    assert "Read-only file system" in message


@pytest.mark.slow
def test_full_disk(home: Path, mounted: Callable[[str], Path]) -> None:
    """The disk has space for folders and logs but not for the data."""
    write_table(home / "table.csv", series=40, length=400)
    place = mounted("size=100k")
    target = f"{place}/runs/x/data.parquet"
    done = snakemake(
        home, target, "--config", f"output_dir={place}", "data_file=table.csv",
        configfile=home / "small.yaml",
    )  # fmt: skip
    message = done.stderr
    assert done.returncode == 2, message
    assert "forerun: error: no space left in" in message
    assert "Traceback" not in message
    assert not list(place.rglob("config.yaml"))
    assert not list(place.rglob(".tmp-*"))


def test_a_disk_that_is_full_from_the_start(
    home: Path, mounted: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(home / "table.csv")
    place = mounted("size=8k,nr_inodes=2")
    (place / "rest").write_bytes(bytes(4096))
    message = refused(
        capsys, "train", "-r", "x", "-d", "table.csv", "-c", "small.yaml", "-o", str(place)
    )
    assert "no space left in" in message


@pytest.mark.slow
def test_a_disk_that_fills_while_training(home: Path, mounted: Callable[[str], Path]) -> None:
    """The disk fills up after the run is created; with free space a rerun completes it."""
    write_table(home / "table.csv")
    place = mounted("size=20m")
    command = ["train", "-r", "x", "-d", "table.csv", "-c", "small.yaml", "-o", str(place)]
    done = snakemake(
        home, f"{place}/runs/x/config.yaml", "--config", f"output_dir={place}",
        "data_file=table.csv", configfile=home / "small.yaml",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rest = place / "rest"
    with suppress(OSError), rest.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    done = running.forerun(home, *command)
    assert done.returncode == 2
    line = f"forerun: error: no space left in '{place}/runs/x'; free some space and rerun the"
    assert [one[: len(line)] for one in done.stderr.splitlines()] == [line], done
    assert "Traceback" not in done.stdout
    rest.unlink()
    assert running.forerun(home, *command).returncode == 0


@pytest.mark.parametrize("name", ["o{run_id}", "o<runs>"])
def test_paths_with_placeholders(home: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    write_table(home / f"{name}.csv")
    write_table(home / "table.csv")
    for arguments in (["-d", f"{name}.csv"], ["-d", "table.csv", "-o", name]):
        message = refused(capsys, "train", "-r", "x", "-c", "small.yaml", *arguments)
        assert "placeholders" in message
    refused(capsys, "list-runs", "-o", name)


@pytest.mark.slow
def test_paths_with_placeholders_in_snakemake(home: Path) -> None:
    write_table(home / "t{x}.csv")
    for pair in ("output_dir=o{run_id}", "data_file=t{x}.csv"):
        done = snakemake(home, "--config", "run_id=x", pair, configfile=home / "small.yaml")
        assert done.returncode == 2
        errors = [line for line in done.stderr.splitlines() if line.startswith("forerun: error:")]
        assert len(errors) == 1
        assert "placeholders" in errors[0]
        assert "Traceback" not in done.stderr


def test_a_loop_of_links_in_the_folder_of_runs(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run("runs", "exp1", models=1, series=1)
    os.symlink("loop", home / "runs" / "loop")
    os.symlink("b", home / "runs" / "a")
    os.symlink("a", home / "runs" / "b")
    write_table(home / "table.csv")
    assert forerun(["list-runs"]) == 0
    assert "exp1" in capsys.readouterr().out
    for name in ("loop", "a"):
        for command in (
            ["train", "-r", name, "-d", "table.csv", "-c", "small.yaml"],
            ["predict", "-r", name], ["verify", name], ["show", name],
        ):  # fmt: skip
            refused(capsys, *command)
    assert (home / "runs" / "loop").is_symlink()


# -- Through Snakemake itself ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("models/NHITS/model.json"), "models/NHITS/model.json missing"),
        (truncate("config.yaml"), "config.yaml"),
    ],
    ids=["model gone", "configuration cut"],
)
def test_the_workflow_reports_a_damaged_run(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    run = make_run(tmp_path / "runs", "exp1", models=1, series=2, horizon=4)
    damage(run)
    before = contents(run)
    done = snakemake(tmp_path, "runs/exp1/predictions", "--force", configfile=None)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("forerun: error:")]
    assert message in lines[0]
    assert "Traceback" not in done.stderr
    assert contents(run) == before


@pytest.mark.slow
def test_the_workflow_reports_a_damaged_model(tmp_path: Path) -> None:
    """The job that forecasts with the model refuses it."""
    run = make_run(tmp_path / "runs", "exp1", models=1, series=2, horizon=4)
    truncate("models/NHITS/model.json")(run)
    shutil.rmtree(run / "predictions")
    done = snakemake(tmp_path, "runs/exp1/predictions", configfile=None)
    assert done.returncode == 2, done.stderr
    assert "forerun: error: model 'NHITS' of run 'exp1' is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run / "predictions").exists()


@pytest.mark.slow
def test_contradictions_in_any_layer_are_refused(trained_run: Path, tmp_path: Path) -> None:
    """The message names each differing key with both values; config/config.yaml is not compared."""
    home = tmp_path
    shutil.copytree(trained_run, home / "runs" / "trained", ignore=TEMPORARY_FILES)
    before = contents(home / "runs")
    (home / "config" / "experiments").mkdir(parents=True)
    (home / "config" / "config.yaml").write_text("horizon: 99\nmax_steps: 7\n")
    done = snakemake(home, "runs/trained/metrics.csv", configfile=None)
    assert done.returncode == 0, done.stderr
    file = home / "other.yaml"
    file.write_text("max_steps: 6\n")
    done = snakemake(home, "runs/trained/metrics.csv", "--config", "horizon=5", configfile=file)
    assert done.returncode == 2
    assert "horizon is 4, requested 5" in done.stderr
    assert "max_steps is 5, requested 6" in done.stderr
    (home / "config" / "experiments" / "trained.yaml").write_text("input_size: 9\n")
    done = snakemake(home, "runs/trained/metrics.csv", configfile=None)
    assert done.returncode == 2
    assert "input_size is 8, requested 9" in done.stderr
    assert contents(home / "runs") == before


def test_number_of_cases() -> None:
    assert len(TABLES) + len(CONFIGURATIONS) + 3 * len(NAMES) + len(DAMAGES) >= 60
    assert (PROJECT / "scripts").is_dir()


def test_a_run_in_use_is_not_changed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import psutil

    run = make_run("runs", "exp1", models=1, series=1, sealed=False)
    other = psutil.Process(os.getppid())
    write_json(
        run / "logs" / "session.json",
        {"pid": other.pid, "create_time": other.create_time(), "host": os.uname().nodename,
         "user": "ada", "started_at": "2026-01-01"},
    )  # fmt: skip
    assert f"by ada (process {other.pid} on" in refused(capsys, "train", "-r", "exp1")
