"""Notations of numbers and times: parsed with a note, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.config.settings import resolve
from forerun.data import Prepared, load, prepare

DAYS = pd.date_range("2021-01-01", periods=8).strftime("%Y-%m-%d").tolist()
SEPARATORS = [";", "\t", "|"]


def settings(**changed: Any) -> dict[str, Any]:
    """A configuration that needs four values per series."""
    files = {key: str(value) for key, value in changed.items() if isinstance(value, Path)}
    small = {"horizon": 1, "input_size": 1, "n_windows": 1, "models": ["Naive"]}
    return resolve(small | changed | files)


def write(folder: Path, columns: dict[str, list[str]], separator: str = ";") -> Path:
    """A CSV file with the cells as they are; cells that hold the separator are quoted."""
    rows = zip(*columns.values(), strict=True)
    quoted = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in rows]
    lines = [separator.join(row) for row in [list(columns), *quoted]]
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(
    folder: Path, y: list[str], separator: str = ";", x: list[str] | None = None, **changed: Any
) -> Prepared:
    """Read eight days of one series with these cells."""
    columns = {"unique_id": ["A"] * len(y), "ds": DAYS[: len(y)], "y": y}
    if x is not None:
        columns["x"] = x
        changed |= {"hist_exog": ["x"]}
    return load(settings(data_file=write(folder, columns, separator), **changed))


# --- decimal marks and thousands ------------------------------------------------------------------

GROUPED = ["987", "995", "1.012", "1.020", "987", "995", "1.012", "1.020"]
THOUSANDS = [987, 995, 1012, 1020, 987, 995, 1012, 1020]
OPEN = ["1.011", "1.012", "1.013", "1.014", "1.015", "1.016", "1.017", "1.018"]
COMMAS = ["0,5", "1,5", "2,5", "3,5", "4,5", "5,5", "6,5", "7,5"]


def commas(cells: list[str]) -> list[str]:
    return [cell.replace(".", ",") for cell in cells]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_points_group_thousands_beside_whole_numbers(tmp_path: Path, separator: str) -> None:
    prepared = read(tmp_path, GROUPED, separator)
    assert prepared.frame["y"].tolist() == THOUSANDS
    note = "column 'y': points were read as thousands separators, '1.012' is 1012"
    assert note in prepared.notes
    named = {"\t": "tabs"}.get(separator, f"'{separator}'")
    assert f"columns are separated by {named}" in prepared.notes


@pytest.mark.parametrize("separator", ["\t", "|"])
def test_commas_group_thousands_beside_whole_numbers(tmp_path: Path, separator: str) -> None:
    prepared = read(tmp_path, commas(GROUPED), separator)
    assert prepared.frame["y"].tolist() == THOUSANDS


@pytest.mark.parametrize("y", [GROUPED, OPEN, ["1.012.345", *OPEN[1:]]])
def test_a_decimal_comma_elsewhere_decides(tmp_path: Path, y: list[str]) -> None:
    prepared = read(tmp_path, y, x=COMMAS)
    assert prepared.frame["y"].tolist() == [float(cell.replace(".", "")) for cell in y]
    assert prepared.frame["x"].tolist() == [number + 0.5 for number in range(8)]
    assert any("numbers were read with a decimal comma ('x'" in note for note in prepared.notes)


@pytest.mark.parametrize(
    ("y", "separator", "readings"),
    [
        (OPEN, ";", ("'1.011' may be 1011", "or 1.011 (a decimal point)")),
        (OPEN, "\t", ("'1.011' may be 1011", "or 1.011 (a decimal point)")),
        (commas(OPEN), "|", ("'1,011' may be 1011", "or 1.011 (a decimal comma)")),
        (commas(GROUPED), ";", ("'1,012' may be 1012", "or 1.012 (a decimal comma)")),
        (GROUPED, ",", ("'1.012' may be 1012", "zeros at its end were kept")),
        # 1020 without a point speaks against groups, 1.012 beside it for nothing
        (["1020", "987", *OPEN[:6]], ";", ("'1.011' may be 1011", "decimal: comma")),
    ],
)
def test_ambiguous_decimal_marks_are_refused_with_both_readings(
    tmp_path: Path, y: list[str], separator: str, readings: tuple[str, str]
) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, y, separator)
    assert all(words in str(caught.value) for words in readings)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("separator", [",", *SEPARATORS])
@pytest.mark.parametrize(("decimal", "first"), [("comma", 1011), ("point", 1.011)])
def test_the_setting_decides(tmp_path: Path, separator: str, decimal: str, first: float) -> None:
    if separator == ",":  # there the point is the default decimal mark
        prepared = read(tmp_path, GROUPED, separator, decimal=decimal)
        assert prepared.frame["y"].iloc[2] == {"comma": 1012, "point": 1.012}[decimal]
    else:
        assert read(tmp_path, OPEN, separator, decimal=decimal).frame["y"].iloc[0] == first


@pytest.mark.parametrize(
    ("y", "separator", "numbers"),
    [
        (["0.512", "1.012", "987", "1.020"], ";", [0.512, 1.012, 987, 1.02]),
        (["12.5", "1.012", "7", "1.020"], ";", [12.5, 1.012, 7, 1.02]),
        (OPEN[:4], ",", [1.011, 1.012, 1.013, 1.014]),
        (["1.5", "2.25", "3", "4"], ";", [1.5, 2.25, 3, 4]),
        (["1,5", "2,25", "3", "4"], ",", [1.5, 2.25, 3, 4]),  # quoted in a file of commas
        (["1,012.5", "987", "1,020", "3"], ",", [1012.5, 987, 1020, 3]),
        (["1.012,5", "987", "1.020", "3"], ";", [1012.5, 987, 1020, 3]),
        (["-1.012,5", "987", "-1.020", "3"], "\t", [-1012.5, 987, -1020, 3]),
        (["1 012,5", "987", "1\u00a0020", "3"], ";", [1012.5, 987, 1020, 3]),
        (["1'012.5", "987", "1\u2019020.25", "3"], ";", [1012.5, 987, 1020.25, 3]),
        (["1,012,345", "987", "1,020", "3"], ";", [1012345, 987, 1020, 3]),
        (["1,5", "", "NA", "3"], ";", [1.5, 1.5, 1.5, 3]),
        (["1,5e3", "2", "3", "4"], ";", [1500, 2, 3, 4]),
    ],
)
def test_marks(tmp_path: Path, y: list[str], separator: str, numbers: list[float]) -> None:
    cells = [*y, *["5"] * 4]
    prepared = read(tmp_path, cells, separator, on_gaps="fill")
    np.testing.assert_allclose(prepared.frame["y"], [*numbers, 5, 5, 5, 5])


def test_decimal_comma_far_into_the_file(tmp_path: Path) -> None:
    """The first comma is after the lines that are used to infer the dialect."""
    days = pd.date_range("2019-01-01", periods=400).strftime("%Y-%m-%d").tolist()
    y = [*["0"] * 320, *["1,5", "0"] * 40]
    path = write(tmp_path, {"unique_id": ["A"] * 400, "ds": days, "y": y})
    prepared = load(settings(data_file=path))
    assert prepared.frame["y"].sum() == 60
    assert "numbers were read with a decimal comma ('y')" in prepared.notes


@pytest.mark.parametrize("kind", ["data", "futr", "static"])
def test_marks_in_each_table(tmp_path: Path, kind: str) -> None:
    """Exogenous columns of all three files are read alike, or refused with the file's name."""
    frame = pd.DataFrame(
        {"unique_id": "A", "ds": pd.date_range("2021-01-01", periods=8), "y": 1}
    ).assign(x=range(8), z=4)
    frame[["unique_id", "ds", "y", "x"]].to_csv(tmp_path / "data.csv", index=False)
    files = {
        "data": (["unique_id", "ds", "y", "x"], frame.astype({"x": object})),
        "futr": (["unique_id", "ds", "x"], frame.tail(2).assign(ds=["2021-01-09", "2021-01-10"])),
        "static": (["unique_id", "z"], frame.head(1)),
    }
    columns, table = files[kind]
    cells = table[columns].astype(str)
    changed = "z" if kind == "static" else "x"
    asked = settings(
        horizon=2, futr_exog=["x"], stat_exog=["z"] if kind == "static" else [],
        data_file=tmp_path / "data.csv",
    )  # fmt: skip
    if kind != "data":
        asked[f"{kind}_file"] = tmp_path / f"{kind}.csv"
    values = {"1.012,5": 1012.5, "0,5": 0.5, "1.012": None}
    for text, number in values.items():
        cells.to_csv(tmp_path / f"{kind}.csv", index=False, sep=";")
        written = (tmp_path / f"{kind}.csv").read_text().splitlines()
        last = written[-1].rpartition(";")[0]
        (tmp_path / f"{kind}.csv").write_text("\n".join([*written[:-1], f"{last};{text}"]) + "\n")
        if number is None:
            with pytest.raises(UserError, match=f"'{changed}'.*'1.012' may be 1012"):
                load(asked)
        else:
            assert number in load(asked).frame[changed].tolist()


