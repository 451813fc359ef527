"""Losses of single values by hand, the change between origins among them; and their means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from deploying import TRAINED, until
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.deployments import origins, scores, summaries
from forerun.deployments.folder import Deployment
from forerun.deployments.forecast import forecast
from forerun.deployments.losses import losses, with_changes
from forerun.deployments.service import promote, score
from forerun.deployments.update import update


def rows(points: dict[tuple[str, int], float], run_id: str = "first") -> pd.DataFrame:
    """Return forecasts of model m, by series and time."""
    frame = pd.DataFrame([(name, ds, point) for (name, ds), point in points.items()])
    frame.columns = pd.Index(["unique_id", "ds", "point"])
    return frame.assign(model="m", run_id=run_id)


BEFORE = rows({("a", 1): 10.0, ("a", 2): 12.0, ("b", 1): 5.0, ("b", 2): 5.0})
NOW = rows({("a", 2): 15.0, ("a", 3): 1.0, ("b", 2): 5.0, ("b", 3): 2.0})


def test_the_change_is_that_of_the_forecast_for_the_same_time() -> None:
    """At time 2: 12 became 15, 5 remained; time 3 was not forecast before."""
    found = with_changes(NOW, BEFORE).set_index(["unique_id", "ds"])["change_step"]
    assert found[("a", 2)] == 3.0
    assert found[("b", 2)] == 0.0
    assert found[[("a", 3), ("b", 3)]].isna().all()


def test_the_change_is_scaled_as_mase_is() -> None:
    table = with_changes(NOW, BEFORE).assign(y=1.0)
    scale = table["unique_id"].map({"a": 6.0, "b": 0.0})
    found = losses(table, scale).set_index(["unique_id", "ds"])["scaled_change_step"]
    assert found[("a", 2)] == 0.5  # 3 / 6
    assert pd.isna(found[("b", 2)])  # a series that never changed has no scale


@pytest.mark.parametrize("before", [None, BEFORE.assign(run_id="second")])
def test_forecasts_of_other_runs_are_not_compared(before: pd.DataFrame | None) -> None:
    assert with_changes(NOW, before)["change_step"].isna().all()


def test_stability_is_in_the_scores(sales: Deployment) -> None:
    """The seasonal naive forecast of daily data with origins four days apart."""
    sales.config.write_text(sales.config.read_text().replace("every: 1W", "every: 2D"))
    for day in (TRAINED, TRAINED + 2, TRAINED + 4):
        until(day)
        forecast(sales)
    score(sales)
    first, second, _ = (origin.forecasts() for origin in origins.origins(sales))
    keys = ["unique_id", "ds", "model"]
    both = second.merge(first, on=keys, suffixes=("", "_before"))
    both = both[(both["model"] == "SeasonalNaive") & (both["ds"] <= "2024-03-04")]
    table = summaries.by_step(sales)
    own = table[(table["model"] == "SeasonalNaive") & (table["step"] == 0)].set_index("origin")
    expected = (both["point"] - both["point_before"]).abs().mean()
    assert len(both) > 0
    assert own["change"].loc["2024-03-02"] == pytest.approx(expected)
    assert pd.isna(own["change"].loc["2024-02-29"])


# -- Means ----------------------------------------------------------------------------------------


def test_means_ignore_missing_values() -> None:
    """Series a has errors 1 and 3, series b one of 2 and one that is unknown."""
    table = pd.DataFrame(
        {"unique_id": ["b", "a", "b", "a"], "error": [-2.0, 1.0, float("nan"), -3.0]}
    )
    for name in ("mae", "mse", "mape", "smape", "mase"):
        table[f"{name}_step"] = table["error"] ** 2 if name == "mse" else table["error"].abs()
    found = summaries.means(table, ["unique_id"]).set_index("unique_id")
    assert found.index.tolist() == ["a", "b"]
    assert found["n"].tolist() == [2, 2]
    assert found["bias"].tolist() == [-1.0, -2.0]
    assert found["mae"].tolist() == [2.0, 2.0]
    assert found["rmse"].tolist() == [5**0.5, 2.0]  # of (1 + 9) / 2 and of 4


@pytest.fixture
def three(sales: Deployment) -> Deployment:
    """Origins of three days in a row, all with values, none scored."""
    sales.config.write_text(sales.config.read_text().replace("every: 1W", "every: 1D"))
    for day in (TRAINED, TRAINED + 1, TRAINED + 2):
        until(day)
        forecast(sales)
    until(TRAINED + 4)
    forecast(sales)
    (sales.forecasts / "2024-03-04").rename("last")
    return sales


def means_of(one: Deployment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both summaries as a user reads them."""
    by_series = pd.read_parquet(one.folder / "scores.parquet")
    keys = ["origin", "unique_id", "model"]
    return summaries.by_step(one), by_series.sort_values(keys, ignore_index=True)


