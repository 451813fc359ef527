"""The page of a deployment, its figures and alarms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deploying import make_deployment
from pages import data_of, words_of
from synthetic import make_run

from forerun.base.errors import UserError
from forerun.deployments import monitoring, summaries
from forerun.deployments.folder import Deployment
from forerun.deployments.runs import champion
from forerun.report import shown
from forerun.report.monitor import write_monitor
from forerun.report.origin_charts import origin_charts

#: The best model of the synthetic run, which has no ensemble.
MAIN = "LSTM"


@pytest.fixture(scope="module")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    runs = tmp_path_factory.mktemp("home") / "runs"
    return make_deployment(make_run(runs, "base", levels=[80]), origins=9)


def test_all_origins_are_scored_and_shown(weekly: Deployment, tmp_path: Path) -> None:
    table = summaries.by_step(weekly)
    own = table[(table["step"] == 0) & (table["model"] == MAIN)]
    assert len(own) == 8  # there are no values after the last origin
    page = write_monitor(weekly, tmp_path / "monitor.html")
    words = words_of(page)
    assert "Origins 9" in words
    assert "Its back-test had MAE" in words
    charts = {chart["id"]: chart for chart in data_of(page)["charts"]}
    assert set(charts) == {"by-origin", "coverage", "bias", "stability", "by-step"}
    stability = charts["stability"]["variants"][0]["data"]
    mine = next(trace for trace in stability if trace["name"] == f"{MAIN} of base")
    assert np.allclose(mine["y"], own["scaled_change"].iloc[1:], rtol=1e-4)
    lines = {trace["name"]: trace for trace in charts["by-origin"]["variants"][0]["data"]}
    assert np.allclose(lines[f"{MAIN} of base"]["y"], own["mae"], rtol=1e-4)
    table = pd.read_csv(weekly.run("base") / f"cv_results_{MAIN}.csv")
    errors = (table[MAIN] - table["y"]).abs().groupby(table["cutoff"]).mean()
    assert sorted(set(lines["back-test windows"]["y"])) == pytest.approx(
        [errors.min(), errors.max()], rel=1e-4
    )
    assert page.stat().st_size < 5_000_000


def test_error_in_the_back_test_and_in_service(weekly: Deployment) -> None:
    one = champion(weekly)
    found = monitoring.standing(weekly, one, last=2)
    table = summaries.by_step(weekly)
    own = table[(table["step"] == 0) & (table["model"] == MAIN)].sort_values("origin")
    assert found.got == pytest.approx(own["mae"].tail(2).mean())
    assert found.promised is not None
    assert found.values["worse_than_promised"] == pytest.approx(found.got / found.promised - 1)


@pytest.mark.parametrize(
    ("condition", "raised"),
    [("mae>0", 1), ("mae>1e", None), ("mae>1000000", 0), ("coverage_80<=1", 1), ("bias>=9", 0)],
)
def test_alarms(weekly: Deployment, condition: str, raised: int | None) -> None:
    found = monitoring.standing(weekly, champion(weekly))
    if raised is None:
        with pytest.raises(UserError, match="is not a condition"):
            monitoring.alarms(found, [condition])
    else:
        assert len(monitoring.alarms(found, [condition])) == raised


def test_an_alarm_on_unscored_levels_is_refused(weekly: Deployment) -> None:
    found = monitoring.standing(weekly, champion(weekly))
    with pytest.raises(UserError, match=r"no 'coverage_90' \(did you mean 'coverage_80'"):
        monitoring.alarms(found, ["coverage_90<0.8"])
    nothing = monitoring.Standing({}, None, None, 0)
    assert monitoring.alarms(nothing, ["mae>3"]) == ["mae>3: nothing is scored yet"]


def test_a_page_before_anything_is_scored(tmp_path: Path) -> None:
    one = make_deployment(make_run(tmp_path / "runs", "base"), origins=1)
    assert "No origin is scored yet" in words_of(write_monitor(one, one.monitor))


def test_runs_trained_for_a_backfill_are_one_line(weekly: Deployment) -> None:
    """They forecast origins before the champion's data; challengers have separate lines."""
    table = summaries.by_step(weekly)
    own = table[(table["model"] == MAIN) & (table["step"] == 0)]
    times = sorted(own["origin"])[:3]
    early = own[own["origin"].isin(times)].assign(kind="backfill", mae=[1.0, 2.0, 3.0])
    early["run_id"] = ["weekly_2019-01-31", "weekly_2019-01-31", "weekly_2020-01-31"]
    later = table[~table["origin"].isin(times)]
    other = own.tail(2).assign(run_id="weekly_20240131")  # as 'retrain' names its runs
    both = pd.concat([early, later, other], ignore_index=True)
    lines = shown.find(weekly, both, champion(weekly))
    labels = [f"{MAIN} of base", f"{MAIN} trained for backfill", "SeasonalNaive of base"]
    assert [line.label for line in lines] == labels
    traces = origin_charts(both, lines, "mae", None)[0]["variants"][0]["data"]
    assert traces[1]["name"] == f"{MAIN} trained for backfill"
    assert traces[1]["y"] == [1.0, 2.0, 3.0]
    assert len(traces[0]["x"]) == len(own) - 3
