"""The pages: content, size, and numbers."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import data_of, words_of
from synthetic import make_run

from forerun import open_run
from forerun.base import text
from forerun.base.errors import UserError
from forerun.evaluation.computed import Computed
from forerun.evaluation.paired import holm, paired, signed_rank
from forerun.plots.frames import keys_of
from forerun.report import write_comparison, write_report, write_runs_page
from forerun.report.errors import Places, backtest, window_names
from forerun.report.pack import Line, pack, round_step
from forerun.report.page import data_text

#: Maximum size of a page in bytes.
LARGEST_PAGE = 5_000_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("runs")
    return make_run(home, "exp1", series=4, failed=["LSTM"], levels=[80])


@pytest.fixture(scope="module")
def page(run: Path) -> Path:
    return write_report(run)


def test_the_report_contains_the_content_of_the_run(page: Path, run: Path) -> None:
    assert page == run / "report.html"
    words = words_of(page)
    board = open_run(run).leaderboard
    assert f"{board['model'][0]} forecasts best" in words
    for part in ("Leaderboard", "Failures", "Errors in the back-tests", "By horizon step",
                 "Best and worst series", "Forecasts", "Provenance", "Coverage 80 %",
                 "LSTM could not be trained: loss is NaN", "logs/train_model/LSTM.log",
                 "3 gaps were filled in 1 series",
                 "train --config runs/exp1/config.yaml"):  # fmt: skip
        assert part in words
    assert text.number(board["mae"][0]) in words


def test_report_needs_no_network(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    assert not re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?!data:)[^"#]', source)


def test_report_is_the_same_twice(page: Path, tmp_path: Path, run: Path) -> None:
    assert write_report(run, tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_packed_series_equal_the_tables(page: Path, run: Path) -> None:
    data = data_of(page)
    packed = data["explorer"]["series"][0]
    history = open_run(run).history.query("unique_id == @packed['n']")
    line, kind, start, values = next(part for part in packed["v"] if part[1] == 0)
    assert (line, kind, start) == (-1, 0, 0)
    y = (np.cumsum(values) + packed["b"]) * packed["s"]
    assert np.abs(y - history["y"]).max() <= packed["s"] / 2 + 1e-9
    assert packed["s"] <= (history["y"].max() - history["y"].min()) / 1000
    ahead = next(part for part in packed["v"] if part[:2] == [0, 2])
    forecasts = open_run(run).predictions_of(data["models"][0]).query("unique_id == @packed['n']")
    model = data["models"][0]
    y = (np.cumsum(ahead[3]) + packed["b"]) * packed["s"]
    assert np.abs(y - forecasts[model]).max() <= packed["s"] / 2 + 1e-9
    half = np.cumsum(ahead[4]) * packed["s"]
    assert np.abs(half - (forecasts[model] - forecasts[f"{model}-lo-80"])).max() <= packed["s"]
    assert data["explorer"]["times"][ahead[2]] == "2021-01-01"


def test_tables_are_read_once_to_fit_a_page() -> None:
    rows = {"unique_id": np.repeat([f"s{n}" for n in range(40)], 50), "ds": [*range(50)] * 40}
    table = pd.DataFrame(rows | {"y": np.random.default_rng(0).normal(size=2000)})
    read: list[str] = []

    def forecasts() -> pd.DataFrame:
        read.append("forecasts")
        return table.rename(columns={"y": "M"})

    ids = [str(name) for name in table["unique_id"].unique()][::2]
    lines = [Line("M", "M", lambda: pd.DataFrame(columns=["unique_id", "ds", "M"]), forecasts)]
    _, whole = pack(table, lines, ids)
    assert (whole["series"], whole["of"]) == (20, 40)
    read.clear()
    packed, shown = pack(table, lines, ids, room=2000)
    assert 1 <= shown["series"] < 20
    assert read == ["forecasts"]
    assert packed == pack(table, lines, ids[: shown["series"]])[0]


def test_missing_values_and_gaps_in_time(tmp_path: Path) -> None:
    folder = make_run(tmp_path, series=2, models=1)
    data = pd.read_parquet(folder / "data.parquet")
    data.loc[5, "y"] = np.nan
    data.drop(index=[20, 21]).to_parquet(folder / "data.parquet")
    every = data_of(write_report(folder))["explorer"]["series"]
    packed = next(series for series in every if series["n"] == "series_0000")
    _, _, places, values = packed["v"][0]
    assert values[5] is None
    observed = [value for value in values if value is not None]
    last = (sum(observed) + packed["b"]) * packed["s"]
    assert last == pytest.approx(data["y"].iloc[71], abs=packed["s"])
    assert len(places) == 70
    assert sum(places) == 71
    assert places[20] == 3  # from row 19 to row 22


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    names = ["</script><script>alert(1)</script>", "a & b", '"quoted" <b>', "x" * 60]
    folder = make_run(tmp_path, series=4, names=names, models=1)
    source = write_report(folder).read_text(encoding="utf-8")
    assert "<script>alert" not in source
    assert "&lt;/script&gt;" in source


def test_a_run_with_integer_times(tmp_path: Path) -> None:
    folder = make_run(tmp_path, series=2, models=1, freq=1)
    data = data_of(write_report(folder))
    assert data["explorer"]["times"][:3] == ["0", "1", "2"]
    windows = next(chart for chart in data["charts"] if chart["id"] == "by-window")
    assert windows["variants"][0]["data"][0]["x"] == ["after 35", "after 47", "after 59"]


def test_a_run_in_which_everything_failed(tmp_path: Path) -> None:
    failed = ["SeasonalNaive", "AutoETS", "NHITS"]
    folder = make_run(tmp_path, series=2, models=1, failed=failed)
    words = words_of(write_report(folder))
    assert "No model has finished" in words
    assert "3 models failed" in words


@pytest.mark.slow
@pytest.mark.parametrize("series", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_page_of_twelve_models_and_many_series(tmp_path: Path, series: int) -> None:
    folder = make_run(tmp_path, models=10, series=series, length=150, levels=[80])
    page = write_report(folder)
    assert page.stat().st_size < LARGEST_PAGE * (0.4 + 0.6 * series / 1000)
    data = data_of(page)
    assert len(data["explorer"]["series"]) == series
    assert len(data["models"]) == 12 + 2
    assert "a sample of" not in words_of(page)


def test_a_sample_of_many_series_is_shown_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forerun.report.run_report.MOST_SERIES", 30)
    folder = make_run(tmp_path, series=200, models=1)
    page = write_report(folder)
    names = [series["n"] for series in data_of(page)["explorer"]["series"]]
    assert len(names) == len(set(names)) == 30
    assert "Of 200 series this page holds a sample of 30" in words_of(page)
    worst = open_run(folder).metrics.query("metric == 'mase'").set_index("unique_id")
    best_model = open_run(folder).ranked[0]
    assert str(worst[best_model].idxmax()) in names


def test_errors_by_window_and_step_by_hand() -> None:
    ds = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04"])
    cutoff = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"])
    cv = pd.DataFrame({"unique_id": "a", "ds": ds, "cutoff": cutoff, "y": [1.0, 2.0, 2.0, 4.0]})
    cv = cv.assign(M=[2.0, 4.0, 2.0, 0.0], **{"M-lo-80": [0, 3, 1, -1], "M-hi-80": [3, 5, 3, 1]})
    found = backtest(cv, "M", Places.of(cv, pd.Series({"a": 2.0})))
    assert found.by_window["mae"].tolist() == [1.5, 2.0]  # (1 + 2) / 2, (0 + 4) / 2
    assert found.by_step["mae"].tolist() == [0.5, 3.0]  # (1 + 0) / 2, (2 + 4) / 2
    assert found.by_step["scaled"].tolist() == [0.25, 1.5]
    assert found.coverage == {80.0: 0.5}
    assert window_names(cv) == ["after 2024-01-01", "after 2024-01-02"]
    other = cv.assign(unique_id="b", cutoff=cv["cutoff"] + pd.Timedelta(days=9))
    assert window_names(pd.concat([cv, other])) == ["window 1", "window 2"]


def test_tables_with_other_rows_do_not_share_what_depends_on_them() -> None:
    cv = pd.DataFrame({"unique_id": ["a", "a", "b"], "ds": [1, 2, 1], "cutoff": 0, "M": 1.0})
    counted: list[int] = []
    computed: Computed[int] = Computed()

    def shared(frame: pd.DataFrame) -> int:
        return computed.of(keys_of(frame), lambda: counted.append(len(frame)) or len(counted))

    assert [shared(cv), shared(cv.assign(M=2.0))] == [1, 1]
    assert shared(cv.assign(cutoff=1)) == 2
    assert shared(cv.assign(ds=pd.to_datetime("2024-01-01"))) == 3
    assert shared(cv[:2]) == 4
    assert shared(cv.drop(columns="cutoff")) == 5
    assert shared(cv) == 1
    assert computed.values == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("span", "step"), [(1000, 1.0), (1999, 1.0), (2000, 2.0), (4999, 2.0), (5000, 5.0), (0.5, 5e-4)]
)
def test_steps_are_one_two_or_five(span: float, step: float) -> None:
    assert round_step(span) == pytest.approx(step)
    assert round_step(0.0, 7.0) > 0


def test_numbers_are_formatted() -> None:
    assert [text.number(v) for v in (1234.5, 12.345, 0.01234, 0, None, float("nan"), -2.5)] == [
        "1,234", "12.35", "0.01234", "0", "\u2013", "\u2013", "\u22122.500",
    ]  # fmt: skip
    assert [text.duration(v) for v in (0.44, 18.2, 185, 7800)] == [
        "0.4 s", "18 s", "3 min 05 s", "2 h 10 min",
    ]  # fmt: skip
    assert text.moment("2026-01-02T03:04:05+00:00") == "2026-01-02 03:04 UTC"
    assert text.setting({"a": [1, None]}) == "{a: [1, null]}"
    assert [text.setting(v) for v in (1, True, 0, False, None, "x", 0.5)] == [
        "1", "true", "0", "false", "null", "x", "0.5",
    ]  # fmt: skip


def test_not_a_number_is_null() -> None:
    packed = json.loads(gzip.decompress(base64.b64decode(data_text({"a": [float("nan"), 1.5]}))))
    assert packed == {"a": [None, 1.5]}


# -- Comparison ---------------------------------------------------------------------------------


def metrics_of(values: list[float], model: str) -> pd.DataFrame:
    ids = [f"s{number}" for number in range(len(values))]
    return pd.DataFrame({"unique_id": ids, "metric": "mae", model: values})


def test_wilcoxon_by_hand() -> None:
    # Six series, all better in the second run: 2 of the 2^6 patterns of signs are as extreme.
    first, second = metrics_of([2, 3, 4, 5, 6, 7], "A"), metrics_of([1, 1, 1, 1, 1, 1], "B")
    found, frame = paired(first, second, "mae", ("A", "B"))
    assert found.p == pytest.approx(2 / 64)
    assert (found.first, found.second, found.better, found.series) == (4.5, 1.0, 1.0, 6)
    assert found.relative == pytest.approx(-3.5 / 4.5)
    assert found.verdict("x", "y") == "y is better"
    assert list(frame.columns) == ["first", "second"]


def test_few_or_equal_series_are_not_significant() -> None:
    same = metrics_of([1.0] * 8, "A")
    found, _ = paired(same, same, "mae", ("A", "A"))
    assert (found.p, found.better, found.verdict("x", "y")) == (1.0, 0.5, "no more than noise")
    few, _ = paired(metrics_of([1, 2], "A"), metrics_of([3, 4], "A"), "mae", ("A", "A"))
    assert few.verdict("x", "y").startswith("too few series to tell (2;")
    assert signed_rank(np.array([1.0, -1, 2, -2, 3, -3])) == pytest.approx(1.0)


def test_holm_raises_p_values() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == [
        pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06),
    ]  # fmt: skip


def test_comparison_page(tmp_path: Path) -> None:
    a = make_run(tmp_path, "a", series=12, models=2)
    b = make_run(tmp_path, "b", series=12, models=2, noise=1.6, learning_rate=0.01)
    page = write_comparison([a, b], tmp_path / "comparison.html")
    words = words_of(page)
    assert "Wilcoxon's signed-rank test, paired over series" in words
    assert "learning_rate null 0.01" in words
    assert "a is better" in words
    assert "max_steps" not in words  # the same in both
    assert page.stat().st_size < LARGEST_PAGE
    data = data_of(page)
    assert data["models"][:2] == [f"a · {open_run(a).ranked[0]}", f"b · {open_run(b).ranked[0]}"]
    assert [chart["id"] for chart in data["charts"]] == ["scatter-1"]
    assert len(data["charts"][0]["variants"][0]["data"][1]["x"]) == 12


def test_comparison_warns_of_other_back_tests_and_refuses_invalid_runs(tmp_path: Path) -> None:
    a = make_run(tmp_path, "a", series=3, models=1)
    b = make_run(tmp_path, "b", series=3, models=1, horizon=6)
    c = make_run(tmp_path, "c", models=1, names=["other"])
    words = words_of(write_comparison([a, b], tmp_path / "comparison.html"))
    assert "Not comparable, so not ranked: horizon differs (12, 6)" in words
    assert "a is better" not in words
    assert "b is better" not in words
    for folders, message in (([a], "two runs or more"), ([a, a], "named twice"),
                             ([a, c], "no series in common")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            write_comparison(folders, tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()


# -- All runs -----------------------------------------------------------------------------------


def test_page_of_all_runs(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = make_run(runs, "first", series=2, models=1)
    make_run(runs, "second", series=2, models=1, noise=0.5)
    (runs / "notes.txt").write_text("mine")
    write_report(first)
    page = write_runs_page(runs, tmp_path / "runs.html")
    source, words = page.read_text(encoding="utf-8"), words_of(page)
    assert 'href="runs/first/report.html"' in source
    assert 'href="runs/second/report.html"' not in source  # it has none
    assert "2 runs" in words
    assert "notes.txt" in words
    assert source.count("<polyline") == 1
    assert page.stat().st_size < 100_000


def test_page_of_no_runs(tmp_path: Path) -> None:
    assert "No runs yet" in words_of(write_runs_page(tmp_path / "none", tmp_path / "runs.html"))
