"""Settings in files and options count as requested even if they equal a default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.base.resources import DATA
from forerun.base.yaml_files import load_yaml, to_yaml
from forerun.cli.app import run
from forerun.cli.call import gather
from forerun.config import schema
from forerun.config.layers import Layers
from forerun.config.settings import differences, resolve
from forerun.config.typed import read_settings

#: For each key a value that is not its default.
OTHER: dict[str, Any] = {
    "search": [{"model": "DLinear", "space": {"moving_avg_window": [3, 5]}}],
    "data_file": "mine.csv", "horizon": 24, "input_size": 10, "max_steps": 200,
    "models": ["NHITS"], "baselines": ["Naive"], "n_windows": 2, "test_size": 36, "step_size": 4,
    "gap": 1, "refit": True, "id_col": "shop", "time_col": "day", "target_col": "sales",
    "freq": "D", "season_length": 7, "on_gaps": "fill", "on_short": "pad", "hist_exog": ["a"],
    "futr_exog": ["b"], "stat_exog": ["c"], "static_file": "s.csv", "futr_file": "f.csv",
    "exogenous": "both", "seed": 2, "scaler_type": "standard", "windows_batch_size": 64,
    "batch_size": 8, "learning_rate": 0.01, "val_size": 12, "early_stop_patience_steps": 3,
    "num_samples": 3, "accelerator": "auto", "precision": "64", "matmul_precision": "high",
    "threads": 2, "metrics": ["mae"], "sort_metric": "rmse", "levels": [80],
    "ensemble": "median", "ensemble_size": 5, "calendar": ["month"],
    "categorical": ["unique_id"], "categories": {"shop": ["a"]}, "horizon_weight": [1] * 12,
}  # fmt: skip
#: Values of other keys that make a value valid.
WITH: dict[str, dict[str, Any]] = {"early_stop_patience_steps": {"val_size": 12}}


def different(key: str) -> Any:
    """Return a value of a key that differs from its default."""
    if key in OTHER:
        return OTHER[key]
    rule = schema.properties()[key]
    if "enum" in rule:
        return next(value for value in rule["enum"] if value != rule["default"])
    kind = next(kind for kind in schema.types(rule) if kind != "null")
    values = {"string": "x", "integer": 3, "number": 3.5, "boolean": not rule["default"]}
    return {"m": ["x"]} if kind == "object" else values.get(kind, ["x"])


#: Keys that are invalid without others (test_metric_functions.py).
NOT_ALONE = {"metric_functions"}
DECISIVE = [
    key
    for key in schema.properties()
    if key not in schema.marked("x-operational") and key not in NOT_ALONE
]


@pytest.mark.parametrize("key", DECISIVE)
def test_a_file_with_the_default_contradicts_a_run_with_another_value(
    tmp_path: Path, key: str
) -> None:
    default = schema.defaults()[key]
    more = WITH.get(key, {})
    frozen = resolve({key: different(key), **more})
    if default is None and key in schema.marked("x-from-data"):
        pytest.skip("null: found in the data when the run is created")
    for way in ("file", "option", "set"):
        asked: dict[str, Any] = {key: default, **more}
        if way == "file":
            file = tmp_path / "my.yaml"
            file.write_text(to_yaml(asked))
            layers = Layers.of([file], {})
        elif way == "option":
            layers = Layers.of([], asked)
        else:
            pairs = [f"{key}={_as_typed(asked[key])}", *(f"{k}={v}" for k, v in more.items())]
            layers = gather([], {}, assignments=pairs)
        found = differences(frozen, layers.named(None), lambda one, other: one == other)
        assert key in [name for name, _, _ in found], (way, found)


def _as_typed(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config" / "experiments").mkdir(parents=True)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == 2
    return capsys.readouterr().err


def test_later_files_win(home: Path) -> None:
    (home / "a.yaml").write_text("horizon: 3\nmax_steps: 5\n")
    (home / "b.yaml").write_text("max_steps: 6\n")
    asked = gather([Path("a.yaml"), Path("b.yaml")], {})
    assert asked.named(None) == {"horizon": 3, "max_steps": 6}
    assert asked.arguments() == ["--configfile", "a.yaml", "b.yaml"]


def test_train_takes_several_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("runs", "demo", models=1, series=2, horizon=6)
    (home / "a.yaml").write_text("horizon: 7\nmax_steps: 5\n")
    (home / "b.yaml").write_text("max_steps: 6\n")
    output = refused(capsys, "train", "-r", "demo", "--config", "a.yaml", "-c", "b.yaml")
    assert "horizon is 6, requested 7; max_steps is 50, requested 6" in output
    assert "'no.yaml' does not exist" in refused(capsys, "train", "-c", "a.yaml", "-c", "no.yaml")


def test_a_file_and_the_run_s_experiment_are_merged(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The experiment that a run was created from must not hide values of the call's file."""
    make_run("runs", "demo", models=1, series=2, horizon=6)
    (home / "config" / "experiments" / "demo.yaml").write_text("max_steps: 50\n")
    (home / "my.yaml").write_text("max_steps: 1000\n")
    output = refused(capsys, "train", "--run-id", "demo", "--config", "my.yaml")
    assert "max_steps is 50, requested 1000" in output


