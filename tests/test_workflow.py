"""Whole workflows through the real `snakemake` command, on small data."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from running import PROJECT, TEST_CONFIG, contents, files, snakemake, write_table
from utilsforecast.losses import mae, mase, mse, rmse

from forerun.base.yaml_files import load_yaml
from forerun.config.settings import dump, resolve

MODELS = ["SeasonalNaive", "NHITS", "DLinear"]
#: A run without neural networks, whose jobs take seconds.
QUICK = ["models=Naive", "baselines=SeasonalNaive"]


def quick(folder: Path, table: Path, *arguments: str, **options: object):  # type: ignore[no-untyped-def]
    """Run `snakemake` on a configuration without neural networks."""
    extra = () if "--config" in arguments else ("--config",)
    return snakemake(folder, *arguments, *extra, f"data_file={table}", *QUICK, **options)


# -- Targets --------------------------------------------------------------------------------------


def test_a_run_contains_the_files_of_the_contract(trained_run: Path) -> None:
    there = set(files(trained_run))
    for name in ("config.yaml", "provenance.json", "data.parquet", "metrics.csv", "SEALED"):
        assert name in there
    for model in MODELS:
        assert f"cv_results_{model}.csv" in there
        assert f"status/{model}.json" in there
        assert f"predictions/{model}.csv" in there
        assert any(name.startswith(f"models/{model}/") for name in there)
        assert f"logs/train_model/{model}.log" in there
        assert f"benchmarks/train_model/{model}.tsv" in there
    assert any(name.startswith("plots/") and name.endswith(".png") for name in there)


def test_every_script_is_run_by_its_rule(trained_run: Path) -> None:
    """Scripts only map Snakemake's values to arguments, so whole workflows test them."""
    scripts = {path.stem for path in (PROJECT / "scripts").glob("*.py")}
    # test_cli_workflow.py, test_shards.py, test_search.py; update_deployment:
    # tests/forerun/deployments
    elsewhere = {"list_runs", "predict_shard", "update_deployment"}
    elsewhere |= {"ask_trials", "run_trial", "conclude_search"}
    assert {path.name for path in (trained_run / "logs").iterdir() if path.is_dir()} | {
        path.stem for path in (trained_run / "logs").glob("*.log")
    } >= scripts - elsewhere


def test_nothing_is_written_outside_the_run(trained_run: Path) -> None:
    home = trained_run.parents[1]
    others = {name.split("/")[0] for name in files(home)}
    assert others <= {"runs", "table.csv", "done"}
    assert {p.name for p in trained_run.parent.iterdir()} <= {"trained", ".store"}


def test_a_target_makes_only_what_it_needs(tmp_path: Path, table: Path) -> None:
    done = quick(tmp_path, table, "runs/exp1/config.yaml")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "exp1"
    assert {p.name for p in run.iterdir()} - {"logs", "benchmarks"} == {
        "config.yaml",
        "data.parquet",
        "provenance.json",
    }
    done = quick(tmp_path, table, "runs/exp1/models/Naive")
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (run / "models").iterdir()] == ["Naive"]
    assert not (run / "metrics.csv").exists()
    done = quick(tmp_path, table, "runs/exp1/metrics.csv")
    assert done.returncode == 0, done.stderr
    assert (run / "metrics.csv").exists()
    assert not (run / "predictions").exists()


def test_snakemake_alone_makes_a_new_run_with_everything(tmp_path: Path, table: Path) -> None:
    done = quick(tmp_path, table)
    assert done.returncode == 0, done.stderr
    (run,) = (p for p in (tmp_path / "runs").iterdir() if not p.name.startswith("."))
    assert re.fullmatch(r"run_\d{8}_\d{6}", run.name)
    assert (run / "SEALED").exists()
    assert (run / "predictions" / "Naive.csv").exists()
    assert list((run / "plots").glob("*.png"))
    assert load_yaml(run / "config.yaml")["run_id"] == run.name


def test_experiments_give_two_runs_their_own_settings(tmp_path: Path, table: Path) -> None:
    experiments = tmp_path / "config" / "experiments"
    experiments.mkdir(parents=True)
    (experiments / "a.yaml").write_text("horizon: 3\nmax_steps: 11\n")
    (experiments / "b.yaml").write_text("horizon: 5\n")
    targets = ["runs/a/config.yaml", "runs/b/config.yaml"]
    done = quick(tmp_path, table, *targets, "--config", "max_steps=12")
    assert done.returncode == 0, done.stderr
    a, b = (load_yaml(tmp_path / target) for target in targets)
    assert (a["horizon"], b["horizon"]) == (3, 5)
    assert (a["max_steps"], b["max_steps"]) == (12, 12)  # an option wins over the experiment


