"""Spans and origins: calendar arithmetic, names and refusals."""

from __future__ import annotations

import pandas as pd
import pytest

from forerun.base.errors import UserError
from forerun.deployments.periods import Period, is_origin_name, origin_name, parse_time


@pytest.mark.parametrize(
    ("span", "time", "freq", "after"),
    [
        ("8W", "2024-01-03", "D", "2024-02-28"),  # weeks keep the day of the week
        ("1M", "2024-01-31", "ME", "2024-02-29"),  # a leap year
        ("1M", "2023-01-31", "ME", "2023-02-28"),
        ("3M", "2024-11-30", "ME", "2025-02-28"),  # across the end of the year
        ("1Q", "2024-01-01", "MS", "2024-04-01"),
        ("1Y", "2024-02-29", "D", "2025-02-28"),
        ("24h", "2024-03-30 12:00", "h", "2024-03-31 12:00"),  # the night of summer time in Europe
        ("1D", "2024-10-26 12:00", "h", "2024-10-27 12:00"),
        ("4 steps", "2024-01-01", "MS", "2024-05-01"),
        ("1 step", "2024-01-05", "B", "2024-01-08"),  # Friday to Monday
    ],
)
def test_calendar(span: str, time: str, freq: str, after: str) -> None:
    assert Period.parse(span, "every").after(pd.Timestamp(time), freq) == pd.Timestamp(after)


def test_counted_time_goes_in_steps() -> None:
    assert Period.parse("3 steps", "every").after(100, 5) == 115
    with pytest.raises(UserError, match="calendar time"):
        Period.parse("3W", "every").after(100, 5)


@pytest.mark.parametrize("text", ["", "W", "0W", "-1W", "1.5W", "2 months", None, 7, "1w"])
def test_invalid_spans(text: object) -> None:
    with pytest.raises(UserError, match=r"every: .* is not a span of time"):
        Period.parse(text, "every")


@pytest.mark.parametrize(
    ("time", "name"),
    [
        (pd.Timestamp("2024-01-28"), "2024-01-28"),
        (pd.Timestamp("2024-01-28 13:00"), "2024-01-28T13-00-00"),
        (17, "17"),
        (-3, "-3"),
    ],
)
def test_names_of_origins_can_be_read_again(time: object, name: str) -> None:
    assert origin_name(time) == name
    assert is_origin_name(name)
    assert parse_time(name, isinstance(time, pd.Timestamp), "origin") == time


@pytest.mark.parametrize("name", [".tmp-1", "2024-1-1", "..", "2024-01-01/x", "now", "9" * 19])
def test_other_folders_are_not_origins(name: str) -> None:
    assert not is_origin_name(name)


@pytest.mark.parametrize(("text", "dated"), [("soon", True), ("2024-13-01", True), ("x", False)])
def test_invalid_times(text: str, dated: bool) -> None:
    with pytest.raises(UserError, match="--from"):
        parse_time(text, dated, "--from")
