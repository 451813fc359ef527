"""CSV files of a run: any name of a series and all digits are kept; damaged files are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import PROJECT
from synthetic import make_run

from forerun import open_run
from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import write_csv
from forerun.cli import console, series_plots
from forerun.config.models import specs
from forerun.evaluation.series_units import Past
from forerun.forecasting import forecasts, inference, reproduce
from forerun.runs import tables
from forerun.runs.paths import RunPaths
from forerun.runs.run_data import read_history

#: Strings that some readers parse as a missing value, a number, a truth value or syntax.
NAMES = [
    "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None", "nan", "NaN", "-nan", "-NaN",
    "1.#IND", "#NA", "-", "--", ".", "?", "007", "1", "1.0", "1e5", "-1", "inf", "True", "false",
    "2024-01-01", "=1+1", "a,b", 'say "x"', "'", "é", "a b", "__proto__", "constructor", "#", "~",
]  # fmt: skip


def test_one_module_reads_csv_files_of_runs() -> None:
    """Those of users are read in ``forerun/data``."""
    pattern = re.compile(r"\bread_csv\(|csv\.(Dict)?[Rr]eader\(")
    readers = {
        path.relative_to(PROJECT / "scripts").as_posix()
        for path in (PROJECT / "scripts").rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    assert {name for name in readers if "/data/" not in name} == {"forerun/runs/tables.py"}


def frame_of(names: list[str], **more: object) -> pd.DataFrame:
    values = np.random.default_rng(3).normal(size=len(names)) * 10.0 ** np.arange(-12, 12).take(
        range(len(names)), mode="wrap"
    )
    return pd.DataFrame({"unique_id": pd.Series(names, dtype=object), **more, "NHITS": values})


@pytest.mark.parametrize("more", [[], ["chosen"]])
def test_every_reader_returns_names_and_numbers(tmp_path: Path, more: list[str]) -> None:
    path, when = tmp_path / "table.csv", pd.Timestamp("2024-01-01 12:30")
    chosen = {"chosen": "NA"} if more else {}
    cases = [
        (tables.read_metrics, frame_of(NAMES, metric="mae")),
        (tables.read_predictions, frame_of(NAMES, ds=when, **chosen)),
        (tables.read_cv_results, frame_of(NAMES, ds=when, cutoff=when, y=0.1, **chosen)),
        (tables.read_cv_results, frame_of(NAMES, ds=7, cutoff=6, y=0.1)),
    ]
    for read, frame in cases:
        write_csv(path, frame)
        pd.testing.assert_frame_equal(read(path), frame, check_dtype=False)
        for name in NAMES[:9]:  # one at a time, too: a column of nothing else is guessed as such
            write_csv(path, frame[frame["unique_id"] == name])
            assert read(path)["unique_id"].tolist() == [name]


def test_any_reason_in_a_leaderboard(tmp_path: Path) -> None:
    board = pd.DataFrame(
        {"model": ["NA", "null"], "rank": [1, None], "mae": [0.1 + 0.2, None]}
        | {"status": ["ok", "failed"], "reason": [None, "NA, it failed"]}
    )
    write_csv(tmp_path / "leaderboard.csv", board)
    read = tables.read_leaderboard(tmp_path / "leaderboard.csv")
    assert read["model"].tolist() == ["NA", "null"]
    assert read["mae"].tolist()[0] == 0.1 + 0.2
    assert read["reason"].tolist() == [None, "NA, it failed"]
    write_csv(tmp_path / "leaderboard.csv", board.iloc[:1])
    assert tables.read_leaderboard(tmp_path / "leaderboard.csv")["rank"].tolist() == [1]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same run twice; in the second one the series have harmless names, in the same order."""
    home, odd = tmp_path_factory.mktemp("runs"), sorted(NAMES)
    plain = [f"series_{number:02}" for number in range(len(odd))]
    runs = [
        make_run(home, run_id, models=2, names=names, series=len(odd), levels=[80])
        for run_id, names in (("odd", odd), ("plain", plain))
    ]
    return runs[0], runs[1]