def test_snakemake_keeps_strings_as_typed(tmp_path: Path, table: Path) -> None:
    """Snakemake itself reads 2024_11 as 202411."""
    experiments = tmp_path / "config" / "experiments"
    experiments.mkdir(parents=True)
    (experiments / "2024_11.yaml").write_text("max_steps: 11\nhorizon: 4\n")
    done = quick(tmp_path, table, "-n", "--config", "run_id=2024_11")
    assert done.returncode == 0, done.stderr
    assert "runs/2024_11/config.yaml" in done.stdout + done.stderr
    assert "runs/202411" not in done.stdout + done.stderr
    assert (
        "forerun: note: run '2024_11': max_steps is 11 in config/experiments/2024_11.yaml, 5 in "
        f"{TEST_CONFIG}; the former is used"
    ) in done.stderr
    assert "horizon is" not in done.stderr


def test_a_dry_run_writes_nothing(tmp_path: Path, table: Path) -> None:
    before = files(tmp_path)
    for target in ([], ["runs/exp1/predictions"], ["list-runs"]):
        done = quick(tmp_path, table, "-n", *target)
        assert done.returncode == 0, done.stderr
        assert files(tmp_path) == before
        assert not (tmp_path / "runs").exists()


def test_a_completed_run_is_not_changed(trained_run: Path) -> None:
    home = trained_run.parents[1]
    before = files(trained_run)
    done = snakemake(home, "runs/trained/predictions", "runs/trained/plots", configfile=None)
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stderr + done.stdout
    assert files(trained_run) == before


def test_output_dir_contains_the_runs(tmp_path: Path, table: Path) -> None:
    elsewhere = tmp_path / "else where"
    target = f"{elsewhere}/runs/exp1/config.yaml"
    done = quick(tmp_path, table, target, "--config", f"output_dir={elsewhere}")
    assert done.returncode == 0, done.stderr
    assert Path(target).exists()
    assert not (tmp_path / "runs").exists()


# -- Configuration and data -----------------------------------------------------------------------


def test_a_configuration_of_the_earlier_tool_works_as_it_is(tmp_path: Path) -> None:
    keys = {"run_id": "old", "data_file": None, "output_dir": None, "horizon": 12}
    keys |= {"input_size": 48, "max_steps": 1000, "models": ["NBEATS", "NHITS", "LSTM"]}
    keys |= {"n_windows": 3, "test_size": None, "log_file": None}
    file = tmp_path / "train_config.yaml"
    file.write_text(yaml.safe_dump(keys))
    done = snakemake(tmp_path, "runs/old/config.yaml", configfile=file)
    assert done.returncode == 0, done.stderr
    frozen = load_yaml(tmp_path / "runs" / "old" / "config.yaml")
    assert [model["name"] for model in frozen["models"]] == ["NBEATS", "NHITS", "LSTM"]
    assert (frozen["freq"], frozen["season_length"]) == ("MS", 12)
    data = pd.read_parquet(tmp_path / "runs" / "old" / "data.parquet")
    assert data["unique_id"].nunique() == 15  # the shipped data set


def test_the_frozen_configuration_resolves_to_itself(trained_run: Path) -> None:
    text = (trained_run / "config.yaml").read_text()
    assert dump(resolve(load_yaml(trained_run / "config.yaml"))) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["horizn=3"], "did you mean 'horizon'"),
        (["horizon=0"], "horizon"),
        (["models=NHIT"], "did you mean 'NHITS'"),
        (["run_id=../x"], "run id"),
        (["data_file=missing.csv"], "missing.csv"),
        (["data_file=."], "folder"),
    ],
)
def test_a_user_error_is_one_line_and_exit_code_2(
    tmp_path: Path, table: Path, options: list[str], message: str
) -> None:
    before = files(tmp_path)
    done = snakemake(tmp_path, "--config", f"data_file={table}", *options, configfile=None)
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("forerun: error:")]
    assert message in line
    assert "Traceback" not in done.stderr
    assert files(tmp_path) == before