def test_an_origin_is_scored_without_writing_the_others_again(three: Deployment) -> None:
    score(three)
    files = {path: path.stat().st_ino for path in summaries.folder(three).iterdir()}
    assert [path.stem for path in sorted(files)] == ["2024-02-29", "2024-03-01", "2024-03-02"]
    until(TRAINED + 6)
    forecast(three)  # two more values for the last origin and one for the second
    assert score(three).origins == ["2024-03-01", "2024-03-02"]
    changed = [path.stem for path, number in files.items() if path.stat().st_ino != number]
    assert sorted(changed) == ["2024-03-01", "2024-03-02"]
    by_step, by_series = means_of(three)
    assert by_step["origin"].nunique() == by_series["origin"].nunique() == 3
    whole = by_step[by_step["step"] == 0].set_index(["origin", "model"])
    means = by_series.groupby(["origin", "model"])
    assert means["n"].sum().to_dict() == whole["n"].to_dict()
    assert means["mae"].mean().to_dict() == pytest.approx(whole["mae"].to_dict())


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_scoring_that_was_interrupted_is_finished(
    three: Deployment, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Kill between the files of two origins; afterwards both summaries have all origins."""
    real, left = summaries._write_part, [writes]

    def killed(path: Path, table: object) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, table)

    monkeypatch.setattr(scores, "BATCH", 2)
    with monkeypatch.context() as patch:
        patch.setattr(summaries, "_write_part", killed)
        with pytest.raises(KeyboardInterrupt):
            score(three)
    score(three)
    found = means_of(three)
    (three.folder / "scores.csv").unlink()  # written again with all origins
    score(three)
    for table, again in zip(found, means_of(three), strict=True):
        assert table["origin"].nunique() == 3
        pd.testing.assert_frame_equal(table, again)


def test_scores_of_an_earlier_version_are_replaced(three: Deployment) -> None:
    (three.folder / "scores.parquet").write_bytes(b"one file with all origins")
    score(three)
    assert means_of(three)[1]["origin"].nunique() == 3


def test_damaged_scores_are_named_and_written_again(three: Deployment) -> None:
    score(three)
    before = means_of(three)
    first, second, third = ("2024-02-29.parquet", "2024-03-01.parquet", "2024-03-02.parquet")
    (summaries.folder(three) / first).write_bytes(b"PAR1")
    (three.folder / "scores.csv").write_bytes(b"")
    (three.scores / third).write_bytes(b"garbage")
    with pytest.raises(Damaged, match=f"{third}: is not a table of scores; remove it and"):
        scores.read_detail(three)
    (three.scores / third).unlink()
    (three.scores / second).unlink()
    assert len(score(three).origins) == 3
    for table, again in zip(before, means_of(three), strict=True):
        pd.testing.assert_frame_equal(table, again)
    (summaries.folder(three) / first).write_bytes(b"PAR1")
    assert score(three).origins == ["2024-02-29"]


def test_an_empty_table_of_scores_is_not_damaged(three: Deployment) -> None:
    """After a gap, the first values to arrive are those of steps that were not forecast."""
    score(three)
    others = scores.read_detail(three, ["2024-02-29", "2024-03-01"])
    path = three.scores / "2024-03-02.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    found = scores.read_detail(three, runs=others["run_id"].unique().tolist())
    assert len(found) == len(others) > 0


def test_a_new_level_is_a_column_of_all_origins(three: Deployment) -> None:
    """Parquet readers take the columns of the first file."""
    score(three)
    table = pd.read_parquet(summaries.folder(three) / "2024-03-02.parquet")
    state = summaries.states(three)["2024-03-02"]
    steps = summaries.by_step(three)
    own = steps[steps["origin"] == "2024-03-02"].assign(coverage_95=1.0)
    made = summaries.Means(state, own, table.assign(coverage_95=0.5))
    summaries.write(three, [made])
    found = means_of(three)[1].set_index("origin")["coverage_95"]
    assert set(found["2024-03-02"]) == {0.5}
    assert found["2024-02-29"].isna().all()
    files = summaries.folder(three).iterdir()
    assert len({tuple(parquet.read_schema(path).names) for path in files}) == 1
    assert len(summaries.states(three)) == 3


# -- Updates --------------------------------------------------------------------------------------


def test_an_update_with_nothing_due_imports_no_pandas(sales: Deployment) -> None:
    code = (
        "import sys; from forerun.cli.app import run; code = run(['update', 'sales']); "
        "print(code, 'pandas' in sys.modules)"
    )
    for imported in ("0 True", "0 False"):
        call = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert call.stdout.splitlines()[-1] == imported, call.stderr
    assert "nothing is due" in call.stdout


def test_an_update_notices_settings_and_values_that_changed(sales: Deployment) -> None:
    update(sales)
    until(TRAINED + 3)
    assert update(sales).lines[0] == "the next origin is due at 2024-03-07"
    assert not update(sales).changed
    sales.config.write_text(sales.config.read_text().replace("every: 1W", "every: 3D"))
    assert update(sales).origins == ["2024-03-03"]
    assert not update(sales).changed
    promote(sales, "other", [], "a test")
    assert update(sales).changed  # the page shows the champion
    assert not update(sales).changed
    until(TRAINED + 4, "newer.csv")
    forecast(sales, "newer.csv")  # values that the data file does not have
    assert update(sales).changed
