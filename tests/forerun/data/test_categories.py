"""Categorical columns: frozen codes of strings, reports of unseen values, columns of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import shop_settings

from forerun.base.errors import UserError
from forerun.config.frozen import read_frozen
from forerun.config.models import categorical_columns, exogenous_columns, specs
from forerun.config.settings import dump, resolve
from forerun.data import prepare, split
from forerun.data.categories import decoded

KINDS = ["none", "tv", "web"]


def table(days: int = 60, horizon: int = 7, kinds: list[str] | None = None) -> pd.DataFrame:
    kinds = kinds or KINDS
    frames = []
    for number in range(2):
        times = pd.date_range("2024-01-01", periods=days + horizon)
        kind = [kinds[(step + number) % len(kinds)] for step in range(len(times))]
        sales = np.where(np.arange(len(times)) < days, 10.0 + number, np.nan)
        values = {"day": times, "sales": sales, "promo": kind, "size": 3 + number}
        frames.append(pd.DataFrame({"shop": f"s{number}"} | values))
    return pd.concat(frames, ignore_index=True)


def settings(*models: str, **more: Any) -> dict[str, Any]:
    asked = {"models": list(models) or ["NHITS"], "baselines": [], "calendar": []}
    asked |= {"categorical": ["shop", "promo", "size"], "stat_exog": ["size"]}
    return shop_settings(**{**asked, **more})


def frozen(*models: str, **more: Any) -> tuple[dict[str, Any], pd.DataFrame]:
    given = settings(*models, **more)
    made = prepare(table(), given)
    return given | {"categories": made.categories}, made.frame


def test_strings_become_their_sorted_positions_and_numbers_are_kept() -> None:
    given, frame = frozen()
    assert given["categories"] == {"promo": KINDS, "size": [3, 4]}
    assert frame.loc[frame["unique_id"] == "s0", "promo"].tolist()[:4] == [0, 1, 2, 0]
    assert sorted(frame["size"].unique()) == [3, 4]
    assert decoded(frame["promo"], given).tolist()[:4] == ["none", "tv", "web", "none"]


def test_new_data_get_the_codes_of_the_run_and_unseen_values_are_reported() -> None:
    given, _ = frozen()
    later = prepare(table(kinds=["web", "radio"]), given)
    assert set(later.frame["promo"]) == {2, -1}
    message = [note for note in later.notes if "not seen" in note]
    assert message == [
        "column 'promo': 1 value not seen in training ('radio'), treated as an unknown category"
    ]


def test_the_frozen_table_of_a_run_can_be_prepared_again() -> None:
    given, frame = frozen()
    names = {"unique_id": "shop", "ds": "day", "y": "sales"}
    again = prepare(frame.rename(columns=names), given)
    pd.testing.assert_frame_equal(again.frame, frame)
    assert again.categories == given["categories"]
    assert not [note for note in again.notes if "not seen" in note]


def test_the_column_of_the_series_may_have_any_name() -> None:
    given = settings(id_col="unique_id", categorical=["unique_id"], stat_exog=[], futr_exog=[])
    made = prepare(table(horizon=0).rename(columns={"shop": "unique_id"}), given)
    assert made.categories is None
    _, _, static = split(made.frame, given)
    assert static is not None
    assert static["series_category"].tolist() == ["s0", "s1"]


def test_a_number_that_is_not_in_the_training_data_is_reported() -> None:
    given, _ = frozen()
    later = prepare(table().assign(size=9), given)
    assert any("column 'size': 1 value" in note and "'9'" in note for note in later.notes)


def test_networks_and_lightgbm_take_categories_and_others_get_columns_of_0_and_1() -> None:
    given, frame = frozen("NHITS", "LightGBM", "Ridge", "TFT")
    used = {spec.name: exogenous_columns(spec, given) for spec in specs(given)}
    for name in ("NHITS", "LightGBM"):
        assert used[name]["futr_exog"] == ["promo"]
        assert used[name]["stat_exog"] == ["size", "series_category"]
    for name in ("Ridge", "TFT"):
        assert used[name]["futr_exog"] == ["promo=tv", "promo=web"]
        assert used[name]["stat_exog"] == ["size=4"]
    history, future, static = split(frame, given)
    assert history.loc[history["unique_id"] == "s0", "promo=tv"].tolist()[:3] == [0, 1, 0]
    assert future is not None
    assert static is not None
    assert future["promo=web"].isin([0, 1]).all()
    assert static["size=4"].tolist() == [0, 1]
    assert static["series_category"].tolist() == ["s0", "s1"]
    by_name = {spec.name: categorical_columns(spec, given) for spec in specs(given)}
    assert by_name["NHITS"] == ["series_category", "promo", "size"]
    assert by_name["Ridge"] == []


def test_the_values_are_frozen_with_the_run_and_read_again(tmp_path: Path) -> None:
    given, _ = frozen()
    path = tmp_path / "config.yaml"
    path.write_text(dump(given))
    assert read_frozen(path)["categories"] == given["categories"]
    assert resolve(given)["categories"] == given["categories"]
    for damaged in ({"promo": "tv"}, {"promo": [{"a": 1}]}, {"promo": ["x"] * 1001}):
        path.write_text(dump(given | {"categories": damaged}))
        with pytest.raises(UserError, match="categories is"):
            read_frozen(path)


def test_a_categorical_column_must_have_another_role() -> None:
    with pytest.raises(UserError, match="categorical has 'color'; it must be one of hist_exog"):
        settings(categorical=["color"])


def test_too_many_values_are_refused() -> None:
    kinds = [f"kind {number}" for number in range(1001)]
    with pytest.raises(UserError, match="column 'promo' of categorical has 1001 values"):
        prepare(table(days=1000, kinds=kinds), settings())


def test_too_many_numbers_are_refused() -> None:
    many = table(days=1000).assign(promo=lambda frame: frame.index % 1001)
    with pytest.raises(UserError, match="column 'promo' of categorical has 1001 values"):
        prepare(many, settings())


@pytest.mark.parametrize(
    ("kinds", "new"), [({}, "radio"), ({"none": 0, "tv": 1, "web": 2, "radio": 7.5}, "7.5")]
)
def test_a_value_that_only_the_future_has_is_reported(kinds: dict[str, Any], new: str) -> None:
    given, frame = settings(), table()
    ahead = frame["sales"].isna()
    frame.loc[ahead & (frame["promo"] == "web"), "promo"] = "radio"
    frame["promo"] = frame["promo"].map(lambda value: kinds.get(value, value))
    made = prepare(frame, given)
    expected = f"column 'promo': 1 value not seen in training ('{new}')"
    assert [n.partition(", ")[0] for n in made.notes if "not seen" in n] == [expected]
    assert made.categories is not None
    assert made.categories["promo"] == ([0, 1, 2] if kinds else KINDS)
    again = prepare(frame, given | {"categories": made.categories})
    pd.testing.assert_frame_equal(again.frame, made.frame)
    assert [n.partition(", ")[0] for n in again.notes if "not seen" in n] == [expected]


def test_text_without_the_key_is_still_refused() -> None:
    with pytest.raises(UserError, match="column 'promo'"):
        prepare(table(), settings(categorical=[]))
