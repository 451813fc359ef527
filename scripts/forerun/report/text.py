"""Numbers, times and settings as people read them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import yaml

MISSING = "–"


def _number(value: Any) -> float | None:
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def number(value: Any) -> str:
    """Return a number with four significant digits, and ``–`` for none."""
    found = _number(value)
    if found is None:
        return MISSING
    size = abs(found)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{found:.3e}".replace("-", "\u2212")
    digits = 0 if size >= 1000 or size == 0 else max(0, 3 - math.floor(math.log10(size)))
    return f"{found:,.{min(digits, 4)}f}".replace("-", "\u2212")


def percent(value: Any) -> str:
    """Return a share as ``12.3 %``."""
    found = _number(value)
    return MISSING if found is None else f"{100 * found:.1f} %".replace("-", "\u2212")


def duration(seconds: Any) -> str:
    """Return seconds as ``0.4 s``, ``18 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    found = _number(seconds)
    if found is None:
        return MISSING
    if found < 9.95:
        return f"{found:.1f} s"
    whole = round(found)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(value: Any) -> str:
    """Return an ISO time as ``2026-01-02 03:04 UTC``."""
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        return MISSING if value is None else str(value)
    return when.strftime("%Y-%m-%d %H:%M") + (" UTC" if when.utcoffset() is not None else "")


def setting(value: Any) -> str:
    """Return a value of the configuration in one line of YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (str, int, float)):
        return str(value)
    dumped = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9)
    return dumped.strip().removesuffix("...").strip()
