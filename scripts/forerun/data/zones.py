"""Time zones: which clock a table's times are kept in."""

from __future__ import annotations

import zoneinfo

import pandas as pd

from forerun.base.errors import suggest

#: Zones that are tried to explain times of which some lie an hour beside the others.
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
        return f"tz '{tz}' is no time zone, write a name such as Europe/Berlin or UTC{hint}"
    return ""


def local(utc: pd.Series, tz: str) -> pd.Series:
    """Return times in UTC (without a zone) as the clocks of a zone show them."""
    return utc.dt.tz_localize("UTC").dt.tz_convert(tz).dt.tz_localize(None)


def clocks(times: pd.Series) -> int:
    """Return how many times of day there are: one for days, 24 for hours."""
    return int((times.dropna() - times.dropna().dt.normalize()).nunique())


def settle(
    utc: pd.Series, wall: pd.Series, tz: str | None, written: str
) -> tuple[pd.Series, list[str], str]:
    """Choose the clock for times that have a zone.

    Days stay the days that they are where they were counted: at midnight, or at any hour that is
    the same in all seasons. Everything shorter is kept in UTC, which has no hour twice.

    Parameters
    ----------
    utc, wall : pandas.Series of datetime64
        The times in UTC, and as they are written.
    tz : str or None
        The zone that the user asked for.
    written : str
        The zone that they are written in, for messages.

    Returns
    -------
    times : pandas.Series
        Without a zone.
    notes : list of str
    trouble : str
        Why they cannot be read, or an empty string.
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
    """Choose the clock for times without a zone: unchanged, unless `tz` corrects them."""
    if tz is None or not times.notna().any():
        return times, []
    moved = local(times, tz)
    if clocks(moved) < clocks(times):
        return moved, [f"times without a zone were read as UTC and converted to {tz}"]
    return times, [f"times have no zone and were kept as they are (tz: {tz} was not applied)"]


def suggestion(utc: pd.Series) -> str:
    """Return ``, e.g. tz: Europe/Berlin``: a common zone in which these times share one clock."""
    return next((f"tz: {tz}" for tz in COMMON if clocks(local(utc, tz)) < clocks(utc)), "")


def _convert(utc: pd.Series, tz: str) -> tuple[pd.Series, list[str], str]:
    moved = local(utc, tz)
    offset = moved - utc
    if _varies(offset) and clocks(moved) >= clocks(utc):
        if better := suggestion(utc):
            trouble = f"tz: {tz} is not where these days begin at the same hour; {better} is"
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
