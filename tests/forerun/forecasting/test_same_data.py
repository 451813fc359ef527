"""Saved forecasts are used only for equal data, and multivariate models only for their series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.forecasting.engines.base import Data, get_engine, series_hashes

pytestmark = pytest.mark.filterwarnings("ignore")


def history(names: str = "ab", length: int = 24) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=length, freq="D")
    y = np.arange(length) + 3.0 * np.sin(np.arange(length))
    frames = [pd.DataFrame({"unique_id": name, "ds": days, "y": y}) for name in names]
    return pd.concat(frames, ignore_index=True)


def settings(model: str, **more: object) -> dict[str, object]:
    asked = {"models": [model], "baselines": [], "horizon": 2, "input_size": 4, **more}
    return resolve(asked) | {"freq": "D", "season_length": 7}


def test_hashes_depend_on_values_times_and_order() -> None:
    table = history()
    first, second = series_hashes(table)
    assert first == second  # the same times and values under two names
    swapped = table.copy()
    swapped.loc[[3, 4], "y"] = table.loc[[4, 3], "y"].to_numpy()
    later = table.assign(ds=table["ds"] + pd.Timedelta(days=1))
    nearly = table.copy()
    nearly.loc[0, "y"] = np.nextafter(nearly.loc[0, "y"], 1)
    for other in (swapped, later, nearly):
        assert series_hashes(other)["a"] != first
    assert series_hashes(swapped)["b"] == second
    assert series_hashes(table.astype({"unique_id": "category"}))["a"] == first
    assert series_hashes(table.assign(ds=table["ds"].astype("datetime64[us]")))["a"] == first
    whole = table.assign(ds=[*range(24)] * 2)
    assert series_hashes(whole)["a"] == series_hashes(whole.astype({"ds": "int32"}))["a"]
    assert len(series_hashes(table.iloc[:0])) == 0


@pytest.mark.parametrize("version", ["now", "0.1"])
def test_models_are_refitted_to_swapped_values(tmp_path: Path, version: str) -> None:
    """The same end, length and sum as the run's table, and other forecasts."""
    wanted = settings("Naive")
    (spec,) = specs(wanted)
    engine, table = get_engine("statsforecast"), history()
    engine.save(engine.fit(spec, wanted, Data(table), lambda *_: None), tmp_path)
    if version == "0.1":  # noted the end, the length and the sum of each series
        ends = table.groupby("unique_id").agg(
            ds=("ds", "last"), rows=("y", "size"), total=("y", "sum")
        )
        ends.reset_index().to_parquet(tmp_path / "series.parquet", index=False)
    fitted = engine.load(spec, wanted, tmp_path)
    assert engine.predict(fitted, wanted, Data(table, own=True))["Naive"].nunique() == 1
    other = table.copy()
    other.loc[[0, 23], "y"] = table.loc[[23, 0], "y"].to_numpy()
    found = engine.predict(fitted, wanted, Data(other)).set_index("unique_id")["Naive"]
    assert set(found["a"]) == {table["y"][0]}
    assert set(found["b"]) == {table["y"][23]}


def test_saved_forecasts_are_used_for_the_same_series_and_subsets(tmp_path: Path) -> None:
    wanted = settings("Naive")
    (spec,) = specs(wanted)
    engine, table = get_engine("statsforecast"), history("abcde")
    fitted = engine.fit(spec, wanted, Data(table), lambda *_: None)
    fitted.forecasts["Naive"] = 7.0  # visible if the saved forecasts are used
    engine.save(fitted, tmp_path)
    fitted = engine.load(spec, wanted, tmp_path)
    for names in ("abcde", "b", "bd", "e"):
        part = table[table["unique_id"].isin(list(names))].reset_index(drop=True)
        found = engine.predict(fitted, wanted, Data(part))
        assert set(found["Naive"]) == {7.0}
        assert "".join(found["unique_id"].unique()) == names


@pytest.mark.parametrize("model", ["TSMixer", "iTransformer"])
def test_a_multivariate_network_forecasts_its_own_series_only(tmp_path: Path, model: str) -> None:
    wanted = settings(model, max_steps=1, accelerator="cpu")
    (spec,) = specs(wanted)
    engine = get_engine("neuralforecast")
    engine.save(engine.fit(spec, wanted, Data(history("ab")), lambda *_: None), tmp_path)
    assert json.loads((tmp_path / "series.json").read_text()) == ["a", "b"]
    fitted = engine.load(spec, wanted, tmp_path)
    assert len(engine.predict(fitted, wanted, Data(history("ab")))) == 4
    for names, message in [("az", "without 'b', with others: 'z'"), ("a", "without 'b'"),
                        ("abc", "with others: 'c'")]:  # fmt: skip
        with pytest.raises(
            UserError, match=f"{model} forecasts its 2 series together.* {message}$"
        ):
            engine.predict(fitted, wanted, Data(history(names)))
    (tmp_path / "series.json").unlink()  # as earlier versions saved it
    fitted = engine.load(spec, wanted, tmp_path)
    assert len(engine.predict(fitted, wanted, Data(history("ab"), own=True))) == 4
    assert len(engine.predict(fitted, wanted, Data(history("ab"), trained_on=["a", "b"]))) == 4
    with pytest.raises(UserError, match="without 'b', with others: 'z'"):
        engine.predict(fitted, wanted, Data(history("az"), trained_on=["a", "b"]))
    with pytest.raises(UserError, match="its training series are unknown"):
        engine.predict(fitted, wanted, Data(history("ab")))