def test_texts_in_parquet_and_data_frames() -> None:
    table = pd.DataFrame({"unique_id": "A", "ds": pd.to_datetime(DAYS)})
    prepared = prepare(table.assign(y=COMMAS), settings())
    assert prepared.frame["y"].tolist() == [number + 0.5 for number in range(8)]
    with pytest.raises(UserError, match=r"'1\.012' may be 1012"):
        prepare(table.assign(y=GROUPED), settings())
    assert prepare(table.assign(y=OPEN), settings()).frame["y"].iloc[0] == 1.011


@pytest.mark.parametrize("decimal", [".", ","])
def test_many_different_texts_are_read_as_few(tmp_path: Path, decimal: str) -> None:
    """Many different strings are parsed together, with the same result."""
    number = 12_000
    cells = [f"{value // 1000}.{value % 1000:03d}" for value in range(1000, 1000 + number)]
    cells = [cell.replace(".", decimal) for cell in [*cells[:-1], "987"]]
    columns = {"unique_id": ["A"] * number, "ds": list(map(str, range(number))), "y": cells}
    path = write(tmp_path, columns, "\t")
    whole, parts = [*range(1000, 999 + number), 987], {".": "comma", ",": "point"}
    assert load(settings(data_file=path)).frame["y"].tolist() == whole
    prepared = load(settings(data_file=path, decimal=parts[decimal]))
    assert prepared.frame["y"].tolist() == whole
    path.write_text(path.read_text().removesuffix("987\n") + "many\n")
    with pytest.raises(UserError, match=r"1 value is not a number, e\.g\. 'many'"):
        load(settings(data_file=path, decimal=parts[decimal]))


