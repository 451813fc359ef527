"""Formatting of numbers: the same in the terminal, on pages and in plots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import data_of, words_of
from synthetic import make_run

from forerun import open_run
from forerun.base import text
from forerun.base.files import write_csv
from forerun.cli.app import run as forerun
from forerun.cli.console import cell
from forerun.report import write_comparison, write_report


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (21_423.4, "21,423"), (54_380.2, "54,380"), (2_345_678_901.0, "2,345,678,901"),
        (998.26, "998.3"), (1.23456, "1.235"), (0.000123456, "0.0001235"), (-1234.5, "−1,234"),
        (0.0, "0"), (float("nan"), "–"), (None, "–"), (0.00002, "0.00002000"), (1e16, "1.000e+16"),
    ],
)  # fmt: skip
def test_numbers_have_separators_and_no_exponents(value: float | None, shown: str) -> None:
    assert text.number(value) == shown
    assert cell(value) == ("" if shown == "–" else shown.replace("−", "-"))


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0027, "0.27 %"), (0.00053, "0.053 %"), (0.123, "12.3 %"), (0.0, "0.0 %"),
        (0.99, "99.0 %"), (12.5, "1,250.0 %"), (-0.004, "−0.40 %"),
    ],
)  # fmt: skip
def test_percentages_have_two_digits_at_least(share: float, shown: str) -> None:
    assert text.percent(share) == shown


def test_shares_are_shown_in_percent() -> None:
    for metric in ("smape", "mape", "skill", "coverage_level80"):
        assert text.error(metric, 0.0027) == "0.27 %"
    assert text.error("mae", 0.0027) == "0.002700"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of large errors and small percentages."""
    home = tmp_path_factory.mktemp("home")
    for run_id in ("a", "b"):
        folder = make_run(
            home / "runs", run_id, models=2, series=7, levels=[80], sort_metric="smape"
        )
        board = open_run(folder).leaderboard
        board["mse"], board["smape"] = 54_380.2, 0.0027
        write_csv(folder / "leaderboard.csv", board)
        metrics = open_run(folder).metrics
        for metric, value in (("mse", 54_380.2), ("smape", 0.0027)):
            models = [name for name in metrics if name not in ("unique_id", "metric")]
            metrics.loc[metrics["metric"] == metric, models] = value
        write_csv(folder / "metrics.csv", metrics)
    return home


@pytest.fixture
def large(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with these runs."""
    monkeypatch.chdir(runs)
    return runs


#: All outputs that show errors, by the function that writes them.
PLACES = {
    "show": ["show", "a"],
    "list-runs": ["list-runs"],
    "compare": ["compare", "a", "b", "--no-plot"],
}


@pytest.mark.parametrize("command", PLACES.values(), ids=PLACES)
def test_the_terminal_has_one_scale(
    large: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert forerun(command) == 0
    out = capsys.readouterr().out
    assert "0.27 %" in out
    assert not re.search(r"\de[+-]\d|0\.0027|\.53\b", out)
    if command[0] != "list-runs":
        assert "54,380" in out


def test_pages_have_the_same_scale(large: Path) -> None:
    folders = [large / "runs" / name for name in ("a", "b")]
    report = write_report(folders[0])
    for page in (report, write_comparison(folders, large / "comparison.html")):
        words = words_of(page)
        assert "0.27 %" in words
        assert "54,380" in words
        assert "0.0027" not in words
    chart = next(one for one in data_of(report)["charts"] if one["id"] == "by-model")
    shown = next(one for one in chart["variants"] if one["label"] == "sMAPE")
    assert (shown["data"][0]["x"], shown["unit"]) == ([0.27], " %")


def test_plots_have_the_same_scale(large: Path) -> None:
    from forerun.plots.leaderboard import table_columns

    board = open_run(large / "runs" / "a").leaderboard
    header, cells = table_columns(board.assign(error=board["smape"]), "smape")[0]
    assert (header, set(cells)) == ("sMAPE", {"0.27 %"})


def test_files_keep_the_scale_of_utilsforecast(large: Path) -> None:
    """Percentages are for display; CSV files keep their scale."""
    assert open_run(large / "runs" / "a").leaderboard["smape"].iloc[0] == 0.0027


#: Modules that format numbers for another purpose: data of charts, ticks, tiny differences.
OTHER_DIGITS = {
    "report/pack.py",
    "report/charts.py",
    "plots/text.py",
    "cli/reproduce.py",
    "base/text.py",
}


def test_no_module_has_a_separate_format() -> None:
    """Every number that people read comes from forerun.base.text."""
    library = Path(text.__file__).parents[1]
    found = {
        path.relative_to(library).as_posix()
        for path in library.rglob("*.py")
        if re.search(r":[,+]?\.\d+[ge]\}", path.read_text(encoding="utf-8"))
    }
    assert found <= OTHER_DIGITS
