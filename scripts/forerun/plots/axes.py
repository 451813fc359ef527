"""Common elements of axes: lines, limits, time, and labels next to the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from forerun.base.text import plural
from forerun.plots.palette import INK
from forerun.plots.style import MUTED, OTHER, SHADE, Look
from forerun.plots.text import Numbers, fit_text, text_width

LABEL_SIZE = 9.0
LABEL_HEIGHT = 0.185
"""Inches from one direct label to the next."""
LEADER, SAMPLE, LABEL_WIDTH = 0.30, 0.26, 2.3


@dataclass(frozen=True)
class Label:
    """A label next to the axes, connected to a point of its line unless that is NaN."""

    text: str
    x: float
    y: float
    look: Look


def draw_line(axes: Axes, x: np.ndarray, y: np.ndarray, look: Look, marker: bool = False) -> None:
    """Draw a line with gaps at NaN; isolated values become dots."""
    style = look.line()
    size = min(look.width, 2.4) + 2.2
    # Not `axes.plot`: limits are chosen, not found.
    axes.add_artist(Line2D(x, y, **style, marker="o" if marker else None, markersize=size))
    finite = np.isfinite(y)
    before = np.concatenate([[False], finite[:-1]])
    after = np.concatenate([finite[1:], [False]])
    alone = finite & ~before & ~after
    if alone.any() and not marker:
        axes.add_artist(Line2D(
            x[alone], y[alone], linestyle="none", marker="o", markersize=size,
            color=look.color, zorder=look.order,
        ))  # fmt: skip


def shade(axes: Axes, spans: Sequence[tuple[Any, Any]], starts: Sequence[Any]) -> None:
    """Shade stretches of the time axis, and mark where forecasts start."""
    across = axes.get_xaxis_transform()
    edges = [tuple(axes.convert_xunits(np.array(span))) for span in spans]
    axes.add_artist(PolyCollection(
        [[(start, 0), (start, 1), (end, 1), (end, 0)] for start, end in edges],
        facecolors=SHADE, linewidths=0, zorder=0, transform=across,
    ))  # fmt: skip
    places = axes.convert_xunits(np.array(starts))
    axes.add_artist(LineCollection(
        [[(place, 0), (place, 1)] for place in places], colors="#AEB7C2", linewidths=0.9,
        linestyles=[(0, (2, 2))], zorder=1, transform=across,
    ))  # fmt: skip


def finite_range(arrays: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """Return the lowest and highest finite value; ``None`` if there is no value."""
    parts = [array[np.isfinite(array)] for array in arrays]
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    return min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)


def value_limits(
    core: Iterable[np.ndarray], others: Iterable[np.ndarray], room: float = 1.5
) -> tuple[float, float]:
    """Return limits that show all of `core`, and the values of `others` that are not far away.

    A diverged model must not flatten all other lines: values more than `room` times the range of
    `core` beyond it are outside the limits.
    """
    others = list(others)
    base = finite_range(core) or finite_range(others) or (0.0, 1.0)
    span = base[1] - base[0] or 0.2 * abs(base[0]) or 1.0
    low, high = finite_range([*others, np.array(base)]) or base
    low, high = max(low, base[0] - room * span), min(high, base[1] + room * span)
    if base[0] == base[1]:  # a constant: do not blow up rounding errors around it
        around = 0.1 * abs(base[0]) or 1.0
        low, high = min(low, base[0] - around), max(high, base[0] + around)
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def value_axis(axes: Axes, height: float, percent: bool = False) -> None:
    """Give the y axis few, round ticks with readable numbers."""
    axes.yaxis.set_major_locator(MaxNLocator(nbins=max(2, min(7, int(height / 0.5)))))
    axes.yaxis.set_major_formatter(Numbers(percent))


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions as little as possible so that they are `gap` apart, in `low` to `high`.

    Least squares under the order of the positions (pool adjacent violators). If there is not enough
    room, the distance is reduced.
    """
    count = len(positions)
    if count == 0:
        return []
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda index: (positions[index], index))
    blocks: list[list[float]] = []  # mean of the shifted positions, how many
    for rank, index in enumerate(order):
        blocks.append([positions[index] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, size = blocks.pop()
            blocks[-1][0] = (blocks[-1][0] * blocks[-1][1] + mean * size) / (blocks[-1][1] + size)
            blocks[-1][1] += size
    shifted = [mean for mean, size in blocks for _ in range(int(size))]
    result = [0.0] * count
    for rank, index in enumerate(order):
        bounded = min(max(shifted[rank], low), high - (count - 1) * gap)
        result[index] = bounded + rank * gap
    return result


def gutter_width(texts: Iterable[str]) -> float:
    """Return the inches that direct labels with these texts need at the right of the axes."""
    widths = [text_width(fit_text(text, LABEL_WIDTH, LABEL_SIZE), LABEL_SIZE) for text in texts]
    return LEADER + SAMPLE + 0.12 + max(widths) if widths else 0.0


def others_text(count: int) -> str:
    """Return the label of the models that are drawn in gray."""
    return f"{plural(count, 'other model')}"


def last_point(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the last known point of a line as plot coordinates (NaN, NaN if there is none)."""
    finite = np.flatnonzero(np.isfinite(y))
    if not len(finite):
        return np.nan, np.nan
    return float(_plain(x[finite[-1]])), float(y[finite[-1]])


def _plain(value: object) -> float:
    if isinstance(value, np.datetime64):
        return float(date2num(value))
    return float(value)  # type: ignore[arg-type]


def direct_labels(figure: Figure, axes: Axes, labels: Sequence[Label]) -> None:
    """Write names to the right of the axes, each joined to its line by a thin leader.

    Call it after the axes are placed. Labels are moved apart, so that they do not overlap even if
    lines end close to each other.
    """
    box = axes.get_position()
    wide, high = (box.width * figure.get_figwidth(), box.height * figure.get_figheight())
    ends = [_end(axes, label) for label in labels]
    targets = [0.0 if np.isnan(y) else float(np.clip(y, 0, 1)) for _, y in ends]
    places = spread(targets, LABEL_HEIGHT / high, 0.02, 0.98)
    for label, (x, y), place in zip(labels, ends, places, strict=True):
        outside = "" if np.isnan(y) or -0.001 <= y <= 1.001 else " ↑" if y > 1 else " ↓"
        text = fit_text(label.text, LABEL_WIDTH - 0.15 * bool(outside), LABEL_SIZE) + outside
        start, stop = 1 + LEADER / wide, 1 + (LEADER + SAMPLE) / wide
        color = OTHER if label.look.alpha < 1 else label.look.color
        if not np.isnan(y):
            axes.add_line(Line2D(
                [max(x, 0), 1 + 0.04 / wide, start], [np.clip(y, 0, 1), np.clip(y, 0, 1), place],
                transform=axes.transAxes, clip_on=False, color=color, linewidth=0.7, zorder=2.2,
                alpha=0.85,
            ))  # fmt: skip
        axes.add_line(Line2D(
            [start, stop], [place, place], transform=axes.transAxes, clip_on=False,
            **label.look.line() | {"linewidth": min(label.look.width, 5.0)},
        ))  # fmt: skip
        axes.text(
            stop + 0.07 / wide,
            place,
            text,
            transform=axes.transAxes,
            va="center_baseline",
            ha="left",
            fontsize=LABEL_SIZE,
            color=MUTED if label.look.faint else INK,
        )


def _end(axes: Axes, label: Label) -> tuple[float, float]:
    """Return where a line ends, in fractions of the axes."""
    if np.isnan(label.x) or np.isnan(label.y):
        return np.nan, np.nan
    point = axes.transData.transform((label.x, label.y))
    x, y = axes.transAxes.inverted().transform(point)
    return float(x), float(y)


def panel_title(axes: Axes, name: str, width: float, detail: str = "") -> None:
    """Write a panel's title above it, at its left edge, with a gray detail behind the name."""
    tail = text_width(detail, 9) + 0.12 if detail else 0.0
    shown = fit_text(name, max(0.5, width - tail), 9.5, "bold")
    axes.set_title(shown, fontsize=9.5, fontweight="bold", loc="left", pad=5)
    if detail:
        shift = text_width(shown, 9.5, "bold") + 0.12
        figure = axes.get_figure(root=True)
        assert figure is not None
        move = ScaledTranslation(shift, 5 / 72, figure.dpi_scale_trans)
        axes.text(0, 1, detail, transform=axes.transAxes + move, fontsize=9, color=MUTED,
                  va="baseline", ha="left")  # fmt: skip
