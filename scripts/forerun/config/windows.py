"""Cross-validation windows: the steps that are held out, and the fit that covers each window.

A window is ``horizon`` forecast steps that begin ``gap`` steps after a cutoff. Windows are numbered
0, 1, 2... from the oldest; the last one ends with the series. A fold is one fit: without ``refit``
one fold covers all windows, with ``refit: true`` each window is a fold, with ``refit: n`` each
``n`` windows are.
"""

from __future__ import annotations

from typing import Any

from forerun.base.errors import UserError

Settings = dict[str, Any]


def reach(settings: Settings) -> int:
    """Steps from a cutoff to the end of its window: what a model must be able to forecast."""
    return int(settings["horizon"]) + int(settings.get("gap") or 0)


def step_size(settings: Settings) -> int:
    """Steps between two cutoffs."""
    return int(settings.get("step_size") or settings["horizon"])


def n_windows(settings: Settings) -> int:
    """Number of windows; ``test_size``, if given, decides instead of ``n_windows``."""
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
    """Steps at the end of each series that cross-validation does not train on."""
    return reach(settings) + step_size(settings) * (n_windows(settings) - 1)


def folds(settings: Settings) -> list[range]:
    """The windows of each fit, oldest first."""
    number, refit = n_windows(settings), settings.get("refit")
    size = number if refit in (None, False) else int(refit)
    return [range(start, min(start + size, number)) for start in range(0, number, size)]


def others(settings: Settings, window: int, number: int) -> list[int]:
    """Windows to select or calibrate models for `window`: all that share no time step with it.

    Where every other window overlaps (a small ``step_size``), all others are taken; none is left
    when `number`, the number of windows, is 1.
    """
    rest = [other for other in range(number) if other != window]
    apart = [
        other for other in rest if abs(other - window) * step_size(settings) >= reach(settings)
    ]
    return apart or rest