def test_forecasts_do_not_depend_on_names_of_series(pair: tuple[Path, Path]) -> None:
    found = []
    for folder in pair:
        run = open_run(folder)
        frames = {m: run.predictions_of(m)[["unique_id", "ds", m]] for m in ("NHITS", "NBEATS")}
        past = Past(read_history(RunPaths(folder).data))
        record = {"weights": {"NHITS": 0.5, "NBEATS": 0.5}, "members": ["NHITS", "NBEATS"]}
        record |= {
            "shares": {"by_series": 1.0},
            "per_series": {"overall": "NHITS", "per_series": True},
        }
        (folder / "ensemble.json").write_text(json.dumps(record))
        settings = dict(run.config)
        found.append(dict(forecasts.combinations(settings, past, folder, frames)))
    odd, plain = found
    assert set(plain["per_series"]["chosen"]) == {
        "NHITS",
        "NBEATS",
    }  # otherwise nothing is compared
    for name in ("per_series", "ensemble"):
        assert sorted(set(odd[name]["unique_id"])) == sorted(NAMES)
        pd.testing.assert_frame_equal(
            odd[name].drop(columns="unique_id"), plain[name].drop(columns="unique_id")
        )


def test_each_series_is_found_under_its_name(pair: tuple[Path, Path]) -> None:
    folder, plain = pair
    run, models = open_run(folder), [spec.name for spec in specs(open_run(folder).config)]
    assert sorted(set(run.metrics["unique_id"])) == sorted(NAMES)
    assert sorted(set(run.predictions["unique_id"])) == sorted(NAMES)
    assert sorted(set(run.cv_results["unique_id"])) == sorted(NAMES)
    assert {inference.pick_series(folder / "metrics.csv", seed)[0] for seed in range(9)} <= set(
        NAMES
    )
    place = sorted(NAMES).index(inference.pick_series(folder / "metrics.csv")[0])
    assert inference.pick_series(plain / "metrics.csv")[0] == f"series_{place:02}"
    frames = {"NHITS": run.predictions_of("NHITS")}
    for name in NAMES[:9]:
        assert set(inference.only_series(frames, [name])["NHITS"]["unique_id"]) == {name}
        errors = series_plots.errors_of(folder / "metrics.csv", name, models)
        assert errors
        assert set(errors) <= set(models)


def test_a_run_made_again_with_such_names_is_identical(pair: tuple[Path, Path]) -> None:
    folder = pair[0]
    again = folder.with_name("again.csv")
    path = folder / "metrics.csv"
    table = tables.read_metrics(path)
    write_csv(
        again, table.assign(NHITS=table["NHITS"] + np.where(table["unique_id"] == "NA", 1, 0))
    )
    assert reproduce.largest_difference(path, again) == pytest.approx(1.0)
    write_csv(again, table.assign(unique_id=table["unique_id"].replace("NA", "null")))
    assert reproduce.largest_difference(path, again) == float("inf")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b"\xff\xfea\x00,\x00", b"unique_id\n", b"metric,NHITS\nmae,1\n",
        b"unique_id,metric,NHITS,NHITS\na,mae,1,2\n", b"unique_id,metric,NHITS\na,mae,x\n",
        b"unique_id,metric,NHITS\na,mae\n", b"unique_id,metric,NHITS\n\"a,mae,1\n",
        b"unique_id,metric,\xff\na,mae,1\n", b"\x00" * 100,
    ],
)  # fmt: skip
def test_invalid_tables_of_errors_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        tables.read_metrics(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"), ("model,mae\nA,1\n", "no column 'status'"),
        ("model,status,mae\nA,ok,1,2\n", "unequal lengths"),
        ("model,status\n\0,ok\n", "not a text file"),
        ("model,status,mae\nA,ok,x\n", "is not numeric"), ("model,model,status\n", "duplicate"),
        ("model,status\n" + "A,ok\n" * 30_000, "rows"), ("x" * 20_000_000, "too large"),
    ],
)  # fmt: skip
def test_invalid_leaderboards_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "leaderboard.csv"
    path.write_text(content)
    with pytest.raises(Damaged, match=message):
        tables.read_leaderboard(path)
    if "numeric" not in message:
        assert console.leaderboard_rows(path) == []
