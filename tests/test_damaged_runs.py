"""A damaged run does not break commands for other runs: it is named, and the command continues."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.base.files import sha256
from forerun.cli.app import run as forerun
from forerun.jobs import fit_history
from forerun.runs import listing, progress
from forerun.runs.paths import RunPaths
from forerun.runs.state import missing_files, refuse_if_damaged

#: Files of a run that at least one command reads.
FILES = (
    "config.yaml", "provenance.json", "SEALED", "leaderboard.csv", "metrics.csv", "ensemble.json",
    "status/NHITS.json", "parts/NHITS/final.json", "logs/session.json",
    "logs/train_model/NHITS.progress.json", "benchmarks/train_model/NHITS.tsv",
)  # fmt: skip
#: Contents that replace a file.
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "deep": b'{"data":' * 20_000,
    "brackets": b"[" * 100_000,
    "a list": b"[1, 2]",
    "a string": b'"status"',
    "not finite": b'{"horizon": .inf, "pid": 1e999, "created_at": NaN, "data": -Infinity}',
    "negative": b'{"pid": -7, "create_time": -1, "host": "x", "deaths": -3, "horizon": -2}',
    "wrong types": b'{"status": 3, "error": "x", "data": [], "pid": "1", "models": {"a": 1}, '
    b'"git": [], "sha256": "", "seconds": {}, "attempts": [], "versions": 1, "horizon": [12]}',
    "surrogates": b'{"status": "\\ud800", "created_at": "\\udfff", "host": "\\ud83d"}',
    "numbers without end": b'{"pid": ' + b"9" * 5000 + b', "attempts": ' + b"9" * 400 + b"}",
    "control": b'{"status": "\\u001b[31m", "host": "\\u202e", "user": "\\u009b2J", "pid": 1, '
    b'"started_at": "\\u001b]0;x\\u0007", "error": {"message": "a\\u001b[2Jb"}}',
    "utf-16": "model,status\nA,ok\n".encode("utf-16"),
    "bytes": bytes(range(256)),
    "aliases": b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n".encode()
        for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + b"models: *j\nhorizon: 3\n",
    "uneven": b"model,status,mae\nA\nB,ok,1,2,3\n",
    "long": b"model,status\n" + b"A,ok\n" * 50_000,
    "large": b"x" * 17_000_000,
}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


#: Other kinds of files that replace a file.
KINDS: dict[str, Callable[[Path], None]] = {
    "a pipe": pipe, "a device": device, "a loop": loop, "a folder": Path.mkdir,
    "a link out": lambda path: path.symlink_to("/etc/hostname"),
} | {
    name: (lambda path, content=content: path.write_bytes(content))  # type: ignore[misc]
    for name, content in CONTENTS.items()
}  # fmt: skip


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    for run_id in ("good", "other", "bad"):
        make_run(home / "runs", run_id, models=1, series=2)
    return home


@pytest.fixture
def home(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three runs, of which only the one to damage is a copy."""
    (tmp_path / "runs").mkdir()
    for run_id in ("good", "other"):
        (tmp_path / "runs" / run_id).symlink_to(three / "runs" / run_id)
    shutil.copytree(three / "runs" / "bad", tmp_path / "runs" / "bad")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def damage(home: Path, file: str, kind: str) -> Path:
    path = home / "runs" / "bad" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    KINDS[kind](path)
    return path


CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return the output after checking that it contains no control characters."""
    out, err = capsys.readouterr()
    assert not CONTROLS.search(out + err)
    return out, err


def every_kind_of_every_file() -> Iterator[Any]:
    """Yield all pairs; `make test` runs a quarter of them, each kind with three files."""
    for row, file in enumerate(FILES):
        for column, kind in enumerate(KINDS):
            marks = [] if (row + column) % 4 == 0 else [pytest.mark.long]
            yield pytest.param(kind, file, marks=marks, id=f"{kind}-{file}")


@pytest.mark.parametrize(("kind", "file"), [*every_kind_of_every_file()])
def test_the_others_are_as_before(
    home: Path, kind: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(home, file, kind)
    assert forerun(["list-runs"]) == 0
    out, _ = printed(capsys)
    assert {line.split()[0] for line in out.splitlines()[2:]} == {"good", "other", "bad"}
    assert forerun(["list-runs", "--json"]) == 0
    rows = {row["run_id"]: row for row in json.loads(printed(capsys)[0])}
    assert rows["good"]["state"] == rows["other"]["state"] == "complete"
    for command in (["list-runs", "--csv"], ["verify", "good"], ["store", "list"]):
        assert forerun(command) == 0, printed(capsys)
    for command in (["show", "bad"], ["watch", "bad"], ["verify", "bad"]):
        if file == "logs/session.json" and kind == "control" and command[0] == "watch":
            continue  # counts as in use on another machine
        code = forerun(command)
        out, err = printed(capsys)
        assert code in (0, 1, 2)
        assert (code == 2) == bool(err.startswith("forerun: error: "))
        assert len(err.splitlines()) <= 1
    progress.survey(home / "runs" / "bad")
    fits = fit_history.costs(home / "runs")
    assert len(fits) == len(fit_history.costs(home / "runs"))


@pytest.mark.parametrize("file", ["SEALED", "provenance.json"])
def test_the_table_names_a_pipe(home: Path, file: str) -> None:
    damage(home, file, "a pipe")
    problem = listing.read_run(home / "runs" / "bad").problem
    assert problem == f"{file} cannot be read (it is not a regular file)"


@pytest.mark.parametrize("kind", ["a pipe", "deep", "utf-16"])
def test_show_reports_a_damaged_provenance(
    home: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(home, "provenance.json", kind)
    assert forerun(["show", "bad"]) == 0
    out, _ = printed(capsys)
    assert "warning: provenance.json " in out


@pytest.mark.parametrize("file", ["leaderboard.csv", "metrics.csv"])
def test_compare_names_a_pipe(home: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage(home, file, "a pipe")
    assert forerun(["compare", "good", "bad", "--no-plot"]) == 2
    _, err = printed(capsys)
    assert f"bad/{file}: cannot be read (it is not a regular file)" in err


@pytest.mark.parametrize("kind", ["a pipe", "deep", "aliases", "utf-16", "not finite", "a list"])
@pytest.mark.parametrize("file", ["config.yaml", "leaderboard.csv", "metrics.csv"])
def test_commands_report_a_damaged_file_in_one_line(
    home: Path, kind: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(home, file, kind)
    assert forerun(["compare", "good", "bad", "--no-plot"]) == 2
    _, err = printed(capsys)
    assert err.startswith("forerun: error: ")
    assert len(err.splitlines()) == 1
    assert "bad" in err
    if file == "config.yaml":
        assert forerun(["predict", "--run-id", "bad"]) == 2
        _, err = printed(capsys)
        assert len(err.splitlines()) == 1
        assert listing.read_run(home / "runs" / "bad").state in ("broken", "empty", "complete")
    assert forerun(["delete", "bad", "--yes", "--force"]) == 0
    assert not (home / "runs" / "bad").exists()


@pytest.mark.parametrize("kind", ["a pipe", "deep", "aliases", "wrong types", "control"])
def test_the_page_of_all_runs_has_a_damaged_one(home: Path, kind: str) -> None:
    for file in ("config.yaml", "leaderboard.csv", "provenance.json"):
        damage(home, file, kind)
    assert forerun(["runs-page"]) == 0
    page = (home / "runs.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in page for name in ("good", "other", "bad"))


@pytest.mark.parametrize(
    "line",
    [
        "horizon: .inf", "horizon: 0", "horizon: -1", "n_windows: 1000000000", "horizon: twelve",
        "gap: [1]", "models: {a: 1}", "models: [1]", "models: NHITS", "freq: {a: 1}",
        "metrics: mae", "metrics: [[mae]]", "sort_metric: '../x'", "ensemble: 3", "seed: 1.5",
        "id_col: ['a']", "levels: ['x']", 'target_col: "\\x1b[31m"', "refit: 'yes please'",
        "models: [{name: '$(touch x)', engine: neuralforecast, model: NHITS, params: {}, "
        "exogenous: false}]",
        "models: [{name: ../../x, engine: neuralforecast, model: NHITS, params: {}, "
        "exogenous: false}]",
        "models: [{name: A, engine: os, model: NHITS, params: {}, exogenous: false}]",
        "models: [{name: A, engine: neuralforecast, model: a.b, params: {}, exogenous: false}]",
        "models: [{name: A, engine: neuralforecast, model: NHITS, exogenous: false, "
        "params: {default_root_dir: /tmp/x}}]",
        "models: [{name: A, engine: neuralforecast, model: NHITS, exogenous: false, "
        "params: {callbacks: [x]}}]",
    ],
)  # fmt: skip
def test_a_configuration_in_another_form_is_refused(home: Path, line: str) -> None:
    from forerun.config.settings import read_frozen

    path, key = home / "runs" / "bad" / "config.yaml", line.partition(":")[0]
    lines = path.read_text().split("\n")
    start = next(number for number, text in enumerate(lines) if text.startswith(f"{key}:"))
    end = next(n for n in range(start + 1, len(lines)) if not lines[n].startswith(("-", " ")))
    path.write_text("\n".join([*lines[:start], line, *lines[end:]]))
    with pytest.raises(UserError) as refused:
        read_frozen(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert progress.survey(home / "runs" / "bad") == []


@pytest.mark.parametrize(
    "place", ["models/NHITS/extra", "parts/NHITS/fold_9.json", "data.parquet", "cv_results_X.csv"]
)
@pytest.mark.parametrize("kind", ["a pipe", "a device", "a loop", "a link out"])
def test_a_run_with_irregular_files_is_refused(home: Path, place: str, kind: str) -> None:
    damage(home, place, kind)
    with pytest.raises(UserError, match="is damaged"):
        refuse_if_damaged(home / "runs" / "bad")
    refuse_if_damaged(home / "runs" / "good")


def test_links_inside_a_run_are_followed(home: Path) -> None:
    folder = RunPaths(home / "runs" / "bad").folder
    os.rename(folder / "provenance.json", folder / "kept.json")
    (folder / "provenance.json").symlink_to("kept.json")
    refuse_if_damaged(folder)
    assert missing_files(folder) == []
    assert listing.read_run(folder).created == "2026-01-02T03:04:05+00:00"


def test_a_checksum_of_a_pipe_is_refused(tmp_path: Path) -> None:
    pipe(tmp_path / "p")
    with pytest.raises(UserError, match="not a regular file"):
        sha256(tmp_path / "p")