def test_an_experiment_that_contradicts_the_file_is_refused_before_the_run_is_made(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config" / "experiments" / "new.yaml").write_text("max_steps: 200\nhorizon: 6\n")
    (home / "my.yaml").write_text("max_steps: 1000\nhorizon: 6.0\n")
    output = refused(capsys, "train", "--run-id", "new", "--config", "my.yaml")
    where = f"{Path('config/experiments/new.yaml')}"
    assert f"run 'new': max_steps is 200 in {where}, 1000 in my.yaml; choose" in output
    assert "horizon" not in output
    assert not (home / "runs").exists()
    # An option has precedence.
    layers = Layers.of(["my.yaml"], {"max_steps": 7})
    assert layers.disagreements("new") == []
    assert layers.named("new")["max_steps"] == 7


def test_one_key_given_two_values(home: Path) -> None:
    with pytest.raises(UserError, match="horizon is given twice: 3 and 4; leave one out"):
        gather([], {"horizon": 3}, assignments=["horizon=4"])
    with pytest.raises(UserError, match="max_steps is given twice: 3 and 4"):
        gather([], {}, ["--config", "max_steps=4"], ["max_steps=3"])
    with pytest.raises(UserError, match="models is given twice"):
        gather([], {"models": ["NHITS"]}, assignments=["models=LSTM"])
    assert gather([], {"levels": ["80", "95"]}, assignments=["levels=95,80"])


def test_null_means_the_shipped_table(home: Path) -> None:
    from forerun.runs.state import same_table

    folder = make_run("runs", "demo", models=1, series=2)
    frozen = load_yaml(folder / "config.yaml")
    same = same_table(folder)
    found = differences(frozen | {"data_file": "/x/mine.csv"}, {"data_file": None}, same)
    assert found == [("data_file", "/x/mine.csv", None)]
    shipped = frozen | {"data_file": str(DATA)}
    assert differences(shipped, {"data_file": None}, same) == []
    found = differences(frozen | {"static_file": "s.csv"}, {"static_file": None}, same)
    assert found == [("static_file", "s.csv", None)]


def test_run_ids_of_all_layers_are_text(home: Path) -> None:
    (home / "config" / "config.yaml").write_text("run_id: 2024_10\noutput_dir: 007\n")
    (home / "my.yaml").write_text("run_id: 2024_11\n")
    assert gather([], {}).run_id == "2024_10"
    assert gather([Path("my.yaml")], {}).run_id == "2024_11"
    assert gather([Path("my.yaml")], {}, assignments=["run_id=2024_12"]).run_id == "2024_12"
    assert gather([], {}, ["--config", "run_id=2024_13"]).run_id == "2024_13"
    from forerun.cli.workspace import configured_output_dir

    assert configured_output_dir() == "007"
    assert read_settings("my.yaml") == {"run_id": "2024_11"}
