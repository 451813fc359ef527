"""Text in figures: measuring, shortening, wrapping, and formatting numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import Formatter

from forerun.base import text
from forerun.base.text import MINUS

# DejaVu Sans is part of matplotlib; the others are used for letters that it does not have.
_FALLBACK = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "PingFang SC", "Hiragino Sans",
    "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Emoji",
)  # fmt: skip
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def _fonts() -> tuple[str, ...]:
    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _FALLBACK if name in installed))


FONTS = _fonts()


@functools.cache
def _renderer() -> RendererAgg:
    return RendererAgg(8, 8, 72)


@functools.lru_cache(maxsize=4096)
def _measure(text: str, size: float, weight: str) -> tuple[float, float]:
    font = FontProperties(family=list(FONTS), size=size, weight=weight)
    width, height, _ = _renderer().get_text_width_height_descent(text, font, False)
    return float(width) / 72, float(height) / 72


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line of text in inches; `size` is in points."""
    return _measure(text, size, weight)[0]


def text_height(size: float) -> float:
    """Return the height of a line of text in inches."""
    return _measure("lp", size, "normal")[1]


def fit_text(line: object, width: float, size: float, weight: str = "normal") -> str:
    """Shorten text in its middle until it is at most `width` inches wide.

    Both ends are kept, as names of series and models often differ there.
    """
    whole = text.clean(line) or " "
    kept = len(whole)
    if kept > 1000:
        whole, kept = whole[:500] + whole[-500:], 1000
    result = whole
    while kept > 2 and text_width(result, size, weight) > width:
        kept = min(kept - 1, math.ceil(kept * width / text_width(result, size, weight)))
        kept = max(kept, 2)
        head = (kept + 1) // 2
        result = f"{whole[:head].rstrip()}…{whole[len(whole) - (kept - head) :].lstrip()}"
    return result


def wrap_text(line: str, width: float, size: float, lines: int) -> list[str]:
    """Break text at spaces into at most `lines` lines of `width` inches; shorten the last one."""
    if text_width(text.clean(line), size) <= width:
        return [fit_text(line, width, size)]
    result: list[str] = []
    words = text.clean(line).split(" ")
    while words and len(result) < lines:
        take = 1
        while take < len(words) and text_width(" ".join(words[: take + 1]), size) <= width:
            take += 1
        last = len(result) == lines - 1
        result.append(fit_text(" ".join(words if last else words[:take]), width, size))
        words = words[take:]
    return result


def number(value: float) -> str:
    """Return a number with three meaningful digits: ``1,234``, ``12.3``, ``1.23 M``."""
    size = abs(text.real(value) or 0.0)
    for unit, letter in _UNITS:
        if unit <= size < 1e15:
            return f"{value / unit:,.2f} {letter}".replace("-", MINUS)
    return text.number(value, digits=3)


class Numbers(Formatter):
    """Tick labels with thousands separators, or in millions, and no more digits than needed."""

    def __init__(self, percent: bool = False) -> None:
        self.percent = percent

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of one value."""
        return f"{number(100 * x)} %" if self.percent else number(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the labels of all ticks of an axis, with the same number of digits."""
        ticks = np.asarray(values, dtype=float) * (100 if self.percent else 1)
        if not len(ticks):
            return []
        largest = float(np.abs(ticks).max())
        step = float(np.diff(np.sort(ticks)).min()) if len(ticks) > 1 else largest
        if largest >= 1e15 or (0 < step < 1e-6):
            return [f"{tick:.3g}".replace("-", MINUS) for tick in ticks]
        fitting = (pair for pair in _UNITS if largest >= pair[0] and step >= pair[0] / 100)
        unit, letter = next(fitting, (1.0, ""))
        step /= unit
        digits = 0 if step == 0 else max(0, -math.floor(math.log10(step) + 1e-9))
        if step > 0 and abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
            digits += 1
        end = f" {letter}" if letter else " %" if self.percent else ""
        labels = [f"{tick / unit:,.{digits}f}" for tick in ticks]
        zero = f"{0:.{digits}f}"
        return [(zero if label == f"-{zero}" else label).replace("-", MINUS) + end
                for label in labels]  # fmt: skip
