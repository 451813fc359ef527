"""Results of `prepare`, `split` and `summary` for good data, with numbers computed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from utilsforecast.data import generate_series

from forerun.base.errors import UserError
from forerun.data import load, prepare, required_length, split, summary

NAN = float("nan")


def settings(**changed: Any) -> dict[str, Any]:
    """A resolved configuration for short series: 2 + 2 + 2 values are needed."""
    return {
        "data_file": None, "static_file": None, "futr_file": None, "id_col": "unique_id",
        "time_col": "ds", "target_col": "y", "horizon": 2, "input_size": 2, "n_windows": 1,
        "test_size": None, "step_size": None, "gap": 0, "val_size": 0, "freq": None,
        "season_length": None, "hist_exog": [], "futr_exog": [], "stat_exog": [],
        "on_gaps": "error", "on_short": "error",
    } | changed  # fmt: skip


def daily(name: str = "a", values: Any = range(6), start: str = "2020-01-01") -> pd.DataFrame:
    values = list(values)
    times = pd.date_range(start, periods=len(values), freq="D")
    return pd.DataFrame({"unique_id": name, "ds": times, "y": np.array(values, dtype=float)})


def test_columns_sorted_and_renamed() -> None:
    table = pd.DataFrame(
        {
            "sales": [5, 3, 4, 0, 1, 2] * 2,
            "color": ["red"] * 12,
            "shop": ["b"] * 6 + ["a"] * 6,
            "day": ["2020-01-06", "2020-01-04", "2020-01-05", "2020-01-01", "2020-01-02",
                    "2020-01-03"] * 2,
        }
    )  # fmt: skip
    before = table.copy()
    asked = settings(id_col="shop", time_col="day", target_col="sales")
    prepared = prepare(table, asked)
    frame = prepared.frame
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert frame["unique_id"].tolist() == ["a"] * 6 + ["b"] * 6
    assert frame["y"].tolist() == [0, 1, 2, 3, 4, 5] * 2
    assert frame["y"].dtype == np.float64
    assert frame["ds"].dtype == "datetime64[ns]"
    assert (prepared.freq, prepared.season_length, prepared.input_size) == ("D", 1, 2)
    assert not prepared.padded
    assert not prepared.future
    assert "freq was inferred from the data: D" in prepared.notes
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("ids", [[7, 10], [7.0, 10.0], ["7", "10"], [b"7", b"10"]])
def test_ids_are_text_and_sorted_as_text(ids: list[Any]) -> None:
    table = pd.concat([daily(ids[0]), daily(ids[1])])
    frame = prepare(table, settings()).frame
    assert frame["unique_id"].unique().tolist() == ["10", "7"]


def test_leading_zeros_survive_from_file_to_frozen_parquet(tmp_path: Path) -> None:
    table = pd.concat([daily("007"), daily("NA"), daily("7")])
    table.to_csv(tmp_path / "table.csv", index=False)
    frame = load(settings(data_file=tmp_path / "table.csv")).frame
    frame.to_parquet(tmp_path / "data.parquet", index=False)
    again = pd.read_parquet(tmp_path / "data.parquet")
    assert again["unique_id"].unique().tolist() == ["007", "7", "NA"]
    pd.testing.assert_frame_equal(again, frame)


@pytest.mark.parametrize(
    ("times", "first", "freq"),
    [
        (["2020-01", "2020-02", "2020-03", "2020-04", "2020-05", "2020-06"], "2020-01-01", "MS"),
        (["Jan 2020", "Feb 2020", "Mar 2020", "Apr 2020", "May 2020", "Jun 2020"],
         "2020-01-01", "MS"),
        (["2020Q1", "2020Q2", "2020Q3", "2020Q4", "2021Q1", "2021Q2"], "2020-01-01", "QS-OCT"),
        ([f"{day}.01.2020" for day in range(10, 16)], "2020-01-10", "D"),
        ([f"1/{day}/2020" for day in range(10, 16)], "2020-01-10", "D"),
        ([20200110 + day for day in range(6)], "2020-01-10", "D"),
        ([202011, 202012, 202101, 202102, 202103, 202104], "2020-11-01", "MS"),
        ([f"2020-01-01T{hour:02d}:30:00+01:00" for hour in range(6)], "2019-12-31 23:30", "h"),
        ([f"2020-01-0{day} 00:00:00+05:00" for day in range(1, 7)], "2020-01-01", "D"),
        (pd.date_range("2020-03-27", periods=6, tz="Europe/Berlin"), "2020-03-27", "D"),
        (pd.date_range("2020-03-29", periods=6, freq="h", tz="Europe/Berlin"),
         "2020-03-28 23:00", "h"),
        (pd.period_range("2020-01", periods=6, freq="M"), "2020-01-01", "MS"),
        ([pd.Timestamp("2020-01-01").date() + pd.Timedelta(days=n) for n in range(6)],
         "2020-01-01", "D"),
    ],
)  # fmt: skip
def test_times_in_many_notations(times: Any, first: str, freq: str) -> None:
    table = pd.DataFrame({"unique_id": "a", "ds": pd.Series(times), "y": range(6)})
    prepared = prepare(table, settings())
    assert prepared.frame["ds"].iloc[0] == pd.Timestamp(first)
    assert prepared.freq == freq


def test_conversions_of_time_zones_are_noted() -> None:
    times = [f"2020-01-01T{hour:02d}:30:00+01:00" for hour in range(6)]
    table = pd.DataFrame({"unique_id": "a", "ds": times, "y": range(6)})
    assert "times were converted to UTC" in prepare(table, settings()).notes


@pytest.mark.parametrize(
    "times", [range(6), ["10", "11", "12", "13", "14", "15"], [1.0, 2, 3, 4, 5, 6]]
)
def test_whole_number_times(times: Any) -> None:
    table = pd.DataFrame({"unique_id": "a", "ds": times, "y": range(6)})
    prepared = prepare(table, settings())
    assert prepared.frame["ds"].dtype == np.int64
    assert (prepared.freq, prepared.season_length) == (1, 1)
    assert prepare(table, settings(freq=1)).freq == 1
    assert prepare(table, settings(freq="1")).freq == 1


def test_constant_series_and_single_series_are_fine() -> None:
    assert prepare(daily(values=[3] * 6), settings()).frame["y"].tolist() == [3] * 6


def test_gaps_are_filled_by_hand() -> None:
    table = pd.concat(
        [daily("a", [0, 10, NAN, 30, 40, 50, 60, 70]), daily("b", range(100, 108))]
    ).reset_index(drop=True)
    table["x"] = [1, 2, NAN, 4, 5, 6, 7, 8, *range(8)]
    table = table.drop(index=[4, 5])  # 2020-01-05 and 2020-01-06 of a
    asked = settings(on_gaps="fill", hist_exog=["x"])
    prepared = prepare(table, asked)
    one = prepared.frame[prepared.frame["unique_id"] == "a"]
    assert one["ds"].tolist() == list(pd.date_range("2020-01-01", periods=8))
    np.testing.assert_allclose(one["y"], [0, 10, 10, 30, 30, 30, 60, 70])
    assert one["x"].tolist() == [1, 2, 2, 4, 4, 4, 7, 8]
    two = prepared.frame[prepared.frame["unique_id"] == "b"]
    assert two["y"].tolist() == list(range(100, 108))
    assert "2 missing time steps filled (series 'a')" in prepared.notes
    assert "3 target values carried forward (series 'a')" in prepared.notes
    assert "column 'x': 3 values carried forward" in prepared.notes


def test_filling_uses_no_values_of_other_series() -> None:
    table = pd.concat([daily("a", [1, 2, 3, 4, 5, 6, NAN]), daily("b", [NAN, *range(50, 56)])])
    table["x"] = 1.0
    prepared = prepare(table, settings(on_gaps="fill"))
    assert prepared.frame["y"].tolist() == [1, 2, 3, 4, 5, 6, 50, 51, 52, 53, 54, 55]
    assert "2 rows without a target value at a series' end dropped" in prepared.notes
    table.loc[table["unique_id"].eq("b") & table["ds"].eq("2020-01-02"), "x"] = NAN
    with pytest.raises(UserError, match=r"'x': 1 value is missing \(series 'b' at 2020-01-02\)"):
        prepare(table, settings(on_gaps="fill", hist_exog=["x"]))


@pytest.mark.parametrize("freq", ["h", "B", "W-TUE", "MS", "QE-DEC", "7min"])
def test_gaps_of_every_frequency(freq: str) -> None:
    start = {"7min": "2020-01-01 00:00:13"}.get(freq, "2020-01-01")
    times = pd.date_range(start, periods=30, freq=freq)
    whole = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(30.0)})
    later = whole.assign(unique_id="b").iloc[3:]  # begins at another time
    table = pd.concat([whole.drop(index=[4, 11, 12]), later.drop(index=[20])])
    prepared = prepare(table, settings(on_gaps="fill"))
    expected = pd.concat([whole, later], ignore_index=True)
    for missing, before in {4: 3, 11: 10, 12: 10, 47: 46}.items():
        expected.loc[missing, "y"] = expected.loc[before, "y"]
    pd.testing.assert_frame_equal(prepared.frame, expected)
    assert prepared.freq == freq


def test_filling_leaks_no_later_values() -> None:
    table = daily("a", range(30)).drop(index=[20, 21])  # a gap across a cutoff
    other = table.assign(y=table["y"].where(table["y"] < 20, 1e6))
    filled = [prepare(t, settings(on_gaps="fill")).frame["y"].iloc[:22] for t in (table, other)]
    assert filled[0].tolist() == filled[1].tolist() == [*range(20), 19, 19]


def test_business_days_need_no_weekends() -> None:
    times = pd.bdate_range("2020-01-01", periods=20)
    table = pd.DataFrame({"unique_id": "a", "ds": times, "y": range(20)})
    prepared = prepare(table, settings())
    assert (prepared.freq, prepared.season_length) == ("B", 5)


def test_the_spelling_of_freq_is_kept() -> None:
    times = pd.date_range("2020-01-31", periods=30, freq="ME")
    table = pd.DataFrame({"unique_id": "a", "ds": times, "y": range(30)})
    prepared = prepare(table, settings(freq="M"))
    assert (prepared.freq, prepared.season_length) == ("M", 12)


def test_lengths() -> None:
    three = settings(horizon=12, n_windows=3)
    assert required_length(three, 48) == 48 + 12 + 36
    assert required_length(three | {"val_size": 5, "step_size": 6}, 48) == 48 + 12 + 5 + 24
    assert required_length(three | {"gap": 2}, 48) == 48 + 14 + 38
    assert required_length(three, 48, training=False) == 48


def test_short_series_with_each_setting() -> None:
    table = pd.concat([daily("long", range(6)), daily("short", range(5)), daily("tiny", [1, 2])])
    with pytest.raises(UserError) as caught:
        prepare(table, settings())
    assert str(caught.value) == (
        "the data: too short, 6 values are needed (input_size 2 + horizon 2 + 2 held out): "
        "2 series, e.g. 'tiny' with 2; on_short: drop or pad accepts them"
    )
    dropped = prepare(table, settings(on_short="drop"))
    assert dropped.frame["unique_id"].unique().tolist() == ["long"]
    assert not dropped.padded
    with pytest.raises(UserError, match="4 values are needed: series 'tiny' with 2"):
        prepare(table, settings(on_short="pad"))
    padded = prepare(table[table["unique_id"] != "tiny"], settings(on_short="pad"))
    assert padded.padded
    assert len(padded.frame) == 11
    assert not prepare(daily(), settings(on_short="pad")).padded


def test_forecasting_needs_only_the_input() -> None:
    table = pd.concat([daily("a", [1, 2, 3]), daily("b", [1])])
    asked = settings(freq="D", season_length=7)
    with pytest.raises(UserError, match=r"2 values are needed \(input_size 2\): series 'b' with 1"):
        prepare(table, asked, training=False)
    dropped = prepare(table, asked | {"on_short": "drop"}, training=False)
    assert dropped.frame["y"].tolist() == [1, 2, 3]
    padded = prepare(table, asked | {"on_short": "pad"}, training=False)
    assert padded.padded
    assert len(padded.frame) == 4


def test_dropping_everything_is_refused() -> None:
    with pytest.raises(UserError, match="too short"):
        prepare(daily(values=[1, 2]), settings(on_short="drop"))


def test_series_without_values_can_be_dropped() -> None:
    table = pd.concat([daily("a"), daily("b", [NAN] * 6)])
    prepared = prepare(table, settings(on_short="drop"))
    assert prepared.frame["unique_id"].unique().tolist() == ["a"]
    assert "dropped: no target value at all in series 'b'" in prepared.notes


def test_season_and_input_size_are_chosen() -> None:
    frame = generate_series(3, freq="h", min_length=500, max_length=500)
    asked = settings(input_size=None, horizon=24, n_windows=3)
    prepared = prepare(frame, asked)
    assert (prepared.freq, prepared.season_length, prepared.input_size) == ("h", 24, 96)
    given = prepare(frame, settings(input_size=7, season_length=5, freq="h"))
    assert (given.season_length, given.input_size) == (5, 7)


def exogenous() -> pd.DataFrame:
    """Two series of six days with known values of `holiday` for the two days after."""
    one = daily("a", [*range(6), NAN, NAN])
    two = daily("b", [*range(10, 16), NAN, NAN, NAN], start="2020-02-01")
    table = pd.concat([one, two], ignore_index=True)
    return table.assign(
        holiday=np.arange(17.0), rain=np.arange(17.0) * 10, size=[1.0] * 8 + [2.0] * 9
    )


ROLES = {"hist_exog": ["rain"], "futr_exog": ["holiday"], "stat_exog": ["size"]}


def test_known_future_in_the_data() -> None:
    prepared = prepare(exogenous(), settings(**ROLES))
    assert prepared.future
    frame = prepared.frame
    assert list(frame.columns) == ["unique_id", "ds", "y", "rain", "holiday", "size"]
    assert len(frame) == 16  # the third day after b is beyond the horizon
    history, futr_df, static_df = split(frame, settings(**ROLES))
    assert list(history.columns) == ["unique_id", "ds", "y", "rain", "holiday"]
    assert len(history) == 12
    assert futr_df is not None
    assert futr_df.to_dict("list") == {
        "unique_id": ["a", "a", "b", "b"],
        "ds": list(pd.to_datetime(["2020-01-07", "2020-01-08", "2020-02-07", "2020-02-08"])),
        "holiday": [6, 7, 14, 15],
    }
    assert static_df is not None
    assert static_df.to_dict("list") == {"unique_id": ["a", "b"], "size": [1, 2]}
    assert frame.loc[frame["y"].isna(), "rain"].isna().all()


def test_known_future_from_its_file() -> None:
    table = exogenous()
    past = table[table["y"].notna()]
    future = table.loc[table["y"].isna(), ["unique_id", "ds", "holiday"]]
    whole = prepare(table, settings(**ROLES))
    apart = prepare(past, settings(**ROLES), futr=future.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(whole.frame, apart.frame)
    overlapping = table[["unique_id", "ds", "holiday"]].assign(
        holiday=table["holiday"] + 100 * table["y"].isna()
    )
    both = prepare(table, settings(**ROLES), futr=overlapping)
    assert both.frame.loc[both.frame["y"].isna(), "holiday"].tolist() == [106, 107, 114, 115]
    assert both.frame.loc[both.frame["y"].notna(), "holiday"].tolist() == [*range(6), *range(8, 14)]
    more = pd.concat([future, future.assign(unique_id="c")])
    prepared = prepare(past, settings(**ROLES), futr=more)
    assert "futr_file: series 'c' not in the data, ignored" in prepared.notes


def test_missing_future_values_are_noted() -> None:
    table = exogenous()
    prepared = prepare(table[table["y"].notna()], settings(**ROLES))
    assert not prepared.future
    assert any("no future values of 'holiday'" in note for note in prepared.notes)
    assert split(prepared.frame, settings(**ROLES))[1] is None


def test_static_features_from_their_file() -> None:
    table = exogenous().drop(columns="size")
    static = pd.DataFrame({"unique_id": ["c", "b", "a"], "size": [3, 2, 1]})
    prepared = prepare(table, settings(**ROLES), static=static)
    pd.testing.assert_frame_equal(prepared.frame, prepare(exogenous(), settings(**ROLES)).frame)


def test_load_reads_the_three_files(tmp_path: Path) -> None:
    table = exogenous()
    past = table[table["y"].notna()].drop(columns="size")
    past.assign(unused="text").to_csv(tmp_path / "data.csv", index=False, sep=";", decimal=",")
    table.loc[table["y"].isna(), ["unique_id", "ds", "holiday"]].to_csv(
        tmp_path / "futr.csv", index=False
    )
    pd.DataFrame({"unique_id": ["a", "b"], "size": [1, 2]}).to_parquet(tmp_path / "static.parquet")
    asked = settings(
        **ROLES,
        data_file=tmp_path / "data.csv",
        futr_file=tmp_path / "futr.csv",
        static_file=tmp_path / "static.parquet",
    )
    prepared = load(asked)
    pd.testing.assert_frame_equal(prepared.frame, prepare(table, settings(**ROLES)).frame)


def test_summary() -> None:
    prepared = prepare(exogenous(), settings(**ROLES))
    found = summary(prepared.frame)
    assert found == {
        "rows": 12,
        "future_rows": 4,
        "series": 2,
        "start": "2020-01-01T00:00:00",
        "end": "2020-02-06T00:00:00",
        "columns": ["unique_id", "ds", "y", "rain", "holiday", "size"],
        "lengths": {"min": 6, "median": 6.0, "max": 6},
    }
    assert json.loads(json.dumps(found)) == found
    numbers = prepare(pd.DataFrame({"unique_id": "a", "ds": range(6), "y": 1.0}), settings())
    assert (summary(numbers.frame)["start"], summary(numbers.frame)["end"]) == (0, 5)


def test_many_series_in_little_time_and_order() -> None:
    """Five thousand shuffled series are sorted as by plain pandas."""
    table = generate_series(5000, freq="D", min_length=20, max_length=40, equal_ends=True)
    table["unique_id"] = "id_" + table["unique_id"].astype(str)
    prepared = prepare(table.sample(frac=1, random_state=1), settings())
    expected = table.sort_values(["unique_id", "ds"])[["unique_id", "ds", "y"]]
    pd.testing.assert_frame_equal(prepared.frame, expected.reset_index(drop=True))


def integer_times(length: int, series: int, season: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    steps = np.arange(length)
    wave = np.resize(random.permutation(season) * 10.0, length)
    values = [wave + random.normal(0, 1, length) for _ in range(series)]
    ids = np.repeat([f"s{number:02d}" for number in range(series)], length)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(steps, series), "y": np.hstack(values)})


@pytest.mark.parametrize("season", [4, 7, 12])
def test_season_of_integer_times_is_found_in_the_data(season: int) -> None:
    prepared = prepare(integer_times(60, 30, season), settings(freq=1))
    assert prepared.season_length == season
    message = f"a season of {season} steps was found in the data, whose times are integers"
    assert any(note.startswith(message) for note in prepared.notes)
    assert prepare(integer_times(60, 30, season), settings(season_length=5)).season_length == 5


def test_integer_times_without_a_season() -> None:
    random = np.random.default_rng(1)
    frame = integer_times(60, 30, 4)
    frame["y"] = random.normal(size=len(frame)).cumsum()
    prepared = prepare(frame, settings())
    assert prepared.season_length == 1
    assert any(note.startswith("no season was found in the data") for note in prepared.notes)


def test_short_series_are_padded_unless_an_input_size_is_given() -> None:
    """The shortest series has 5 values: 2 are held out, and 2 before them are enough."""
    table = pd.concat([daily("long", range(60)), daily("short", range(5))])
    asked = settings(on_short=None, input_size=None)
    prepared = prepare(table, asked)
    assert prepared.padded
    assert any("padded at the start for networks" in note for note in prepared.notes)
    assert set(prepared.frame["unique_id"]) == {"long", "short"}
    with pytest.raises(UserError, match="on_short: drop or pad accepts them"):
        prepare(table, asked | {"input_size": 8})
    tiny = pd.concat([table, daily("tiny", range(3))])
    with pytest.raises(UserError, match="a smaller n_windows or horizon needs less"):
        prepare(tiny, asked)


def test_a_season_left_out_for_short_series_is_explained() -> None:
    table = pd.concat([daily("long", range(60)), daily("short", range(8))])
    assert prepare(table, settings(on_short=None, input_size=None)).season_length == 7  # half
    table = pd.concat([table, daily("shorter", range(7))])
    prepared = prepare(table, settings(on_short=None, input_size=None))
    assert prepared.season_length == 1
    (note,) = [note for note in prepared.notes if note.startswith("season_length for freq D: ")]
    assert "1 instead of 7, as more than half of the series" in note
    assert note.endswith("season_length sets another")


def test_steps_follow_from_the_number_of_series() -> None:
    few = prepare(integer_times(20, 3, 4), settings())
    many = prepare(integer_times(20, 100, 4), settings())
    given = prepare(integer_times(20, 3, 4), settings(max_steps=7))
    assert (few.max_steps, many.max_steps, given.max_steps) == (300, 500, 7)
