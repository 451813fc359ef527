"""Cross-validation windows and folds.

A window is ``horizon`` forecast steps that begin ``gap`` steps after a cutoff. Windows are numbered
0, 1, 2... from the oldest; the last one ends with the series. A fold is the set of windows that one
fit covers: all of them without ``refit``, one with ``refit: true``, ``n`` with ``refit: n``.
"""

from __future__ import annotations

from typing import Any

from forerun.base.errors import UserError

Settings = dict[str, Any]


def reach(settings: Settings) -> int:
    """Return the steps from a cutoff to the end of its window, which a model must forecast."""
    return int(settings["horizon"]) + int(settings.get("gap") or 0)


def step_size(settings: Settings) -> int:
    """Return the steps between two cutoffs."""
    return int(settings.get("step_size") or settings["horizon"])


def n_windows(settings: Settings) -> int:
    """Return the number of windows; ``test_size``, if given, overrides ``n_windows``."""
    test_size = settings.get("test_size")
    if test_size is None:
        return int(settings["n_windows"])
    if test_size < reach(settings):
        raise UserError(
            f"test_size: {test_size} is shorter than one window (horizon + gap = "
            f"{reach(settings)}); give at least that, or null"
        )
    return (int(test_size) - reach(settings)) // step_size(settings) + 1


def held_out(settings: Settings) -> int:
    """Return the number of steps at the end of each series that are held out."""
    return reach(settings) + step_size(settings) * (n_windows(settings) - 1)


def folds(settings: Settings) -> list[range]:
    """Return the windows of each fold, oldest first."""
    number, refit = n_windows(settings), settings.get("refit")
    size = number if refit in (None, False) else int(refit)
    return [range(start, min(start + size, number)) for start in range(0, number, size)]


def others(settings: Settings, window: int, number: int) -> list[int]:
    """Return the windows to select or calibrate models for `window`: those that do not overlap it.

    If every other window overlaps (a small ``step_size``), all others are returned. The list is
    empty if there is only one window (`number` is 1).
    """
    rest = [other for other in range(number) if other != window]
    apart = [
        other for other in rest if abs(other - window) * step_size(settings) >= reach(settings)
    ]
    return apart or rest
