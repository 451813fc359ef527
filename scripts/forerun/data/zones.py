"""Time zones of a table's times."""

from __future__ import annotations

import zoneinfo

import pandas as pd

from forerun.base.errors import suggest

#: Zones to suggest if some times are shifted by an hour.
COMMON = (
    "Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Halifax", "America/Sao_Paulo",
    "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland", "America/Santiago",
    "Asia/Jerusalem", "Atlantic/Azores",
)  # fmt: skip


def check(tz: str | None) -> str:
    """Return what is wrong with the name of a time zone, or an empty string."""
    if tz is None:
        return ""
    try:
        zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = suggest(tz, sorted(zoneinfo.available_timezones()))
        return f"tz '{tz}' is not a time zone; use a name such as Europe/Berlin or UTC{hint}"
    return ""


def local(utc: pd.Series, tz: str) -> pd.Series:
    """Convert times in UTC (without a zone) to the wall time of a zone."""
    return utc.dt.tz_localize("UTC").dt.tz_convert(tz).dt.tz_localize(None)


def clocks(times: pd.Series) -> int:
    """Return the number of distinct times of day: 1 for days, 24 for hours."""
    return int((times.dropna() - times.dropna().dt.normalize()).nunique())


def settle(
    utc: pd.Series, wall: pd.Series, tz: str | None, written: str
) -> tuple[pd.Series, list[str], str]:
    """Convert times that have a zone.

    Days keep their local date: times at midnight, or at the same hour all year. Shorter steps are
    converted to UTC, which has no duplicate hours.

    Parameters
    ----------
    utc, wall : pandas.Series of datetime64
        The times in UTC, and as written.
    tz : str or None
        The zone that the user configured.
    written : str
        The zone in which the times are written, for messages.

    Returns
    -------
    times : pandas.Series
        Times without a zone.
    notes : list of str
    trouble : str
        Why the times cannot be converted, or an empty string.
    """
    if _whole_days(wall):
        return wall, [f"times are whole days {written}: the days were kept, the zone dropped"], ""
    if tz is not None:
        return _convert(utc, tz)
    if _varies(wall - utc):
        if clocks(wall) < clocks(utc):
            note = f"times are at the same hours {written} all year: the zone was dropped"
            return wall, [note], ""
        return utc, ["times were converted to UTC (different offsets)"], ""
    moved = bool((wall - utc).dropna().any())
    return utc, ["times were converted to UTC" if moved else "times are in UTC"], ""


def settle_bare(times: pd.Series, tz: str | None) -> tuple[pd.Series, list[str]]:
    """Return times without a zone unchanged, unless converting them from UTC to `tz` helps."""
    if tz is None or not times.notna().any():
        return times, []
    moved = local(times, tz)
    if clocks(moved) < clocks(times):
        return moved, [f"times without a zone were read as UTC and converted to {tz}"]
    return times, [f"times have no zone and were kept as they are (tz: {tz} was not applied)"]


def suggestion(utc: pd.Series) -> str:
    """Return a setting such as ``tz: Europe/Berlin`` that makes times of day equal, or ""."""
    return next((f"tz: {tz}" for tz in COMMON if clocks(local(utc, tz)) < clocks(utc)), "")


def _convert(utc: pd.Series, tz: str) -> tuple[pd.Series, list[str], str]:
    moved = local(utc, tz)
    offset = moved - utc
    if _varies(offset) and clocks(moved) >= clocks(utc):
        if better := suggestion(utc):
            trouble = f"tz: {tz}: these days start at different hours there; use {better}"
            return moved, [], trouble
        first = utc[offset != offset.dropna().iloc[0]].min()
        return (
            moved,
            [],
            (
                f"tz: {tz} does not suit steps shorter than a day: its clocks change within the "
                f"data (at or before {first} UTC); leave tz out, times are then in UTC"
            ),
        )
    return moved, [f"times were converted to {tz}"], ""


def _varies(offset: pd.Series) -> bool:
    return offset.nunique() > 1


def _whole_days(times: pd.Series) -> bool:
    present = times.dropna()
    return bool((present == present.dt.normalize()).all())
