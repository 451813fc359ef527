"""Layout of a figure: heading, legend, axes, room for labels, footnote.

The layout is computed in inches from measured text. matplotlib's layout engines draw repeatedly,
which takes seconds with many panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from forerun.plots.frame import Ticks, draw_frame, ticks_of
from forerun.plots.palette import ACTUAL, INK
from forerun.plots.style import MARGIN, MUTED
from forerun.plots.text import fit_text, text_width, wrap_text

_TITLE, _LINE, _KEYS, _FOOT = 0.30, 0.19, 0.30, 0.16
_TICKS_BELOW, _NAME_BELOW, _NAME_LEFT, _PANEL_TITLE = 0.26, 0.21, 0.24, 0.27


class Page:
    """A figure with heading, legend and footnote, and the axes in between.

    Parameters
    ----------
    title, subtitle, note
        Heading in bold, one or two lines below it, and a footnote, fitted to the width.
    size
        Width of the figure, and height of the axes, in inches; heading and footnote add to it.
    rows, columns
        Panels.
    share
        Whether the panels share both axes; then only the outer ones have tick labels.
    gutter
        Inches to the right of the axes, for direct labels.
    keys
        Handles of a legend between heading and axes, where it covers no data.
    count
        Number of panels in use, row by row.

    Attributes
    ----------
    figure, panels
        The figure and its axes, row by row.
    """

    def __init__(
        self,
        title: str,
        subtitle: str = "",
        *,
        size: tuple[float, float],
        rows: int = 1,
        columns: int = 1,
        share: bool = False,
        gutter: float = 0.0,
        keys: Sequence[Artist] = (),
        note: str = "",
        count: int | None = None,
    ) -> None:
        self.width, self.gutter = size[0], gutter
        inside = self.width - 2 * MARGIN
        below = wrap_text(subtitle, inside, 9.5, lines=2) if subtitle else []
        feet = wrap_text(note, inside, 8.5, lines=3) if note else []
        self.top = MARGIN + _TITLE + _LINE * len(below) + (_KEYS if keys else 0.0) + 0.04
        self.bottom = (_FOOT * len(feet) + 0.14) if feet else 0.0
        self.height = size[1] + self.top + self.bottom
        self.figure = Figure(figsize=(self.width, self.height))
        FigureCanvasAgg(self.figure)
        title = fit_text(title, inside, 13.5, "bold")
        self.figure.set_label(title)
        self._write(title, MARGIN, fontsize=13.5, fontweight="bold", color=INK)
        self._write("\n".join(below), MARGIN + _TITLE, fontsize=9.5, linespacing=1.3)
        if keys:
            self._legend(keys)
        self._write("\n".join(feet), self.height - 0.12, va="bottom", fontsize=8.5)
        self._x_name: Text | None = None
        self._y_name: Text | None = None
        self.rows, self.columns, self.share = rows, columns, share
        self.panels = self._make(rows * columns if count is None else count)

    def _write(self, text: str, down: float, **font: Any) -> None:
        if text:
            options: dict[str, Any] = {
                "va": "top",
                "ha": "left",
                "color": MUTED,
                "linespacing": 1.25,
            } | font
            self.figure.text(MARGIN / self.width, 1 - down / self.height, text, **options)

    def _legend(self, keys: Sequence[Artist]) -> None:
        self.figure.legend(
            handles=list(keys), loc="upper left", ncols=len(keys), frameon=False, fontsize=9,
            bbox_to_anchor=(MARGIN / self.width, 1 - (self.top - 0.25) / self.height),
            borderpad=0, borderaxespad=0, handlelength=1.9, handletextpad=0.6,
            columnspacing=1.8, labelcolor=MUTED,
        )  # fmt: skip

    def _make(self, count: int) -> list[Axes]:
        first: Axes | None = None
        panels = []
        for index in range(count):
            shared = first if self.share else None
            axes = self.figure.add_subplot(
                self.rows, self.columns, index + 1, sharex=shared, sharey=shared
            )
            first = first or axes
            panels.append(axes)
            if self.share:
                axes.set_autoscale_on(False)
                edge = index % self.columns == 0
                axes.tick_params(
                    labelbottom=index + self.columns >= count, labelleft=edge, left=edge
                )
        return panels

    def name_axes(self, x: str, y: str) -> None:
        """Name the axes; shared axes are named once."""
        if len(self.panels) == 1:
            self.panels[0].set_xlabel(x)
            self.panels[0].set_ylabel(y)
            return
        style: dict[str, Any] = {"fontsize": 9.5, "color": MUTED}
        self._x_name = self.figure.text(0, 0, x, va="bottom", ha="center", **style)
        self._y_name = self.figure.text(0, 0, y, va="center", ha="left", rotation=90, **style)

    def place(self) -> None:
        """Place the panels; call it after all of them are drawn."""
        outer_left, outer_below = (_NAME_LEFT, _NAME_BELOW) if self._x_name else (0.0, 0.0)
        ticks = [(ticks_of(axes.xaxis), ticks_of(axes.yaxis)) for axes in self.panels]
        left, right, above, below = self._margins(ticks)
        area_left, area_bottom = MARGIN + outer_left, self.bottom + outer_below + 0.10
        area_right, area_top = MARGIN + self.gutter, self.top
        wide = (self.width - area_left - area_right - sum(left) - sum(right)) / self.columns
        high = (self.height - area_bottom - area_top - sum(above) - sum(below)) / self.rows
        for index, axes in enumerate(self.panels):
            row, column = divmod(index, self.columns)
            x = area_left + sum(left[: column + 1]) + sum(right[:column]) + wide * column
            down = area_top + sum(above[: row + 1]) + sum(below[:row]) + high * (row + 1)
            axes.set_position((
                x / self.width, 1 - down / self.height, wide / self.width, high / self.height
            ))  # fmt: skip
        for axes, (along_x, along_y) in zip(self.panels, ticks, strict=True):
            draw_frame(axes, along_x, along_y)
        if self._x_name and self._y_name:
            x = (area_left + left[0] + self.width - area_right) / 2
            y = (area_bottom + self.height - area_top) / 2
            self._x_name.set_position((x / self.width, (self.bottom + 0.1) / self.height))
            self._y_name.set_position((MARGIN / self.width, y / self.height))

    def _margins(
        self, ticks: Sequence[tuple[Ticks, Ticks]]
    ) -> tuple[list[float], list[float], list[float], list[float]]:
        """Return the inches needed left and right of columns, above and below rows."""
        left, right = [0.0] * self.columns, [0.0] * self.columns
        above, below = [0.0] * self.rows, [0.0] * self.rows
        for index, (axes, (x, y)) in enumerate(zip(self.panels, ticks, strict=True)):
            row, column = divmod(index, self.columns)
            over_left, over_right = _overhang(x, 0.8 * self.width / self.columns)
            left[column] = max(left[column], _left(axes, y), over_left)
            right[column] = max(right[column], 0.06 + over_right)
            above[row] = max(above[row], _PANEL_TITLE if axes.get_title(loc="left") else 0.08)
            below[row] = max(below[row], _below(axes, x))
        gap = 0.0 if self.share else 0.22
        return left, [value + gap for value in right[:-1]] + right[-1:], above, below


def _left(axes: Axes, ticks: Ticks) -> float:
    return (ticks.width + 0.11 if ticks.width else 0.06) + (
        _NAME_LEFT if axes.get_ylabel() else 0.0
    )


def _overhang(ticks: Ticks, width: float) -> tuple[float, float]:
    """Return how far tick labels extend beyond panels `width` inches wide."""
    left = right = 0.0
    for place, label in zip(ticks.places, ticks.labels, strict=False):
        half, where = text_width(label, 9) / 2 + 0.05, place * width
        left, right = max(left, half - where), max(right, half - (width - where))
    return left, right


def _below(axes: Axes, ticks: Ticks) -> float:
    named = bool(axes.get_xlabel() or ticks.offset)
    return (_TICKS_BELOW if ticks.labels else 0.07) + (_NAME_BELOW if named else 0.0)


def key_line(label: str, color: str = ACTUAL, width: float = 1.5) -> Line2D:
    """Return a legend handle."""
    return Line2D([], [], color=color, linewidth=width, label=label)


def grid_of(count: int) -> tuple[int, int]:
    """Return rows and columns for a number of panels, with few empty places."""
    columns = 1 if count == 1 else 2
    if count > 4:
        choice = (3, 4) if count <= 12 else (4, 5)
        columns = min(choice, key=lambda wide: (-count % wide, wide))
    return int(np.ceil(count / columns)), columns
