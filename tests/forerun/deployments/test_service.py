"""A deployment from its first forecast to a rollback, with a real run and real forecasts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from deploying import ALL, TRAINED, until
from forking import Forked

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import write_text
from forerun.cli.app import run
from forerun.cli.deployments.common import settings_file
from forerun.deployments import actuals, origins, retraining, scores, summaries
from forerun.deployments.backfilling import backfill
from forerun.deployments.folder import Deployment, read_journal
from forerun.deployments.forecast import forecast
from forerun.deployments.result import Result
from forerun.deployments.service import (
    challenge,
    check_gates,
    deploy,
    promote,
    rollback,
    score,
)


def names(one: Deployment) -> list[str]:
    return [origin.name for origin in origins.origins(one)]


def test_forecast_twice_makes_one_origin(sales: Deployment) -> None:
    first = forecast(sales)
    assert first.origins == ["2024-02-29"]
    table = origins.origins(sales)[0].forecasts()
    keys = ["origin", "unique_id", "ds", "step", "model", "run_id", "role"]
    assert list(table.columns[:7]) == keys
    assert set(table["model"]) >= {"SeasonalNaive"}
    own = table[table["model"] == "SeasonalNaive"]
    assert own.groupby("unique_id")["step"].max().tolist() == [4, 4, 4]
    assert own["ds"].min() == pd.Timestamp("2024-03-01")
    # The seasonal naive forecast is the value a week before.
    data = pd.read_csv("sales.csv", parse_dates=["ds"])
    before = data.assign(ds=data["ds"] + pd.Timedelta("7D")).set_index(["unique_id", "ds"])["y"]
    assert own.set_index(["unique_id", "ds"])["point"].sub(before).dropna().abs().max() < 1e-6
    assert forecast(sales).lines == ["nothing new in sales.csv; origin 2024-02-29 exists"]
    assert names(sales) == ["2024-02-29"]


def test_the_next_origin_is_due_after_a_week(sales: Deployment) -> None:
    forecast(sales)
    until(TRAINED + 3)
    assert forecast(sales).lines == ["the next origin is due at 2024-03-07"]
    assert len(sales.vintages()) == 2  # the new values are recorded
    until(TRAINED + 7)
    assert forecast(sales).origins == ["2024-03-07"]


@pytest.mark.parametrize(
    ("every", "due"),
    [("1M", "2024-03-29"), ("2M", "2024-04-29"), ("1Y", "2025-02-28"), ("4 steps", "2024-03-04")],
)
def test_the_next_origin_is_due_by_the_calendar(home: Path, every: str, due: str) -> None:
    """The first origin is the leap day."""
    one = Deployment(Path("."), "monthly")
    deploy(one, "naive", {"data_file": until(TRAINED), "every": every})
    forecast(one)
    until(TRAINED + 1)
    assert forecast(one).lines == [f"the next origin is due at {due}"]


def test_scores_when_the_values_arrive_and_when_they_are_restated(sales: Deployment) -> None:
    forecast(sales)
    assert score(sales).lines == ["nothing to score"]
    until(TRAINED + 2)
    forecast(sales)
    assert score(sales).origins == ["2024-02-29"]
    assert score(sales).lines == ["nothing to score"]
    summary = summaries.by_step(sales)
    whole = summary[(summary["step"] == 0) & (summary["model"] == "SeasonalNaive")].iloc[0]
    assert whole["n"] == 6  # two steps of three series
    detail = scores.read_detail(sales)
    own = detail[detail["model"] == "SeasonalNaive"]
    assert whole["mae"] == pytest.approx((own["point"] - own["y"]).abs().mean())
    assert whole["bias"] == pytest.approx((own["point"] - own["y"]).mean())

    changed = pd.read_csv("sales.csv")
    last = changed["ds"] == changed["ds"].max()
    changed.loc[last, "y"] += 100
    changed.to_csv("sales.csv", index=False)
    forecast(sales)
    assert score(sales).origins == ["2024-02-29"]
    restated = summaries.by_step(sales)
    after = restated[(restated["step"] == 0) & (restated["model"] == "SeasonalNaive")].iloc[0]
    assert after["mae"] > whole["mae"] + 40
    both = pd.read_parquet(sales.scores / "2024-02-29.parquet")
    assert both["as_of"].nunique() == 2  # the errors against the earlier values are kept
    assert len(scores.newest(both)) == len(own) * detail["model"].nunique()


def test_backfill_sees_nothing_of_the_future(home: Path) -> None:
    """A spike after the origin, in the target and in a whole new series, changes no forecast."""
    whole = until(80)
    first = Deployment(Path("."), "first")
    deploy(first, "naive", {"data_file": whole, "every": "1W"})
    result = backfill(first, "2024-02-29", "1W")
    assert result.origins == ["2024-02-29", "2024-03-07", "2024-03-14"]
    spiked = pd.read_csv(whole)
    spiked.loc[spiked["ds"] > "2024-02-29", "y"] = 1e6
    spiked.to_csv("spiked.csv", index=False)
    second = Deployment(Path("."), "second")
    deploy(second, "naive", {"data_file": "spiked.csv", "every": "1W"})
    backfill(second, "2024-02-29", "1W")
    tables = [origins.origins(one)[0].forecasts() for one in (first, second)]
    pd.testing.assert_frame_equal(*tables)
    series = [origins.origins(one)[0].series() for one in (first, second)]
    pd.testing.assert_frame_equal(*series)
    assert all(origin.is_backfill for origin in origins.origins(first))


def test_backfill_before_the_end_of_the_runs_data_is_refused(sales: Deployment) -> None:
    result = backfill(sales, "2024-02-20", "1W")
    assert result.origins == ["2024-02-27"] or not result.origins
    assert all("skipped: the data of run 'naive' end later" in line for line in result.lines[:1])


def test_challenge_promote_and_roll_back(sales: Deployment) -> None:
    challenge(sales, "other")
    until(ALL)
    backfill(sales, "2024-02-29", "4D", "sales.csv")
    score(sales)
    checks = {check.name: check for check in check_gates(sales, "other")}
    assert checks["origins"].passed
    assert not checks["improved"].passed  # a forecast without the weekly pattern is worse
    promote(sales, "other", list(checks.values()), "a test")
    assert sales.champion().run_id == "other"
    assert sales.champion().figures["improved"] == checks["improved"].value
    assert promote(sales, "other", []).lines == ["run other is in service already"]
    with pytest.raises(UserError, match="'naive' was in service before this run, not 'gone'"):
        rollback(sales, run_id="gone")
    rollback(sales, run_id="naive")
    assert rollback(sales, run_id="naive").lines == ["run naive is in service already"]
    assert [line.event for line in read_journal(sales.champions)] == [
        "deploy", "promote", "rollback",
    ]  # fmt: skip
    assert sales.champion().run_id == "naive"
    with pytest.raises(UserError, match="no champion before"):
        rollback(sales)


def test_a_changed_run_is_not_used(sales: Deployment) -> None:
    seal = sales.run("naive") / "SEALED"
    record = json.loads(seal.read_text())
    seal.write_text(json.dumps(record | {"sealed_at": "2020-01-01T00:00:00+00:00"}))
    with pytest.raises(UserError, match="its seal has changed"):
        forecast(sales)


def test_changes_of_the_data_are_reported(sales: Deployment) -> None:
    forecast(sales)
    until(TRAINED + 7)
    frame = pd.read_csv("sales.csv")
    frame = frame[~((frame["unique_id"] == "series_0") & (frame["ds"] > "2024-03-01"))]
    extra = frame[frame["unique_id"] == "series_1"].assign(unique_id="fresh")
    frame.loc[frame["unique_id"] == "series_2", "y"] *= 1
    late = frame["ds"] > "2024-03-04"
    frame.loc[late & (frame["unique_id"] == "series_2"), "y"] *= 50
    pd.concat([frame, extra]).to_csv("sales.csv", index=False)
    result = forecast(sales)
    text = "\n".join(result.lines)
    assert "1 series new: 'fresh'" in text
    assert "1 series without values at the origin: 'series_0'" in text
    assert "1 series with values outside the range seen before: 'series_2'" in text
    record = origins.origins(sales)[-1].record
    assert record["changes"]["new"] == ["fresh"]


def test_a_column_that_disappears_is_named_although_no_model_uses_it(sales: Deployment) -> None:
    until(TRAINED)
    pd.read_csv("sales.csv").assign(promo=1).to_csv("sales.csv", index=False)
    assert not any("column" in line for line in forecast(sales).lines)
    until(TRAINED + 7)
    assert "warning: 1 column gone: 'promo'" in forecast(sales).lines
    assert origins.origins(sales)[-1].record["changes"]["columns"] == ["promo"]


@pytest.mark.parametrize("name", ["forecasts.parquet", "record.json", "series.parquet"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_origin_is_named(sales: Deployment, name: str, damage: str) -> None:
    forecast(sales)
    path = sales.forecasts / "2024-02-29" / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Damaged, match=f"{name} "):
        origins.origins(sales)[0].forecasts()


def test_two_calls_at_once_make_one_origin(sales: Deployment, home: Path) -> None:
    command = ["forecast", "sales"]
    calls = [
        Forked(
            command, lambda: run(command),
            cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    ended = [call.communicate(timeout=300) for call in calls]
    result = [out for out, _ in ended if "origin 2024-02-29: 3 series" in out]
    assert len(result) == 1
    other = next("".join(texts) for texts in ended if texts[0] not in result)
    assert "is in use by another call" in other or "nothing new" in other
    assert names(sales) == ["2024-02-29"]


def test_an_interrupted_call_is_completed(
    sales: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill before the forecasts, and after them before the values are recorded."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(origins, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            forecast(sales)
    assert names(sales) == []
    with monkeypatch.context() as patch:
        patch.setattr(actuals, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            forecast(sales)
    assert names(sales) == ["2024-02-29"]
    assert sales.vintages() == []
    forecast(sales)
    assert len(sales.vintages()) == 1
    assert not list(sales.folder.rglob(".tmp-*"))


def test_an_interrupted_retraining_is_resumed(
    sales: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command completes the same run; another command starts another run."""
    trained: list[str] = []

    def train(one: Deployment, run_id: str, settings: str, assignments: list[str]) -> int:
        trained.append(run_id)
        write_text(settings_file(one, run_id), settings)
        Path("runs", run_id).mkdir(exist_ok=True)
        return 1 if len(trained) < 4 else 0  # not finished

    monkeypatch.setattr("forerun.cli.deployments.retrain.train_run", train)
    monkeypatch.setattr("forerun.deployments.service.challenge", lambda *_: Result())
    command = ["retrain", "sales", "--set", "n_windows=2"]
    assert run(command) == 1
    assert run(["retrain", "sales"]) == 1  # other settings
    until(TRAINED + 1)
    assert run(command) == 1  # other data
    until(TRAINED)
    assert run(command) == 0
    first, second, third, resumed = trained
    assert [second, third] == [f"{first}_2", f"{first}_3"]
    assert resumed == first
    assert sorted(path.stem for path in sales.tables.iterdir()) == [second, third]
    assert run(command) == 0  # finished: a new run
    assert trained[-1] == f"{first}_4"


