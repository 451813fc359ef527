"""Losses of single values by hand, the change between origins among them."""

from __future__ import annotations

import pandas as pd
import pytest
from deploying import TRAINED, until

from forerun.deployments import origins, scores
from forerun.deployments.folder import Deployment
from forerun.deployments.forecast import forecast
from forerun.deployments.losses import losses, with_changes
from forerun.deployments.service import score


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
def test_another_runs_forecast_is_no_change(before: pd.DataFrame | None) -> None:
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
    table = scores.summary(sales)
    own = table[(table["model"] == "SeasonalNaive") & (table["step"] == 0)].set_index("origin")
    expected = (both["point"] - both["point_before"]).abs().mean()
    assert len(both) > 0
    assert own["change"].loc["2024-03-02"] == pytest.approx(expected)
    assert pd.isna(own["change"].loc["2024-02-29"])