def test_unusable_data_create_no_run(tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    table.write_text("unique_id,ds,y\na,2024-01-01,1\na,2024-01-01,2\n")
    done = quick(tmp_path, table, "runs/bad/predictions")
    assert done.returncode == 2, done.stderr
    assert "forerun: error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "bad").exists()


@pytest.mark.parametrize("target", ["runs/.hidden/predictions", "runs/a b/plots", "runs/-x/SEALED"])
def test_a_target_without_a_valid_run_id_is_refused(
    tmp_path: Path, table: Path, target: str
) -> None:
    done = quick(tmp_path, table, target)
    assert done.returncode == 2, done.stderr
    assert "run id" in done.stderr


def test_other_column_names_and_integer_time(tmp_path: Path) -> None:
    frame = pd.read_csv(write_table(tmp_path / "t.csv"))
    frame["step"] = frame.groupby("unique_id").cumcount()
    frame.drop(columns="ds").rename(columns={"unique_id": "shop", "y": "sold"}).to_parquet(
        tmp_path / "shops.parquet"
    )
    names = ["id_col=shop", "time_col=step", "target_col=sold"]
    done = quick(tmp_path, tmp_path / "shops.parquet", "runs/i/metrics.csv", "--config", *names)
    assert done.returncode == 0, done.stderr
    cv = pd.read_csv(tmp_path / "runs" / "i" / "cv_results_Naive.csv")
    assert pd.api.types.is_integer_dtype(cv["ds"])
    assert cv["ds"].max() == 59


# -- Results --------------------------------------------------------------------------------------


def test_metrics_equal_a_plain_calculation(trained_run: Path) -> None:
    table = pd.read_csv(trained_run / "metrics.csv").set_index(["unique_id", "metric"])
    history = pd.read_parquet(trained_run / "data.parquet")
    for model in MODELS:
        cv = pd.read_csv(trained_run / f"cv_results_{model}.csv", parse_dates=["ds", "cutoff"])
        for loss in (mae, mse, rmse):
            expected = loss(cv, models=[model]).groupby("unique_id")[model].mean()
            found = table.xs(loss.__name__, level="metric")[model]
            np.testing.assert_allclose(found.loc[expected.index], expected, rtol=1e-9)
        per_window = [
            mase(window, [model], seasonality=7, train_df=history[history["ds"] <= cutoff])
            for cutoff, window in cv.groupby("cutoff")
        ]
        scaled = pd.concat(per_window).groupby("unique_id")[model].mean()
        found = table.xs("mase", level="metric")[model]
        np.testing.assert_allclose(found.loc[scaled.index], scaled, rtol=1e-9)


def test_the_windows_are_the_last_steps_of_each_series(trained_run: Path) -> None:
    history = pd.read_parquet(trained_run / "data.parquet")
    for model in MODELS:
        cv = pd.read_csv(trained_run / f"cv_results_{model}.csv", parse_dates=["ds", "cutoff"])
        assert len(cv) == 3 * 2 * 4  # series, windows, horizon
        for unique_id, part in cv.groupby("unique_id"):
            days = history.loc[history["unique_id"] == unique_id, "ds"]
            assert list(part["ds"]) == list(days.tail(8))
            assert list(part["cutoff"].unique()) == [days.iloc[-9], days.iloc[-5]]
        merged = cv.merge(history, on=["unique_id", "ds"], suffixes=("", "_true"))
        np.testing.assert_allclose(merged["y"], merged["y_true"])


def test_predictions_follow_the_end_of_each_series(trained_run: Path) -> None:
    end = pd.read_parquet(trained_run / "data.parquet")["ds"].max()
    for model in MODELS:
        frame = pd.read_csv(trained_run / "predictions" / f"{model}.csv", parse_dates=["ds"])
        expected = list(pd.date_range(end, periods=5, freq="D")[1:])
        assert all(list(part["ds"]) == expected for _, part in frame.groupby("unique_id"))
        assert frame[model].notna().all()


def test_the_leaderboard_is_best_first_with_costs(trained_run: Path) -> None:
    board = pd.read_csv(trained_run / "leaderboard.csv")
    assert set(MODELS) <= set(board["model"])
    assert board["mae"].is_monotonic_increasing
    assert list(board["rank"]) == list(range(1, len(board) + 1))
    means = pd.read_csv(trained_run / "metrics.csv").groupby("metric").mean(numeric_only=True)
    row = board.set_index("model").loc["NHITS"]
    assert row["mae"] == pytest.approx(means.loc["mae", "NHITS"])
    naive = means.loc["mae", "SeasonalNaive"]
    assert row["skill"] == pytest.approx(1 - row["mae"] / naive)
    assert row["train_seconds"] > 0
    assert row["peak_memory_mb"] > 100


def test_saved_models_contain_no_data_and_no_code(trained_run: Path) -> None:
    for path in (trained_run / "models").rglob("*"):
        assert path.suffix not in (".pkl", ".ckpt", ".pt", ".joblib")
        assert not path.name.startswith("dataset")


def test_results_are_the_same_to_the_byte(trained_run: Path, tmp_path: Path) -> None:
    """With another order of models, one job at a time and another run id."""
    settings = load_yaml(PROJECT / "config" / "test.yaml")
    settings["models"] = settings["models"][::-1]
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(settings))
    shutil.copy(trained_run.parents[1] / "table.csv", tmp_path / "table.csv")
    done = snakemake(
        tmp_path,
        "runs/again/predictions",
        "--cores=1",
        "--config",
        "data_file=table.csv",
        "reuse=false",
        configfile=other,
    )
    assert done.returncode == 0, done.stderr
    again = contents(tmp_path / "runs" / "again")
    for name, content in contents(trained_run).items():
        if re.match(r"cv_results_|predictions/|models/", name) and "trials" not in name:
            assert again[name] == content, name


def test_log_file_contains_the_log_of_the_run(tmp_path: Path, table: Path) -> None:
    log = tmp_path / "everything.log"
    done = quick(tmp_path, table, "runs/l/predictions", "--config", f"log_file={log}")
    assert done.returncode == 0, done.stderr
    text = log.read_text()
    assert "freq was inferred" in text
    assert "Naive: predicting" in text
    status = json.loads((tmp_path / "runs" / "l" / "status" / "Naive.json").read_text())
    assert status["status"] == "ok"
