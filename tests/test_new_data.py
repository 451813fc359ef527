"""Forecasts of new data: combined like the run's own, correctly named, and never replaced."""

from __future__ import annotations

import tarfile
import threading
from pathlib import Path

import pandas as pd
import pytest
from running import PROJECT, contents
from synthetic import make_run

from forerun import open_run
from forerun.base.errors import UserError
from forerun.base.files import new_path, write_parquet, write_text
from forerun.cli.app import run as call
from forerun.forecasting import inference

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed run of NHITS, DLinear and SeasonalNaive; the best one is SeasonalNaive."""
    with tarfile.open(PROJECT / "tests" / "earlier" / "runs_0.1.tar.gz") as archive:
        archive.extractall(tmp_path / "runs", filter="data")
    (tmp_path / "runs" / "table.csv").rename(tmp_path / "table.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "sealed"


def test_combinations_forecast_new_data_with_the_frozen_weights(folder: Path) -> None:
    run = open_run(folder)
    found = run.predict(run.history)
    assert list(found.columns[:2]) == ["unique_id", "ds"]
    for name in ("per_series", "ensemble", "DLinear"):
        expected = run.predictions_of(name)
        pd.testing.assert_frame_equal(
            found[expected.columns], expected, check_dtype=False, rtol=1e-5, obj=name
        )
    only = run.predict(run.history, models=["ensemble"])
    pd.testing.assert_frame_equal(only, found[only.columns])
    assert [c for c in only.columns if "-" not in c] == ["unique_id", "ds", "ensemble"]
    assert "per_series" in run.predict(run.history, models=["best"])  # its former name


def test_new_series_get_the_model_that_is_best_overall(folder: Path) -> None:
    run = open_run(folder)
    new = run.history.assign(unique_id=run.history["unique_id"].replace("series_2", "shop"))
    with pytest.warns(UserWarning, match=r"^1 series not in run 'sealed' \('shop'\): "):
        found = run.predict(new)
    mine = found[found["unique_id"] == "shop"]
    assert set(mine["chosen"]) == {"SeasonalNaive"}  # the best overall
    assert (mine["per_series"] == mine["SeasonalNaive"]).all()
    assert mine["ensemble"].notna().all()


@pytest.mark.parametrize("name", ["per_series", "ensemble", "SeasonalNaive"])
def test_each_name_of_the_leaderboard_is_taken_everywhere(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(folder)
    assert name in set(run.leaderboard["model"])
    assert name in run.predict(run.history, models=[name])
    assert name in {trace.name for trace in run.plot("series_1", models=[name]).data}
    assert len(run.cv_results_of(name)) == len(run.cv_results_of("SeasonalNaive"))
    for options in (["--unique-id", "series_1"], ["--data-file", "table.csv"], ["--cherry-pick"]):
        arguments = ["predict", "-r", "sealed", "-m", name, *options, "--no-plot"]
        assert call(arguments) == 0, capsys.readouterr().err
        assert name in capsys.readouterr().out
    with pytest.raises(UserError, match=r"no model 'ensembel' \(did you mean 'ensemble'"):
        run.predict(run.history, models=["ensembel"])


def test_nothing_is_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["predict", "--run-id", "sealed", "-m", "SeasonalNaive", "--data-file", "table.csv"]
    pick = ["predict", "--run-id", "sealed", "-m", "SeasonalNaive", "--unique-id", "series_1"]
    before: dict[str, bytes] = {}
    for arguments in (data, data, pick, pick):
        assert call(arguments) == 0, capsys.readouterr().err
        after = contents(folder)
        assert {name: after[name] for name in before} == before
        assert len(after) > len(before)
        before = after
    assert sorted(path.name for path in (folder / "inference").iterdir()) == [
        "series_series_1", "series_series_1_2", "table", "table_2",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "comparisons").glob("*.png")) == [
        "comparison_series_1.png", "comparison_series_1_2.png",
    ]  # fmt: skip
    capsys.readouterr()
    assert call([*data, "--name", "table"]) == 2
    assert "inference/table exists, and nothing is overwritten" in capsys.readouterr().err
    assert contents(folder) == before
    assert call(["verify", "sealed"]) == 0


def test_two_at_once_both_keep_their_forecasts(tmp_path: Path) -> None:
    frame = pd.DataFrame({"unique_id": ["a"], "ds": [1], "NHITS": [2.0]})
    write_text(tmp_path / "table.csv", "a\n")
    ready = threading.Barrier(8)

    def save() -> None:
        ready.wait()
        inference.save(tmp_path, "x", {"NHITS": frame}, tmp_path / "table.csv", {})

    threads = [threading.Thread(target=save) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    found = sorted(path.name for path in (tmp_path / "inference").iterdir())
    assert found == ["x", *(f"x_{number}" for number in range(2, 9))]


def test_a_second_comparison_gets_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run("runs", "a", models=1, series=2)
    make_run("runs", "b", models=1, series=2, seed=2)
    for _ in range(2):
        assert call(["compare", "a", "b"]) == 0
    found = {path.name for path in tmp_path.glob("comparison*")}
    assert found == {f"comparison{n}.{kind}" for n in ("", "_2") for kind in ("png", "html")}
    capsys.readouterr()
    assert call(["compare", "a", "b", "--plot", "comparison.png"]) == 2
    assert "'comparison.png' exists, and nothing is overwritten" in capsys.readouterr().err
    with new_path(tmp_path / "comparison.png") as made:
        made.temporary.write_text("third")
    assert made.path.name == "comparison_3.png"


def test_frozen_static_features_serve_new_data(tmp_path: Path) -> None:
    folder = make_run(tmp_path, series=2, stat_exog=["size"], id_col="shop")
    data = pd.read_parquet(folder / "data.parquet")
    data["size"] = data["unique_id"].map({"series_0000": 1.0, "series_0001": 2.0})
    write_parquet(folder / "data.parquet", data)
    settings = open_run(folder).config
    found = inference.frozen_static(folder, settings, ["shop", "ds", "y"])
    assert found is not None
    assert found.to_dict("list") == {"shop": ["series_0000", "series_0001"], "size": [1.0, 2.0]}
    assert inference.frozen_static(folder, settings, ["shop", "ds", "y", "size"]) is None
    table = data.rename(columns={"unique_id": "shop"}).drop(columns="size")
    table.to_csv(tmp_path / "new.csv", index=False)
    new = inference.new_data(folder, settings, str(tmp_path / "new.csv"))
    assert new.static is not None
    assert new.static["size"].tolist() == [1.0, 2.0]
    table.replace("series_0001", "other").to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UserError, match=r"static feature .size. is missing for .*other"):
        inference.new_data(folder, settings, str(tmp_path / "new.csv"))


@pytest.mark.filterwarnings("error:Ignoring runtime settings")
def test_forecasts_are_printed_and_libraries_keep_quiet(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(["predict", "--run-id", "sealed", "--data-file", "table.csv", "--no-plot"]) == 0
    out, err = capfd.readouterr()
    for noise in ("default_root_dir", "Seed set to", "GPU available", "workflow specific profile"):
        assert noise not in out + err
    rows = [line.split() for line in out.splitlines() if " series_" in f" {line}"]
    assert len(rows) == 12
    tidy = pd.read_parquet(folder / "inference" / "table" / "all.parquet")
    assert tidy.groupby("model").size().to_dict() == dict.fromkeys(open_run(folder).ranked, 12)
    head = next(line for line in out.splitlines() if "lo-95" in line).split()
    assert head == ["unique_id", "ds", "lo-95", "lo-80", "ensemble", "hi-80", "hi-95"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_predict_without_new_data_prints_forecasts(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(["predict", "--run-id", "sealed", "--no-plot"]) == 0, capfd.readouterr().err
    out, err = capfd.readouterr()
    assert "profile" not in out + err
    assert len([line for line in out.splitlines() if " series_" in f" {line}"]) == 12
    assert f"predictions: {Path('runs/sealed/predictions')}/" in out
