"""All plots of a run: complete, reproducible, and described in an index."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from plot_samples import Sample, sample
from synthetic import make_run

from forerun import open_run
from forerun.base.files import write_csv
from forerun.plots import drawings, style
from forerun.plots import figures as plots


def write(folder: Path, data: Sample, **settings: object) -> list[Path]:
    return plots.write_all(
        folder, data.history, data.cv, data.predictions, data.leaderboard,
        data.settings | settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    write(folder, sample(3, series=5), plot_series=2)
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save empty files instead of plots, because drawing takes a second each."""

    monkeypatch.setattr(style, "render", lambda *_: (np.zeros((1, 1, 4), "uint8"), "<svg/>"))
    monkeypatch.setattr(style, "pixels", lambda *_: np.zeros((1, 1, 4), "uint8"))


def test_every_plot_exists_as_png_and_svg(written: Path) -> None:
    stems = {path.stem for path in written.glob("*.png")}
    assert stems == {path.stem for path in written.glob("*.svg")}
    assert {"leaderboard", "error_by_horizon", "calibration"} <= stems
    for kind, count in {"forecast": 2, "backtest": 2, "residuals": 3}.items():
        assert sum(stem.startswith(f"{kind}_") for stem in stems) == count
    for path in written.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    for path in written.glob("*.svg"):
        assert path.read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_the_index_describes_all_files(written: Path) -> None:
    entries = json.loads((written / "index.json").read_text(encoding="utf-8"))
    named = {name for plot in entries["plots"] for name in plot["files"].values()}
    on_disk = {path.name for path in written.iterdir()} - {"index.json", "README.md"}
    assert named == on_disk
    for plot in entries["plots"]:
        assert plot["title"]
        assert plot["about"]
        if plot["kind"] in ("forecast", "backtest"):
            assert plot["unique_id"]
    assert [chosen["role"] for chosen in entries["series"]] == [
        "best of 5 series", "worst of 5 series",
    ]  # fmt: skip
    readme = (written / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([^)]+)\)", readme)) == on_disk


@pytest.mark.usefixtures("undrawn")
def test_the_returned_list_matches_the_written_files(tmp_path: Path) -> None:
    paths = write(tmp_path, sample(1, series=1))
    assert {path.name for path in paths} == {
        path.name for path in tmp_path.iterdir()
    } - {"index.json", "README.md"}  # fmt: skip


def test_the_same_bytes_in_two_other_processes_with_other_settings(
    written: Path, tmp_path: Path
) -> None:
    """A matplotlibrc and the hash seed make no difference; pages import no matplotlib."""
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\nsvg.hashsalt: x\n")
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import forerun.report.run_report, forerun.report.comparison, forerun.report.monitor\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from forerun.plots import figures as plots\n"
        "heavy = {'matplotlib.pyplot', 'neuralforecast', 'torch', 'snakemake'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from plot_samples import sample\n"
        "d = sample(3, series=5)\n"
        "plots.write_all(sys.argv[1], d.history, d.cv, d.predictions, d.leaderboard,"
        " d.settings | {'plot_series': 2}, processes=2)\n"
    )
    tests = Path(__file__).resolve().parents[2]
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "plots"), str(tests),
         str(tests.parent / "scripts")],
        check=True, cwd=tmp_path, env=os.environ | {"PYTHONHASHSEED": "123"},
    )  # fmt: skip
    made = {path.name for path in (tmp_path / "plots").iterdir()}
    assert made == {path.name for path in written.iterdir()}
    for path in written.iterdir():
        assert (tmp_path / "plots" / path.name).read_bytes() == path.read_bytes(), path.name


def test_files_contain_no_date(written: Path) -> None:
    assert "<dc:date>" not in (written / "leaderboard.svg").read_text(encoding="utf-8")
    assert b"tIME" not in (written / "leaderboard.png").read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_obsolete_plots_are_removed_and_other_files_kept(tmp_path: Path) -> None:
    data = sample(1, series=3)
    write(tmp_path, data, plot_series=3)
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "comparison_a.png").write_bytes(b"x")
    (tmp_path / "mine.png").write_bytes(b"x")
    before = {path.name for path in tmp_path.iterdir()}
    write(tmp_path, data, plot_series=1)
    gone = before - {path.name for path in tmp_path.iterdir()}
    assert gone
    assert all(name.startswith(("forecast_", "backtest_")) for name in gone)
    assert {"mine.png", "comparison"} <= {path.name for path in tmp_path.iterdir()}


