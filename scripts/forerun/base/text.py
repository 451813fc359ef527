"""Formatting of numbers, times and names, the same in plots, reports and on the terminal."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any

MINUS, MISSING = "\u2212", "\u2013"
#: Display names of metrics; metrics of levels keep their names.
METRICS = {
    "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "mape": "MAPE", "smape": "sMAPE", "mase": "MASE",
    "rmsse": "RMSSE", "scaled_crps": "CRPS", "wape": "WAPE", "rmsle": "RMSLE", "wql": "WQL",
}  # fmt: skip
#: Relative errors: shares in files, as in utilsforecast (sMAPE from 0 to 1), displayed as percent
#: (sMAPE from 0 to 100 %).
PERCENT = ("mape", "smape", "wape")
#: Characters that control a terminal or the layout: control characters, line ends, marks of the
#: writing direction, halves of surrogate pairs.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)


def clean(text: object) -> str:
    """Return text in one line, without control characters."""
    return _CONTROL.sub(" ", str(text)).strip()


def visible(text: object) -> str:
    """Return text in one line with control characters escaped, such as ``\\x1b``."""
    line = str(text)
    if line.isascii() and line.isprintable():  # several times as fast as the expression
        return line
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], line)


def split_at_commas(value: str) -> list[str]:
    """Return the items of a list such as ``NHITS, NBEATS``."""
    return [item.strip() for item in value.split(",") if item.strip()]


def plural(count: int, noun: str) -> str:
    """Return ``"1 model"``, ``"12 models"``; series stay series."""
    ending = "" if count == 1 or noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def metric(name: str) -> str:
    """Return the display name of a metric."""
    return METRICS.get(name, name)


def real(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def number(value: Any, digits: int = 4) -> str:
    """Return a number with `digits` significant digits, or all integer digits; ``–`` for none.

    Only very large and very small numbers have an exponent.
    """
    found = real(value)
    if found is None:
        return MISSING
    size = abs(found)
    if size >= 1e15 or 0 < size < 1e-5:
        return f"{found:.{digits - 1}e}".replace("-", MINUS)
    decimals = 0 if size == 0 else digits - 1 - math.floor(math.log10(size))
    return f"{found:,.{max(0, decimals)}f}".replace("-", MINUS)


def brief(value: Any) -> str:
    """Return a number without trailing zeros and with an ASCII minus, for progress lines."""
    shown = number(value).replace(MINUS, "-")
    return shown if "." not in shown or "e" in shown else shown.rstrip("0").rstrip(".")


def percent(value: Any) -> str:
    """Return a share as ``12.3 %``; below one percent with two significant digits, ``0.27 %``."""
    found = real(value)
    if found is None:
        return MISSING
    size = abs(100 * found)
    decimals = 1 if size >= 1 or size < 1e-6 else 1 - math.floor(math.log10(size))
    return f"{100 * found:,.{decimals}f} %".replace("-", MINUS)


def error(metric: str, value: Any) -> str:
    """Return the mean of a metric for display, relative errors as percent."""
    share = metric in PERCENT or metric == "skill" or metric.startswith("coverage_level")
    return percent(value) if share else number(value)


def duration(seconds: Any, whole: bool = False) -> str:
    """Return seconds as ``0.4 s`` (`whole`: ``0 s``), ``18 s``, ``3 min 05 s``, ``2 h 10 min``."""
    found = real(seconds)
    if found is None:
        return MISSING
    if found < 9.95 and not whole:
        return f"{found:.1f} s"
    rounded = round(found)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60:02d} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60:02d} min"


def clock(seconds: float | None) -> str:
    """Return seconds as ``0:07``, ``12:34`` or ``1:02:03``."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(value: Any) -> str:
    """Return an ISO time as ``2026-01-02 03:04 UTC``."""
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        return MISSING if value is None else str(value)
    return when.strftime("%Y-%m-%d %H:%M") + (" UTC" if when.utcoffset() is not None else "")


def setting(value: Any) -> str:
    """Return a configuration value as one line of YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (str, int, float)):
        return str(value)
    import yaml  # slow to import

    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9)
    return dumped.strip().removesuffix("...").strip()


def time_text(time: object) -> str:
    """Return a time stamp in ISO format, without the time of day if it is midnight."""
    import numpy as np
    import pandas as pd

    if isinstance(time, (int, float, np.integer, np.floating)):
        return f"{time:g}" if isinstance(time, (float, np.floating)) else str(time)
    stamp = pd.Timestamp(time)  # type: ignore[arg-type]
    return str(stamp.date()) if stamp == stamp.normalize() else stamp.isoformat(" ")