# --- years of two digits --------------------------------------------------------------------------

THIS_YEAR = pd.Timestamp.now().year


def months(first: str, number: int, form: str) -> list[str]:
    return pd.date_range(first, periods=number, freq="MS").strftime(form).tolist()


def dated(times: Any, **changed: Any) -> Prepared:
    table = pd.DataFrame({"unique_id": "A", "ds": times})
    return prepare(table.assign(y=range(len(table))), settings(**changed))


@pytest.mark.parametrize("form", ["%b-%y", "%b %y", "%B-%y", "%d-%b-%y", "%d.%m.%y", "Q%q-%y"])
@pytest.mark.parametrize(
    "first",
    [
        *("1949-01", f"{THIS_YEAR - 11}-01"),
        *(
            pytest.param(first, marks=pytest.mark.long)
            for first in ("1965-01", "1995-01", "2015-01")
        ),
    ],
)
def test_the_century_is_whole_and_not_in_the_future(form: str, first: str) -> None:
    if form.startswith("Q"):
        stamps = pd.date_range(first, periods=44, freq="QS")
        texts = [f"Q{one.quarter}-{one:%y}" for one in stamps]
    elif "%d.%m" in form:  # days after the 12th show the order
        stamps = pd.date_range(first, periods=40, freq="D")
        texts = stamps.strftime(form).tolist()
    else:
        stamps = pd.date_range(first, periods=11 * 12, freq="MS")
        texts = stamps.strftime(form).tolist()
    prepared = dated(texts)
    assert prepared.frame["ds"].tolist() == list(stamps)
    assert any(f"two-digit years were read as {stamps[0]:%Y}" in n for n in prepared.notes)