def test_a_broken_write_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:4])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, sample(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_failed_models_are_skipped(tmp_path: Path) -> None:
    data = sample(2, series=2)
    columns = ["unique_id", "ds", "cutoff", "y", "TFT"]
    data.cv["TFT"] = pd.DataFrame(columns=columns)
    data.predictions["TFT"] = pd.DataFrame(columns=["unique_id", "ds", "TFT"])
    failed = pd.DataFrame({"model": ["TFT"], "status": ["failed"], "reason": ["no memory"]})
    data.leaderboard = pd.concat([data.leaderboard, failed], ignore_index=True)
    names = {path.stem for path in write(tmp_path, data, plot_series=1)}
    assert "residuals_TFT" not in names
    assert "leaderboard" in names


def test_nothing_to_draw(tmp_path: Path) -> None:
    data = sample(1)
    assert plots.write_all(tmp_path, data.history, {}, {}, None, {}) == []
    assert "nothing to draw" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert plots.write_all(tmp_path, data.history, None, None, data.leaderboard.iloc[:0], {}) == []


@pytest.mark.usefixtures("undrawn")
def test_predictions_without_validation(tmp_path: Path) -> None:
    data = sample(2, series=3)
    paths = plots.write_all(
        tmp_path, data.history, None, data.predictions, None, {"plot_series": 2}
    )
    assert len(paths) == 4
    assert all(path.name.startswith("forecast_") for path in paths)


@pytest.mark.usefixtures("undrawn")
def test_one_step_has_no_curve(tmp_path: Path) -> None:
    names = {path.stem for path in write(tmp_path, sample(1, horizon=1, windows=5), plot_series=1)}
    assert "error_by_horizon" not in names
    assert any(name.startswith("backtest_series-") for name in names)


@pytest.mark.usefixtures("undrawn")
def test_residuals_of_a_bounded_number_of_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def instead(_: object, model: str, **__: object) -> Figure:
        drawn.append(model)
        return Figure((1, 1))

    monkeypatch.setattr(drawings, "residuals", instead)
    data = sample(10)
    write(tmp_path, data, plot_series=0)
    assert drawn == list(data.leaderboard["model"][: drawings.MOST_RESIDUALS])
    assert len(drawn) == 8


@pytest.mark.usefixtures("undrawn")
def test_names_that_differ_in_case_only_make_two_files(tmp_path: Path) -> None:
    data = sample(1, names=["North/1", "north/1"], special=False)
    names = [path.name.casefold() for path in write(tmp_path, data)]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("forecast_") for name in names) == 4


@pytest.mark.usefixtures("undrawn")
def test_markdown_in_names_is_escaped(tmp_path: Path) -> None:
    write(tmp_path, sample(1, names=["a|b](x) <b>*_`", "c"]))
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "Forecast of a\\|b\\]\\(x\\) \\<b\\>\\*\\_\\`" in readme


@pytest.mark.usefixtures("undrawn")
def test_integer_ids_of_series(tmp_path: Path) -> None:
    data = sample(1, names=["1", "2"])
    for frame in [data.history, *data.cv.values(), *data.predictions.values()]:
        frame["unique_id"] = frame["unique_id"].astype(np.int64)
    assert {"forecast_1.png", "backtest_2.svg"} <= {path.name for path in write(tmp_path, data)}


@pytest.mark.usefixtures("undrawn")
def test_the_metric_of_the_configuration_decides(tmp_path: Path) -> None:
    data = sample(2)
    data.leaderboard["mase"] = [0.5, 0.6]
    write(tmp_path, data, sort_metric="mase", plot_series=0)
    entries = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    about = {plot["name"]: plot["about"] for plot in entries["plots"]}
    assert "MASE" in about["leaderboard"]
    assert "MASE" in about["error_by_horizon"]


@pytest.mark.usefixtures("undrawn")
def test_calibration_and_error_by_step_have_the_ensemble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files of the rule, which include back-tests of the combined forecasts."""
    import plot_run

    folder = make_run(tmp_path, "exp1", models=1, series=2, levels=[80], plot_series=0)
    run = open_run(folder)
    cv = run.cv_results_of("NHITS")
    names = {c: c.replace("NHITS", "ensemble") for c in cv}
    write_csv(run.paths.cv_results("ensemble"), cv.rename(columns=names))
    shown: dict[str, list[str]] = {}
    real = {kind: getattr(drawings, kind) for kind in ("error_by_horizon", "calibration")}
    for kind in ("error_by_horizon", "calibration"):

        def draw(cv: dict, *given: list[str], kind: str = kind, **options: Any) -> Any:
            shown[kind] = list(given[0] if given else options["models"])
            return real[kind](cv, *given, **options)

        monkeypatch.setattr(drawings, kind, draw)
    plot_run.main(
        config=run.paths.config, data=run.paths.data, models=run.models,
        cv_results=[run.paths.cv_results(model) for model in run.models],
        combined=[str(run.paths.cv_results("ensemble"))], leaderboard=run.paths.leaderboard,
        predictions=run.paths.predictions, folder=tmp_path / "plots",
        log=tmp_path / "log", plot_series=0, plot_formats=["png"], processes=1,
    )  # fmt: skip
    assert {kind: "ensemble" in models for kind, models in shown.items()} == {
        "error_by_horizon": True, "calibration": True,
    }  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_limits_that_nothing_could_calibrate_are_not_drawn(tmp_path: Path) -> None:
    """With a single window of a single series the limits of the cross-validation are missing."""
    data = sample(2, series=1)
    for model, frame in data.cv.items():
        frame[[c for c in frame if c.startswith((f"{model}-lo-", f"{model}-hi-"))]] = np.nan
    names = {path.stem for path in write(tmp_path, data, plot_series=0)}
    assert "error_by_horizon" in names
    assert "calibration" not in names


@pytest.mark.usefixtures("undrawn")
def test_only_the_requested_formats_are_written(tmp_path: Path) -> None:
    paths = write(tmp_path, sample(1, series=1), plot_series=1, plot_formats=["png"])
    assert paths
    assert {path.suffix for path in paths} == {".png"}
    assert not list(tmp_path.glob("*.svg"))
    readme = (tmp_path / "README.md").read_text()
    assert "Each plot is here as PNG. " in readme
    assert "SVG" not in readme


def test_each_figure_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    draw = Figure.draw

    def counted(self: Figure, renderer: Any) -> None:
        drawn.append(str(self.get_label()))
        draw(self, renderer)

    monkeypatch.setattr(Figure, "draw", counted)
    paths = write(tmp_path, sample(1, series=1), plot_series=1)
    assert len(drawn) == len(set(drawn)) == len(paths) / 2
