"""Notes on how files were read are printed by train, dry-run, predict and show, and logged."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from forerun.cli import snakemake
from forerun.cli.app import run as forerun
from forerun.config.settings import resolve
from forerun.forecasting import inference
from forerun.forecasting.freeze import freeze

DAYS = [f"{day:02d}.01.2024" for day in range(1, 31) if day != 10]
ROWS = [f"a;{day};{number},5" for number, day in enumerate(DAYS)]
NOTES = [
    "columns are separated by ';'",
    "numbers were read with a decimal comma ('y')",
    "times were read as day.month.year (%d.%m.%Y)",
    "freq was inferred from the data: D",
    "1 missing time step filled (series 'a')",
    "season_length for freq D: 7",
]
SETTINGS = {"horizon": 2, "input_size": 4, "n_windows": 1, "on_gaps": "fill", "models": []}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file that is read with notes; Snakemake is not started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snakemake, "run", lambda *args, **more: 130)
    monkeypatch.setattr(snakemake, "libraries", lambda *args, **more: nullcontext())
    (tmp_path / "table.csv").write_text("\n".join(["unique_id;ds;y", *ROWS]) + "\n")
    (tmp_path / "my.yaml").write_text(json.dumps(SETTINGS))
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_train_prints_how_the_file_was_read(
    home: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    forerun(["train", "-r", "x", "-d", "table.csv", "-c", "my.yaml", "--output-dir", ".", *options])
    lines = capsys.readouterr().out.splitlines()
    assert set(NOTES) <= {line.removeprefix("note: ") for line in lines}


def test_log_provenance_and_show_keep_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "runs" / "x"
    folder.mkdir(parents=True)
    names = {"data": "data.parquet", "provenance": "provenance.json", "config": "config.yaml"}
    targets = {key: str(folder / name) for key, name in names.items()}
    freeze(resolve(SETTINGS), str(home / "table.csv"), targets, "x")
    assert set(NOTES) <= {
        line.removeprefix("note: ") for line in capsys.readouterr().out.splitlines()
    }
    kept = json.loads((folder / "provenance.json").read_text())["data"]["notes"]
    assert set(NOTES) <= set(kept)
    assert forerun(["show", "x"]) == 0
    assert {f"note: {note}" for note in NOTES} <= set(capsys.readouterr().out.splitlines())


def test_notes_of_new_data_are_printed(home: Path) -> None:
    notes: list[str] = []
    settings = resolve(SETTINGS | {"freq": "D", "season_length": 7})
    inference.new_data(home, settings, str(home / "table.csv"), notes=notes)
    assert set(NOTES) - set(notes) == {NOTES[3], NOTES[5]}


def test_notes_of_the_other_tables_name_them(home: Path) -> None:
    from forerun.data import load

    (home / "table.csv").write_text(
        "\n".join(["unique_id;ds;y;x", *(f"{row};1" for row in ROWS)]) + "\n"
    )
    future = ["unique_id\tds\tx", "a\t31.01.2024\t0,5", "a\t01.02.2024\t1,5"]
    (home / "future.csv").write_text("\n".join(future) + "\n")
    (home / "static.csv").write_text("unique_id|z\na|1.012,5\n")
    files = {"data_file": "table.csv", "futr_file": "future.csv", "static_file": "static.csv"}
    roles = {"futr_exog": ["x"], "stat_exog": ["z"]}
    prepared = load(resolve(SETTINGS | files | roles))
    assert {
        "futr_file: columns are separated by tabs",
        "static_file: columns are separated by '|'",
        "numbers were read with a decimal comma in futr_file ('x')",
        "numbers were read with a decimal comma in static_file ('z')",
    } <= set(prepared.notes)