def test_retraining_is_due_by_the_calendar(home: Path) -> None:
    one = Deployment(Path("."), "calendar")
    deploy(one, "naive", {"data_file": until(TRAINED), "retrain": {"every": "2W"}})
    forecast(one)
    assert retraining.retrain_due(one) == ""
    until(TRAINED + 14)
    forecast(one)
    due = retraining.retrain_due(one)
    assert due == "the data of the champion end at 2024-02-29, at least 2W ago"
    challenge_with_newer_data(one, "2024-03-10")
    assert retraining.retrain_due(one) == ""


def challenge_with_newer_data(one: Deployment, end: str) -> None:
    """Add a challenger whose data end at another time; no further run is due then."""
    shutil.copytree("runs/other", "runs/newer")
    file = Path("runs/newer/provenance.json")
    file.write_text(file.read_text().replace("2024-02-29", end))
    challenge(one, "newer")


def test_retraining_is_due_when_scores_are_worse_than_promised(home: Path) -> None:
    one = Deployment(Path("."), "worse")
    policy = {"worse_by": 0.2, "origins": 2}
    deploy(one, "naive", {"data_file": until(TRAINED), "retrain": policy})
    for day in (0, 4, 8):
        until(TRAINED + day)
        frame = pd.read_csv("sales.csv")
        frame.loc[frame["ds"] > "2024-02-29", "y"] += 20  # a shift after the run's data
        frame.to_csv("sales.csv", index=False)
        forecast(one)
        score(one)
    due = retraining.retrain_due(one)
    assert due == "mae was more than 20% above that of the back-test on the last 2 origins"
    challenge_with_newer_data(one, "2024-03-08")
    assert retraining.retrain_due(one) == ""