def test_known_future_values_do_not_move_the_century() -> None:
    """Rows without a target may be in the future, those with one may not."""
    stamps = pd.date_range(f"{THIS_YEAR - 1}-01-01", periods=60, freq="MS")
    y = np.where(np.arange(60) < 12, 1.0, np.nan)
    table = pd.DataFrame({"unique_id": "A", "ds": stamps.strftime("%b-%y"), "y": y, "x": 1.0})
    prepared = prepare(table, settings(futr_exog=["x"]))
    assert prepared.frame["ds"].iloc[0] == stamps[0]
    past, later = table.head(12), table.tail(48)[["unique_id", "ds", "x"]]
    prepared = prepare(past, settings(futr_exog=["x"]), futr=later)
    assert prepared.frame["ds"].tolist() == list(stamps[:13])


def test_an_ambiguous_century_is_refused() -> None:
    times = [*months("1950-01", 24, "%b-%y"), *months("2010-01", 24, "%b-%y")]
    with pytest.raises(UserError, match="the century of two-digit years is ambiguous"):
        dated(times)


# --- whole numbers --------------------------------------------------------------------------------


def unix(stamps: pd.DatetimeIndex, unit: str) -> list[int]:
    return (
        stamps.as_unit("ns").asi8 // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    ).tolist()


MONTHS = pd.date_range("2021-01-01", periods=12, freq="MS")
KINDS = [int, str, float, "Int64"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freq", [None, "MS"])
def test_months_of_one_year(kind: Any, freq: str | None) -> None:
    times = pd.Series([202101 + month for month in range(12)])
    prepared = dated(times.astype(str if kind is str else kind), freq=freq)
    assert prepared.frame["ds"].tolist() == list(MONTHS)
    assert prepared.freq == "MS"
    assert any("read as dates (YYYYMM)" in note for note in prepared.notes)


@pytest.mark.parametrize("freq", [1, "1"])
def test_a_frequency_in_numbers_keeps_numbers(freq: Any) -> None:
    assert dated(range(202101, 202113), freq=freq).frame["ds"].tolist() == [*range(202101, 202113)]
    stamps = [1609459200 + step for step in range(8)]
    assert dated(stamps, freq=freq).frame["ds"].tolist() == stamps


@pytest.mark.parametrize("kind", [int, str, "Int64"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("freq", ["D", "MS", "h", "15min"])
def test_unix_time(unit: str, freq: str, kind: Any) -> None:
    stamps = pd.date_range("2015-01-01", periods=30, freq=freq)
    times = pd.Series(unix(stamps, unit)).astype(kind)
    prepared = dated(times)
    assert prepared.frame["ds"].tolist() == list(stamps)
    assert prepared.freq == freq
    assert any("read as Unix" in note for note in prepared.notes)


def test_unix_time_in_a_zone() -> None:
    days = pd.date_range("2021-03-01", periods=60, tz="Europe/Berlin")
    prepared = dated(unix(days, "ms"), tz="Europe/Berlin")
    assert prepared.frame["ds"].tolist() == list(days.tz_localize(None))


@pytest.mark.parametrize(
    ("form", "freq"),
    [("%Y%m%d", "D"), ("%Y%m%d%H", "h"), ("%Y%m%d%H%M", "15min"), ("%Y%m%d%H%M%S", "s")],
)
def test_dates_without_separators(form: str, freq: str) -> None:
    stamps = pd.date_range("2021-01-31", periods=30, freq=freq)
    assert dated(stamps.strftime(form).astype(int)).frame["ds"].tolist() == list(stamps)


def test_a_month_that_does_not_exist_is_named() -> None:
    times = [*range(202101, 202113), *range(202201, 202212), 202213]
    with pytest.raises(UserError, match=r"1 value of 24 cannot be read as a time, e\.g\. '202213'"):
        dated(times)


def test_counts_stay_counts() -> None:
    for first in (0, 1, 1900, 2001, 44197, 10**6, 202199, 20210190):
        times = list(range(first, first + 30))
        assert dated(times).frame["ds"].tolist() == times, first


@pytest.mark.parametrize(("freq", "end"), [("YS", "01-01"), ("YE", "12-31"), ("A", "12-31")])
def test_years_with_a_date_frequency(freq: str, end: str) -> None:
    prepared = dated(range(2001, 2013), freq=freq)
    assert prepared.frame["ds"].tolist() == [pd.Timestamp(f"{y}-{end}") for y in range(2001, 2013)]


def test_other_numbers_are_refused_with_the_right_hint() -> None:
    with pytest.raises(UserError, match=r"Excel's day numbers.*origin='1899-12-30'"):
        dated(range(44197, 44217), freq="D")
    with pytest.raises(UserError, match="whole numbers such as 5, but freq is 'D'"):
        dated(range(5, 25), freq="D")


# --- quarters, months, weeks ----------------------------------------------------------------------

QUARTERS = pd.date_range("2001-01-01", periods=12, freq="QS")
WEEKS = pd.date_range("2020-11-02", periods=12, freq="W-MON")  # over week 53


@pytest.mark.parametrize(
    "form",
    ["{y}Q{q}", "{y}-Q{q}", "{y} q{q}", "{y}/Q{q}", "{y}:Q{q}", "Q{q} {y}", "Q{q}-{y}", "q{q}/{y}",
     "{q}Q{y}", "{q}q {y}", "{y}q{q}", "{y}Q0{q}", "Q{q}{y}"],
)  # fmt: skip
def test_quarters(form: str) -> None:
    prepared = dated([form.format(y=one.year, q=one.quarter) for one in QUARTERS])
    assert prepared.frame["ds"].tolist() == list(QUARTERS)
    assert "times were read as quarters" in prepared.notes


@pytest.mark.parametrize(
    "form", ["%b%Y", "%Y%b", "%YM%m", "%Ym%m", "%Y-M%m", "%b %Y", "%Y-%m", "%m/%Y", "M%m/%Y"]
)
def test_months(form: str) -> None:
    assert dated(MONTHS.strftime(form)).frame["ds"].tolist() == list(MONTHS)
    assert dated([one.replace("M0", "M") for one in MONTHS.strftime(form)]).freq == "MS"


@pytest.mark.parametrize("form", ["%G-W%V", "%GW%V", "%G-w%V", "%G W%V", "W%V-%G", "%G-W%V-1"])
def test_weeks(form: str) -> None:
    prepared = dated(WEEKS.strftime(form))
    assert prepared.frame["ds"].tolist() == list(WEEKS)
    assert prepared.freq == "W-MON"


def test_half_years() -> None:
    prepared = dated(["2020-H1", "2020-H2", "2021-H1", "2021-H2", "2022-H1", "2022-H2"])
    assert prepared.frame["ds"].iloc[:2].tolist() == [
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2020-07-01"),
    ]


@pytest.mark.parametrize(
    ("texts", "freq", "first"),
    [
        ([f"{y}Q{q}" for y in (2001, 2002, 2003) for q in range(1, 5)], "QE", "2001-03-31"),
        ([f"2015M{m:02d}" for m in range(1, 13)], "ME", "2015-01-31"),
        ([f"2015-{m:02d}" for m in range(1, 13)], "M", "2015-01-31"),
        ([f"2015-{m:02d}" for m in range(1, 13)], "BME", "2015-01-30"),
        (list(range(201501, 201513)), "ME", "2015-01-31"),
        ([f"2020-W{w:02d}" for w in range(10, 22)], "W-SUN", "2020-03-08"),
        ([f"Jan {y}" for y in range(2001, 2013)], "MS", None),
    ],
)
def test_periods_are_dated_as_the_frequency_dates_them(
    texts: list[Any], freq: str, first: str | None
) -> None:
    if first is None:  # eleven months are missing after each
        with pytest.raises(UserError, match="121 time steps are missing"):
            dated(texts, freq=freq)
    else:
        assert dated(texts, freq=freq).frame["ds"].iloc[0] == pd.Timestamp(first)


@pytest.mark.parametrize("text", ["2021-W53", "2021-W00", "2015M13", "2015Q5", "week 3"])
def test_periods_that_do_not_exist_name_the_forms(text: str) -> None:
    kind = {"W": "2020-W{}", "M": "2015M{}", "Q": "2015-Q{}"}.get(text[4:5].strip("-") or text[5])
    times = [(kind or "2020-W{}").format(10)] * 8 if kind != "2015-Q{}" else ["2015-Q1"] * 8
    times = [*times, text]
    table = pd.DataFrame({"unique_id": [*"abcdefgh", "a"], "ds": times, "y": 1.0})
    with pytest.raises(UserError, match=r"e\.g\. .*write days as 2001-01-31.*weeks as 2001-W01"):
        prepare(table, settings(freq="D"))


# --- steps that no frequency explains -------------------------------------------------------------

BERLIN = pd.date_range("2021-03-01", periods=60, tz="Europe/Berlin")


def in_utc(days: pd.DatetimeIndex, form: str) -> Any:
    utc = days.tz_convert("UTC")
    if form == "zoned":
        return utc
    return utc.tz_localize(None) if form == "bare" else utc.strftime(form)


FORMS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%d %H:%M", "zoned", "bare"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("zone", "first", "freq"),
    [
        ("Europe/Berlin", "2021-03-01", "D"),
        ("Europe/Berlin", "2021-10-01", "D"),
        ("America/New_York", "2021-03-01", "D"),
        ("Australia/Sydney", "2021-03-15", "D"),
        ("Europe/Berlin", "2021-01-04", "W-MON"),
        ("Europe/Berlin", "2020-01-01", "MS"),
        ("Europe/Berlin", "2021-03-01", "B"),
        ("Europe/Berlin", "2020-01-01", "QS-OCT"),
    ],
)
def test_days_kept_in_utc(zone: str, first: str, freq: str, form: str) -> None:
    """They are refused with the step and the required key, and read with that key."""
    days = pd.date_range(first, periods=60, freq=freq, tz=zone)
    times = in_utc(days, form)
    prepared = dated(times, tz=zone)
    assert prepared.frame["ds"].tolist() == list(days.tz_localize(None))
    assert prepared.freq == freq
    assert any(f"converted to {zone}" in note for note in prepared.notes)
    with pytest.raises(UserError) as caught:
        dated(times)
    words = str(caught.value)
    assert "likely days of a zone with daylight saving time" in words
    assert "tz: " in words
    assert "two frequencies" not in words


def test_the_step_across_the_clock_change_is_named() -> None:
    with pytest.raises(UserError) as caught:
        dated(in_utc(BERLIN, FORMS[0]))
    assert (
        "(series 'A' at 2021-03-28 22:00:00); the step from 2021-03-27 23:00:00 to it takes "
        "23 hours, most take 1 day: likely days of a zone with daylight saving time"
    ) in str(caught.value)
    assert "tz: Europe/Berlin" in str(caught.value)


def test_hours_stay_in_utc() -> None:
    hours = pd.date_range("2021-03-27", periods=60, freq="h", tz="Europe/Berlin")
    prepared = dated(hours)
    assert prepared.frame["ds"].tolist() == list(hours.tz_convert("UTC").tz_localize(None))
    with pytest.raises(UserError, match="tz: Europe/Berlin does not suit steps shorter than a day"):
        dated(hours, tz="Europe/Berlin")
    winter = pd.date_range("2021-01-27", periods=60, freq="h", tz="Europe/Berlin")
    assert dated(winter, tz="Europe/Berlin").frame["ds"].tolist() == list(winter.tz_localize(None))


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_days_that_begin_at_six(tz: str | None) -> None:
    """Gas days: one hour of the local clock, two of UTC."""
    days = pd.date_range("2021-03-01 06:00", periods=60, tz="Europe/Berlin")
    texts = [one.isoformat() for one in days]
    assert dated(texts, tz=tz).frame["ds"].tolist() == list(days.tz_localize(None))


def test_zones_by_name() -> None:
    hours = pd.date_range("2021-03-13 05:00", periods=30, freq="h")
    prepared = dated(hours.strftime("%Y-%m-%d %H:%M:%S UTC"))
    assert prepared.frame["ds"].tolist() == list(hours)
    assert "times are in UTC" in prepared.notes
    with pytest.raises(UserError, match=r"' *2021-03-13 05:00:00 CET'.*T13:00\+01:00"):
        dated(hours.strftime("%Y-%m-%d %H:%M:%S CET"))


def test_a_zone_that_does_not_exist() -> None:
    with pytest.raises(UserError, match=r"tz 'Europe/Berln' is not a time zone.*'Europe/Berlin'"):
        dated(BERLIN, tz="Europe/Berln")


def test_times_without_a_zone_are_kept() -> None:
    prepared = dated(DAYS, tz="Europe/Berlin")
    assert prepared.frame["ds"].tolist() == list(pd.to_datetime(DAYS))
    assert any("tz: Europe/Berlin was not applied" in note for note in prepared.notes)


@pytest.mark.parametrize("freq", ["SMS", "SME"])
def test_twice_a_month(freq: str) -> None:
    stamps = pd.date_range("2015-01-01", periods=60, freq=freq)
    prepared = dated(stamps)
    assert prepared.freq == f"{freq}-15"
    assert prepared.season_length == 24
    assert dated(stamps, freq=freq).frame["ds"].tolist() == list(stamps)


def test_twice_a_month_on_other_days_is_named() -> None:
    stamps = [pd.Timestamp(2015, m, d) for m in range(1, 13) for d in (5, 20)]
    with pytest.raises(UserError, match="likely twice a month"):
        dated(stamps)


@pytest.mark.parametrize(("freq", "unit"), [("h", "h"), ("D", "D"), ("15min", "15min")])
@pytest.mark.parametrize("given", [True, False])
def test_the_jitter_of_a_clock(freq: str, unit: str, given: bool) -> None:
    stamps = pd.date_range("2021-01-01", periods=90, freq=freq)
    shifts = np.random.default_rng(0).integers(0, 4, len(stamps))
    times = stamps + pd.to_timedelta(shifts, unit="s")
    with pytest.raises(UserError) as caught:
        dated(times, freq=freq if given else None)
    words = str(caught.value)
    assert "likely clock jitter" in words
    assert "two frequencies" not in words
    if not given:
        assert f"dt.round('{unit}')" in words
    assert dated(times.round(unit)).freq == freq


def test_a_constant_shift_is_not_jitter() -> None:
    stamps = pd.date_range("2021-01-01 00:00:07", periods=30, freq="h")
    assert dated(stamps).freq == "h"


# --- one message, not two -------------------------------------------------------------------------


def complaint(times: list[Any], **changed: Any) -> str:
    table = pd.DataFrame({"unique_id": "A", "ds": times, "y": np.arange(float(len(times)))})
    with pytest.raises(UserError) as caught:
        prepare(table, settings(**changed))
    return str(caught.value)


def test_a_zone_of_other_days_names_the_right_one() -> None:
    days = pd.date_range("2024-02-01", periods=100, tz="Europe/Berlin").tz_convert("UTC")
    words = complaint([day.isoformat() for day in days], tz="America/New_York")
    assert words.endswith("start at different hours there; use tz: Europe/Berlin")


@pytest.mark.parametrize(
    ("times", "changed"),
    [
        (pd.date_range("1920-01-01", periods=1260, freq="MS").strftime("%b-%y"), {}),
        (range(60), {"freq": "D"}),
    ],
    ids=["open century", "a dated frequency for numbers"],
)
def test_ambiguous_times_are_the_only_reported_problem(times: Any, changed: dict[str, Any]) -> None:
    assert ";" not in complaint([*times], **changed).replace("; write", "")


@pytest.mark.parametrize("strange", ["2001Q1", "01.02.2021", "2021-W03", "Jan 2021"])
def test_times_in_two_notations(strange: str) -> None:
    words = complaint([*DAYS, strange])
    assert "the other times have another format" in words
    assert "quarters as" not in words


@pytest.mark.parametrize("gaps", ["error", "fill"])
@pytest.mark.parametrize(
    ("numbers", "right"),
    [([*range(202010, 202054), *range(202101, 202111)], "2020-W10"),
     ([10 * year + part for year in range(2001, 2004) for part in range(1, 5)], "2001Q1")],
)  # fmt: skip
def test_weeks_and_quarters_as_numbers(numbers: list[int], right: str, gaps: str) -> None:
    assert f"of years; write {right} (freq: 1 would" in complaint(numbers, on_gaps=gaps)


def test_whole_numbers_saved_as_decimals(tmp_path: Path) -> None:
    times = [f"{1_609_459_200 + 86_400 * day}.0" for day in range(8)]
    columns = {"unique_id": ["A"] * 8, "ds": times, "y": [str(day) for day in range(8)]}
    prepared = load(settings(data_file=write(tmp_path, columns, ",")))
    assert prepared.frame["ds"].dt.strftime("%Y-%m-%d").tolist() == DAYS
