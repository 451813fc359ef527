"""Bad data: each problem is reported in one clear line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from forerun.base.errors import UserError
from forerun.data import Prepared, prepare, read_table, split, summary

NAN = float("nan")
Frame = pd.DataFrame


def settings(**changed: Any) -> dict[str, Any]:
    """A resolved configuration that needs six values per series."""
    return {
        "id_col": "unique_id", "time_col": "ds", "target_col": "y", "horizon": 2, "input_size": 2,
        "n_windows": 1, "test_size": None, "step_size": None, "gap": 0, "val_size": 0,
        "freq": None, "season_length": None, "hist_exog": [], "futr_exog": [], "stat_exog": [],
        "on_gaps": "error", "on_short": "error",
    } | changed  # fmt: skip


def good() -> Frame:
    """Two daily series of eight values, a variable of the past and the future, a feature."""
    times = list(pd.date_range("2020-01-01", periods=8).strftime("%Y-%m-%d"))
    return pd.DataFrame(
        {
            "unique_id": ["a"] * 8 + ["b"] * 8,
            "ds": times * 2,
            "y": np.arange(16.0),
            "x": np.arange(16.0),
            "size": [1.0] * 8 + [2.0] * 8,
        }
    )


def put(column: str, row: int | slice | list[int], value: Any) -> Callable[[], Frame]:
    """A table with one mistake in it."""

    def make() -> Frame:
        table = good().astype({column: object})
        table.loc[row, column] = value
        return table

    return make


def future(**changed: Any) -> Frame:
    """Values of x for the two days after each series."""
    table = pd.DataFrame(
        {
            "unique_id": ["a", "a", "b", "b"],
            "ds": ["2020-01-09", "2020-01-10"] * 2,
            "x": [1.0, 2.0, 3.0, 4.0],
        }
    )
    return table.assign(**changed)


def monthly() -> Frame:
    times = [
        *pd.date_range("2020-01-01", periods=20),
        *pd.date_range("2020-01-01", periods=8, freq="MS"),
    ]
    return pd.DataFrame({"unique_id": ["a"] * 20 + ["b"] * 8, "ds": times, "y": 1.0})


def hourly() -> Frame:
    times = [
        *pd.date_range("2020-01-01", periods=20),
        *pd.date_range("2020-01-01", periods=8, freq="h"),
    ]
    return pd.DataFrame({"unique_id": ["a"] * 20 + ["b"] * 8, "ds": times, "y": 1.0})


def numbered(*times: float) -> Callable[[], Frame]:
    return lambda: pd.DataFrame({"unique_id": "a", "ds": list(times), "y": 1.0})


HIST, FUTR, STAT = {"hist_exog": ["x"]}, {"futr_exog": ["x"]}, {"stat_exog": ["size"]}

# name -> table, changed settings, expected message
BAD: dict[str, tuple[Callable[[], Frame], dict[str, Any], str]] = {
    "no id column": (lambda: good().drop(columns="unique_id"), {}, "(id_col) is missing"),
    "misspelt target": (good, {"target_col": "Y_"}, "(target_col) is missing (did you mean 'y'?)"),
    "no column like it": (good, {"time_col": "moment"}, "there are 'unique_id', 'ds', 'y'"),
    "several columns missing": (
        good,
        {"id_col": "i", "time_col": "t"},
        "'t' (time_col) is missing",
    ),
    "column twice": (
        lambda: good().rename(columns={"x": "y"}),
        {},
        "'y' (target_col) is duplicated",
    ),
    "one column, two roles": (good, {"target_col": "ds"}, "three different columns"),
    "target as exogenous": (
        good,
        {"hist_exog": ["y"]},
        "is in both target_col and hist_exog",
    ),
    "exogenous twice": (good, HIST | FUTR, "'x' is in both hist_exog and futr_exog"),
    "reserved name": (
        lambda: good().rename(columns={"unique_id": "id", "x": "cutoff"}),
        {"id_col": "id", "hist_exog": ["cutoff"]},
        "hist_exog cannot have the name 'cutoff'",
    ),
    "exogenous missing": (good, {"hist_exog": ["xx"]}, "'xx' (hist_exog) is missing"),
    "no rows": (lambda: good().head(0), {}, "there are no rows"),
    "no columns": (Frame, {}, "'unique_id' (id_col) is missing"),
    "id missing": (put("unique_id", 3, None), {}, "1 row without a name, first in data row 4"),
    "id empty": (put("unique_id", [2, 3], ""), {}, "2 rows without a name"),
    "no time": (put("ds", 4, "soon"), {}, "1 value of 16 cannot be read as a time, e.g. 'soon'"),
    "time missing": (put("ds", 4, None), {}, "cannot be read as a time"),
    "no times at all": (
        put("ds", slice(None), "x"),
        {},
        "16 values of 16 cannot be read as a time",
    ),
    "time beyond the calendar": (put("ds", 4, "9999-01-01"), {}, "cannot be read as a time"),
    "30 February": (put("ds", 4, "2020-02-30"), {}, "'2020-02-30' in data row 5"),
    "day or month": (
        lambda: good().assign(ds=[f"0{n}/01/2020" for n in range(1, 9)] * 2),
        {},
        "'02/01/2020' may be 01 February or 02 January",
    ),
    "some with a zone": (
        lambda: good().assign(
            ds=[f"2020-01-0{n}T12:00Z" for n in range(1, 9)] + good()["ds"].tolist()[8:]
        ),
        {},
        "some times have a time zone and some have none",
    ),
    "fractions as times": (numbered(1, 2, 3.5, 4, 5, 6, 7), {}, "e.g. '3.5' in data row 3"),
    "truth as times": (lambda: good().assign(ds=True), {}, "cannot be read as a time"),
    "target is text": (
        put("y", 2, "many"),
        {},
        "1 value is not a number, e.g. 'many' in data row 3",
    ),
    "decimal comma and point": (
        put("y", [2, 3], ["1,5", "1.5"]),
        {},
        "'1,5' in data row 3 (write numbers with a decimal",
    ),
    "thousands": (put("y", 2, "1_000"), {}, "'1_000'"),
    "target are dates": (lambda: good().assign(y=pd.Timestamp(0)), {}, "16 values are not numbers"),
    "target are lists": (lambda: good().assign(y=[[1]] * 16), {}, "16 values are not numbers"),
    "target missing": (
        put("y", [2, 3], NAN),
        {},
        "2 target values are missing (series 'a' at 2020-01-03)",
    ),
    "target missing at the end": (put("y", 7, NAN), {}, "1 target value is missing (series 'a'"),
    "target infinite": (
        put("y", 2, np.inf),
        {},
        "'y': 1 value is infinite (series 'a' at 2020-01-03)",
    ),
    "infinite, fill": (put("y", 2, -np.inf), {"on_gaps": "fill"}, "is infinite"),
    "no target at all": (put("y", slice(0, 7), NAN), {}, "no target value at all in series 'a'"),
    "no target, drop": (
        put("y", slice(None), NAN),
        {"on_short": "drop"},
        "no target value at all in 2",
    ),
    "exogenous is text": (put("x", 2, "wet"), HIST, "'x': 1 value is not a number, e.g. 'wet'"),
    "exogenous missing value": (put("x", 2, NAN), HIST, "'x': 1 value is missing (series 'a' at"),
    "exogenous missing, fill": (
        put("x", 0, NAN),
        HIST | {"on_gaps": "fill"},
        "'x': 1 value is missing",
    ),
    "exogenous infinite": (put("x", 2, np.inf), HIST, "'x': 1 value is infinite"),
    "time twice": (
        put("ds", 1, "2020-01-01"),
        {},
        "1 row repeats a time of the same series (series 'a'",
    ),
    "rows twice": (lambda: pd.concat([good(), good()]), {}, "16 rows repeat a time"),
    "gap": (
        lambda: good().drop(index=[3, 4]),
        {},
        "2 time steps are missing in 1 gap (series 'a' at 2020-01-04)",
    ),
    "gap of numbers": (
        numbered(1, 2, 3, 5, 6, 7, 8),
        {},
        "1 time step is missing in 1 gap (series 'a' at 4)",
    ),
    "gap too long to fill": (
        put("ds", 7, "2200-01-01"),
        {"on_gaps": "fill"},
        "filling the gaps would add 65737 rows to 16",
    ),
    "two frequencies, hours": (
        hourly,
        {},
        "two frequencies: most steps are 'D', but steps of 1 hour in series 'b'",
    ),
    "two frequencies, months": (monthly, {}, "but steps of 31 days in series 'b'"),
    "two frequencies, numbers": (
        lambda: pd.DataFrame(
            {"unique_id": ["a"] * 9 + ["b"] * 6, "ds": [*range(9), *range(0, 30, 5)], "y": 1}
        ),
        {},
        "most steps are '1', but steps of 5 in series 'b'",
    ),
    "off the frequency": (
        put("ds", 4, "2020-01-05 07:00"),
        {},
        "1 time stamp does not fit freq 'D'",
    ),
    "another frequency than configured": (
        good,
        {"freq": "W-SUN"},
        "time stamps do not fit freq 'W-SUN'",
    ),
    "middle of the month": (
        lambda: good().assign(ds=[f"2020-0{n}-15" for n in range(1, 9)] * 2),
        {},
        "must have the first or the last day",
    ),
    "unknown frequency": (good, {"freq": "daily"}, "freq 'daily' is not a pandas frequency"),
    "number as frequency": (good, {"freq": 1}, "times are time stamps, but freq is the number 1"),
    "frequency for numbers": (
        numbered(*range(8)),
        {"freq": "D"},
        "whole numbers such as 0, but freq is 'D'",
    ),
    "single rows": (lambda: good().iloc[[0, 8]], {}, "cannot be inferred from series of one row"),
    "one row": (lambda: good().head(1), {"freq": "D"}, "too short, 6 values are needed"),
    "too short": (
        lambda: good().drop(index=[5, 6, 7]),
        {},
        "too short, 6 values are needed (input_size 2 + horizon 2 + 2 held out): series 'a' with 5",
    ),
    "too short for windows": (good, {"n_windows": 5}, "14 values are needed"),
    "too short to pad": (
        good,
        {"n_windows": 5, "on_short": "pad"},
        "12 values are needed: 2 series",
    ),
    "all dropped": (good, {"n_windows": 5, "on_short": "drop"}, "14 values are needed"),
    "feature changes": (
        put("size", 3, 7),
        STAT,
        "static feature 'size' changes within series 'a' at 2020-01-04",
    ),
    "feature is text": (put("size", slice(0, 7), "big"), STAT, "'size': 8 values are not numbers"),
    "feature missing": (put("size", slice(8, 15), NAN), STAT, "'size' is missing for series 'b'"),
    "line breaks in names": (
        lambda: good().rename(columns={"y": "y\n\u2028z"}),
        {},
        "column 'y' (target_col) is missing",
    ),
}


def complaint(act: Callable[[], Any]) -> str:
    """Return the message of the UserError that `act` raises, after checking its length."""
    with pytest.raises(UserError) as caught:
        act()
    return one_line(caught.value)


def one_line(error: UserError) -> str:
    text = str(error)
    assert len(text.splitlines()) == 1
    assert len(text) < 5000
    return text


@pytest.mark.parametrize("name", BAD)
def test_bad_tables(name: str) -> None:
    make, changed, words = BAD[name]
    table = make()
    before = table.copy()
    assert words in complaint(lambda: prepare(table, settings(**changed)))
    pd.testing.assert_frame_equal(table, before)


BAD_EXTRAS: dict[str, tuple[dict[str, Any], Frame | None, Frame | None, str]] = {
    "static without id": (
        STAT,
        pd.DataFrame({"size": [1]}),
        None,
        "(id_col) is missing in static_file",
    ),
    "static without a series": (
        STAT,
        pd.DataFrame({"unique_id": ["a"], "size": [1]}),
        None,
        "'size' is missing for series 'b'",
    ),
    "static empty": (
        STAT,
        pd.DataFrame({"unique_id": [], "size": []}),
        None,
        "'size' is missing for 2 series, e.g. 'a'",
    ),
    "static twice": (
        STAT,
        pd.DataFrame({"unique_id": ["a", "b", "b"], "size": [1, 2, 3]}),
        None,
        "several rows for series 'b'",
    ),
    "static text": (
        STAT,
        pd.DataFrame({"unique_id": ["a", "b"], "size": ["S", "M"]}),
        None,
        "encode categories as numbers",
    ),
    "static missing value": (
        STAT,
        pd.DataFrame({"unique_id": ["a", "b"], "size": [1, NAN]}),
        None,
        "missing for series 'b'",
    ),
    "static infinite": (
        STAT,
        pd.DataFrame({"unique_id": ["a", "b"], "size": [1, np.inf]}),
        None,
        "'size' is infinite",
    ),
    "static feature nowhere": (
        {"stat_exog": ["height"]},
        pd.DataFrame({"unique_id": ["a", "b"]}),
        None,
        "'height' (stat_exog) is missing",
    ),
    "future without x": (
        FUTR,
        None,
        future().drop(columns="x"),
        "'x' (futr_exog) is missing in futr_file",
    ),
    "future of another kind": (FUTR, None, future(ds=[9, 10, 9, 10]), "different types of times"),
    "future is text": (FUTR, None, future(x="wet"), "'x' in futr_file: 4 values are not numbers"),
    "future without time": (
        FUTR,
        None,
        future(ds="soon"),
        "'ds' in futr_file: 4 values of 4 cannot",
    ),
    "future infinite": (FUTR, None, future(x=[1, np.inf, 3, 4]), "'x': 1 value is infinite"),
    "future twice": (FUTR, None, pd.concat([future(), future()]), "4 rows repeat a time"),
    "future off the frequency": (
        FUTR,
        None,
        future(ds=["2020-01-09 05:00", "2020-01-10"] * 2),
        "not fit freq 'D'",
    ),
}


@pytest.mark.parametrize("name", BAD_EXTRAS)
def test_bad_static_and_future_tables(name: str) -> None:
    changed, static, futr, words = BAD_EXTRAS[name]
    assert words in complaint(lambda: prepare(good(), settings(**changed), static, futr))


def test_all_problems_are_reported_together() -> None:
    table = good().astype({"y": object, "ds": object})
    table.loc[1, "ds"] = "soon"
    table.loc[10, "y"] = "many"
    table.loc[15, "ds"] = "2020-01-07"
    third = good().head(8).assign(unique_id="c").drop(index=[2])
    table = pd.concat([table, third])
    text = complaint(lambda: prepare(table, settings()))
    for words in ("'soon'", "'many'", "1 row repeats", "missing in 1 gap (series 'c'"):
        assert words in text
    # the consequences of an unusable row are not reported again
    assert "2020-01-02" not in text


def test_many_problems_stay_readable() -> None:
    names = [f"{'long' * 50}{number}" for number in range(300)]
    text = complaint(lambda: prepare(good(), settings(hist_exog=names)))
    assert "and 280 more problems" in text or "shortened" in text


# --- whatever comes, it is either prepared or refused in one line --------------------------------

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 12),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["2020-01-01", "2020-01-02T03:00Z", "01/02/2020", "1e3", "NaN", "a\nb"]),
    st.sampled_from(
        ["1.012", "1,5", "1 012", "2020Q1", "2020-W53", "Jan-49", "202013", "10:00 UTC"]
    ),
)
options = st.fixed_dictionaries(
    {
        "on_gaps": st.sampled_from(["error", "fill"]),
        "on_short": st.sampled_from(["error", "drop", "pad"]),
        "freq": st.sampled_from([None] * 12 + [1, "D", "MS", "h", "QE", "W", "B", "nonsense"]),
        "tz": st.sampled_from([None, None, "Europe/Berlin", "Nowhere"]),
        "decimal": st.sampled_from([None, None, "point", "comma"]),
        "id_col": st.sampled_from(["unique_id"] * 4 + [None]),
        "hist_exog": st.sampled_from([[], ["x"]]),
        "stat_exog": st.sampled_from([[], ["size"]]),
        "input_size": st.sampled_from([None, 1, 2]),
        "horizon": st.integers(1, 3),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> Frame:
    """Tables that are valid except for a few missing, repeated, swapped or random cells."""
    parts = []
    freq = draw(st.sampled_from(["D", "MS", "h", "B", "QE", None]))
    for name in draw(st.sampled_from([["a"], ["a", "b"], ["b", 3, "a"]])):
        rows, ahead = (
            draw(st.sampled_from([8, 9, 12, 14, 5, 1])),
            draw(st.sampled_from([0, 0, 2, 3])),
        )
        start, step = draw(st.integers(0, 3)), draw(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 2]))
        places = range(start, start + rows * step, step)
        calendar = pd.date_range("2020-01-01", periods=60, freq=freq or "D")
        times = list(places) if freq is None else [calendar[place] for place in places]
        values = [float(n) for n in range(max(rows - ahead, 0))] + [NAN] * min(ahead, rows)
        parts.append(pd.DataFrame({"unique_id": name, "ds": times, "y": values}))
    table = pd.concat(parts, ignore_index=True).assign(x=1.5, size=2)
    if draw(st.booleans()):
        table = table.astype({"ds": str})
    if draw(st.booleans()):
        table = table.drop(index=draw(st.sets(st.sampled_from(list(table.index)), max_size=2)))
    for column in draw(st.lists(st.sampled_from(list(table.columns)), max_size=1)):
        if len(table):
            table = table.astype({column: object})
            if draw(st.booleans()):
                row = draw(st.sampled_from(list(table.index)))
                table.at[row, column] = draw(cells)
            else:  # a column in another notation
                few = draw(st.lists(cells, min_size=1, max_size=4))
                table[column] = [few[row % len(few)] for row in range(len(table))]
    if draw(st.booleans()):
        table = table.sample(frac=1, random_state=0)
    return table


def check(prepared: Prepared, asked: dict[str, Any]) -> None:
    """Check the documented properties of prepared data."""
    frame = prepared.frame
    observed = frame["y"].notna()
    assert observed.any()
    assert np.isfinite(frame.loc[observed, frame.columns[2:]].to_numpy()).all()
    assert not frame.duplicated(["unique_id", "ds"]).any()
    assert frame["unique_id"].map(type).eq(str).all()
    ordered = frame.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(frame, ordered)
    found = summary(frame)
    assert found["rows"] + found["future_rows"] == len(frame)
    assert split(frame, asked)[0]["y"].notna().all()


@given(table=tables(), changed=options)
@effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_prepared_or_refused(table: Frame, changed: dict[str, Any]) -> None:
    asked = settings(**changed)
    try:
        prepared = prepare(table, asked)
    except UserError as error:
        one_line(error)
    else:
        check(prepared, asked)


@given(table=tables(), futr=tables(), static=tables(), changed=options)
@effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_prepared_or_refused_with_more_tables(
    table: Frame, futr: Frame, static: Frame, changed: dict[str, Any]
) -> None:
    asked = settings(**changed, futr_exog=[] if changed["hist_exog"] else ["x"])
    try:
        prepared = prepare(table, asked, static=static, futr=futr)
    except UserError as error:
        one_line(error)
    else:
        check(prepared, asked)


@given(content=st.binary(max_size=200) | st.text("ab,;\t\n\"'1.é ", max_size=100))
@effort(deadline=None)
def test_any_file_is_read_or_refused(
    content: bytes | str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        table = read_table(path)
    except UserError as error:
        one_line(error)
    else:
        assert complaint(lambda: prepare(table, settings())) or True