def test_adjustments_are_scored_like_models(sales: Deployment) -> None:
    forecast(sales)
    Path(sales.adjustments).write_text(
        "origin,unique_id,ds,value\n2024-02-29,series_0,2024-03-01,20.0\n"
    )
    until(TRAINED + 2)
    forecast(sales)
    score(sales)
    rows = scores.read_detail(sales)
    own = rows[rows["model"] == scores.ADJUSTED]
    assert own["point"].tolist() == [20.0]
    chain = {"naive": "SeasonalNaive", "person": scores.ADJUSTED}
    added = scores.value_added(rows, "naive", chain)
    assert added["n"].tolist() == [1, 1]
    assert added["gain"].iloc[1] == pytest.approx(1 - added["mae"].iloc[1] / added["mae"].iloc[0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2024-02-29,series_0,2024-03-01,2\n" * 2, "2024-03-01 00:00:00: given twice"),
        ("2024-02-28,series_0,2024-03-01,2\n", "there is no origin 2024-02-28"),
        ("2024-02-29,series_9,2024-03-01,2\n", "series 'series_9', 2024-03-01 00:00:00: was not"),
        ("2024-02-29,series_0,2024-04-01,2\n", "series 'series_0', 2024-04-01 00:00:00: was not"),
    ],
)
def test_adjustments_without_a_forecast_are_refused(
    sales: Deployment, rows: str, message: str
) -> None:
    forecast(sales)
    until(TRAINED + 2)
    forecast(sales)
    sales.adjustments.write_text("origin,unique_id,ds,value\n" + rows)
    with pytest.raises(UserError, match=message):
        score(sales)


