"""Vintages contain only new and changed values, with the time at which they arrived."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.deployments import actuals
from forerun.deployments.folder import Deployment


def table(values: dict[int, float], name: str = "a") -> pd.DataFrame:
    return pd.DataFrame({"unique_id": name, "ds": list(values), "y": list(values.values())})


@pytest.fixture
def place(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, "sales")


def record(place: Deployment, values: dict[int, float], checksum: str = "x") -> actuals.News:
    news = actuals.compare(place, table(values))
    actuals.write(place, news, checksum)
    return news


def test_only_what_is_new_or_changed_is_written(place: Deployment) -> None:
    record(place, {1: 1.0, 2: 2.0})
    news = record(place, {1: 1.0, 2: 2.5, 3: 3.0})
    assert (news.new, news.restated, news.vanished) == (1, 1, 0)
    second = pd.read_parquet(place.vintages()[1])
    assert second[["ds", "y"]].to_numpy().tolist() == [[2, 2.5], [3, 3.0]]


def test_nothing_new_writes_nothing(place: Deployment) -> None:
    record(place, {1: 1.0})
    record(place, {1: 1.0})
    assert len(place.vintages()) == 1


def test_a_value_that_vanishes_is_kept_in_its_vintage(place: Deployment) -> None:
    record(place, {1: 1.0, 2: 2.0})
    news = record(place, {1: 1.0})
    assert news.vanished == 1
    every = actuals.read(place)
    assert actuals.latest(every)["ds"].tolist() == [1]
    assert every[every["ds"] == 2]["y"].tolist()[0] == 2.0  # the earlier value


def test_the_source_is_kept_with_each_vintage(place: Deployment) -> None:
    record(place, {1: 1.0}, "first")
    record(place, {1: 2.0}, "second")
    found = [parquet.read_schema(path).metadata[b"forerun"] for path in place.vintages()]
    assert found == [b'{"sha256": "first"}', b'{"sha256": "second"}']


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\0" * 100, b"unique_id,ds,y\n"])
def test_a_damaged_vintage_is_named(place: Deployment, content: bytes) -> None:
    record(place, {1: 1.0})
    path = place.vintages()[0]
    path.write_bytes(content)
    with pytest.raises(Damaged, match=path.name):
        actuals.read(place)
