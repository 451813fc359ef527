"""Requested settings of a call, and settings of existing runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.config.layers import Layers
from forerun.runs.request import Request


def request_for(runs: Path, **options: object) -> Request:
    layers = Layers(options=dict(options))
    return Request(runs, layers.all, layers, cores=4)


def test_a_new_run_has_the_settings_of_the_call(tmp_path: Path) -> None:
    request = request_for(tmp_path, horizon=3, models=["NHITS"], threads=None)
    settings = request.settings("exp1")
    assert (settings["run_id"], settings["horizon"]) == ("exp1", 3)
    assert settings["threads"] == 2  # two fits of one network share four cores
    assert "NHITS" in request.models("exp1")


def test_an_existing_run_keeps_its_settings_and_refuses_others(tmp_path: Path) -> None:
    make_run(tmp_path, models=1, series=1, horizon=6)
    assert request_for(tmp_path).settings("exp1")["horizon"] == 6
    with pytest.raises(UserError, match="horizon is 6, requested 3; choose another run id"):
        request_for(tmp_path, horizon=3).settings("exp1")
    in_job = request_for(tmp_path, horizon=3)
    in_job.is_planning = False
    assert in_job.settings("exp1")["horizon"] == 6


def test_a_wrong_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is invalid"):
        request_for(tmp_path).settings("a b")
    with pytest.raises(UserError, match="is invalid"):
        request_for(tmp_path, run_id="../x").default_run()


def test_the_default_run_id(tmp_path: Path) -> None:
    assert request_for(tmp_path, run_id="mine").default_run() == "mine"
    assert request_for(tmp_path).default_run().startswith("run_")


def test_operational_settings_come_from_the_call(tmp_path: Path) -> None:
    make_run(tmp_path, models=1, series=1, max_time=5)
    assert request_for(tmp_path).operational("exp1", "max_time") is None
    assert request_for(tmp_path, max_time=60).operational("exp1", "max_time") == 60


def test_number_of_series_drawn(tmp_path: Path) -> None:
    make_run(tmp_path, models=1, series=1, plot_series=2)
    assert request_for(tmp_path).plot_setting("exp1", "plot_series") == 2
    assert request_for(tmp_path, plot_series=7).plot_setting("exp1", "plot_series") == 7


def test_formats_of_plots_of_an_untrusted_run_are_those_of_the_schema(tmp_path: Path) -> None:
    run = make_run(tmp_path, models=1, series=1, plot_formats=["png"])
    assert request_for(tmp_path).plot_setting("exp1", "plot_formats") == ["png"]
    text = (run / "config.yaml").read_text()
    assert "plot_formats:\n- png\n" in text
    (run / "config.yaml").write_text(text.replace("- png\n", "- exe\n"))
    assert request_for(tmp_path).plot_setting("exp1", "plot_formats") == ["png", "svg"]


def test_tables_must_exist_unless_another_workflow_makes_them(tmp_path: Path) -> None:
    asked = {"data_file": str(tmp_path / "no.csv"), "models": ["NHITS"]}
    with pytest.raises(UserError, match=r"no\.csv' does not exist"):
        request_for(tmp_path, **asked).tables("exp1")
    assert Request(tmp_path, asked).tables("exp1") == {"data_file": asked["data_file"]}
    with pytest.raises(UserError, match="is a folder"):
        request_for(tmp_path, data_file=str(tmp_path)).tables("exp1")
    with pytest.raises(UserError, match="braces"):
        Request(tmp_path, asked | {"data_file": "{x}.csv"}).tables("exp1")


def test_models_that_take_seconds(tmp_path: Path) -> None:
    named = {"name": "weekly", "model": "SeasonalNaive"}
    pattern = request_for(tmp_path, models=["NHITS", named]).fast_models().split("|")
    assert {"weekly", "AutoETS"} <= set(pattern)
    assert "NHITS" not in pattern