def test_adjustments_rescore_their_origin_only(sales: Deployment) -> None:
    sales.config.write_text(sales.config.read_text().replace("every: 1W", "every: 1D"))
    for day in (TRAINED, TRAINED + 1, TRAINED + 2):
        until(day)
        forecast(sales)
    assert score(sales).origins == ["2024-02-29", "2024-03-01"]
    sales.adjustments.write_text("origin,unique_id,ds,value\n2024-03-01,series_0,2024-03-02,2\n")
    assert score(sales).origins == ["2024-03-01"]
    assert score(sales).origins == []


BAD = [
    ({"data_file": "gone.csv"}, "there is no file 'gone.csv'"),
    ({"data_file": "*.nothing"}, "there is no file"),
    ({"data_file": 7}, "data_file must be a string"),
    ({}, "data_file is missing"),
    ({"every": "soon"}, "every: 'soon' is not a span of time"),
    ({"every": "0W"}, "is not a span of time"),
    ({"model": "NHITS"}, "has no model 'NHITS'"),
    ({"static_file": "gone.csv"}, "static_file of deployment.yaml"),
    ({"retrain": "sometimes"}, "retrain must be 'never'"),
    ({"retrain": {}}, "either 'every' or 'worse_by'"),
    ({"retrain": {"every": "1W", "worse_by": 0.1}}, "either 'every' or 'worse_by'"),
    ({"retrain": {"worse_by": -1}}, "worse_by must be a number of at least 0"),
    ({"retrain": {"worse_by": 0.2, "origins": 0}}, "origins must be a whole number"),
    ({"gates": {"p_valu": 0.1}}, r"unknown key 'p_valu' \(did you mean 'p_value'\?\)"),
    ({"gates": {"p_value": 2}}, "p_value must be a number of at least 0 and at most 1"),
    ({"gates": {"min_origins": 1}}, "min_origins must be a whole number of at least 2"),
    ({"gates": {"min_origins": True}}, "min_origins must be"),
    ({"gates": [1]}, "must be a mapping"),
    ({"hrizon": 3}, "unknown key 'hrizon'"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_settings_that_are_refused(home: Path, values: dict, message: str) -> None:
    given = {"data_file": until(TRAINED)} | values if values else {}
    with pytest.raises(UserError, match=message):
        deploy(Deployment(Path("."), "bad"), "naive", given)
    assert not Deployment(Path("."), "bad").exists()


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 101])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="is invalid"):
        Deployment(Path("."), name)


def test_runs_that_are_refused(home: Path) -> None:
    one = Deployment(Path("."), "bad")
    with pytest.raises(UserError, match="there is no run 'gone'"):
        deploy(one, "gone", {"data_file": until(TRAINED)})
    (home / "runs" / "naive" / "SEALED").unlink()
    with pytest.raises(UserError, match="is not complete"):
        deploy(one, "naive", {"data_file": "sales.csv"})
    with pytest.raises(UserError, match="there is no deployment 'bad'"):
        forecast(one)


def test_a_damaged_journal_is_named(sales: Deployment) -> None:
    sales.champions.write_text('{"run_id": "naive"}\nnot json\n')
    with pytest.raises(Damaged, match=r"champions.jsonl: line 1 is damaged"):
        sales.champion()
