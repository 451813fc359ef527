"""The output of `predict`: combinations first, intervals in one order, numbers in full."""

from __future__ import annotations

import pandas as pd
import pytest

from forerun.cli.forecast_table import present


def frame(name: str, value: float, series: int = 1) -> pd.DataFrame:
    days = pd.date_range("2024-12-01", periods=2)
    columns = {name: value, f"{name}-lo-95": value - 2000, f"{name}-hi-95": value + 2000}
    columns |= {f"{name}-lo-80": value - 1000, f"{name}-hi-80": value + 1000}
    parts = [pd.DataFrame({"unique_id": f"s{n}", "ds": days, **columns}) for n in range(series)]
    return pd.concat(parts, ignore_index=True)


def test_one_series_shows_every_model_and_the_intervals_of_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    present({
        "NHITS": frame("NHITS", 21_400.5),
        "per_series": frame("per_series", 998.26)[["unique_id", "ds", "per_series"]],
        "ensemble": frame("ensemble", 21_423.4),
    })  # fmt: skip
    out = capsys.readouterr().out
    head, _, first = [line.split() for line in out.splitlines() if line.strip()][:3]
    assert head == ["ds", "lo-95", "lo-80", "ensemble", "hi-80", "hi-95", "per_series", "NHITS"]
    assert first == ["2024-12-01", "19,423", "20,423", "21,423", "22,423", "23,423", "998.26",
                     "21,400"]  # fmt: skip
    assert "intervals of ensemble; those of the other models are in the files" in out
    assert "e+" not in out


def test_many_series_name_the_levels(capsys: pytest.CaptureFixture[str]) -> None:
    present({"NHITS": frame("NHITS", 1.0, 1500), "ensemble": frame("ensemble", 1.0, 1500)})
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "2024" in line]
    shown, rows = rows[:-2], rows[-2:]
    assert len(shown) == 24  # of the first model
    assert "2,976 more rows are in the files" in out
    assert [row.split()[:3] for row in rows] == [
        ["ensemble", "1,500", "3,000"], ["NHITS", "1,500", "3,000"],
    ]  # fmt: skip
    assert all("80 %, 95 %" in row for row in rows)
