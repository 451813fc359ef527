"""The frame of a panel: grid, tick marks, tick labels and names of the axes.

matplotlib's own axes make five objects for each tick and measure their text several times, which
took half of the time of a picture. A frame is made once, when limits and ticks are final.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from forerun.plots.text import text_height, text_width

LABEL_PAD = 4.0
"""Points between tick labels and the name of their axis."""


@dataclass
class Ticks:
    """The ticks of one axis inside its limits: `places` from 0 to 1, and `labels` if shown."""

    places: np.ndarray
    labels: list[str]
    offset: str
    size: float
    color: Any
    length: float
    grid: bool
    marks: bool
    minor: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def width(self) -> float:
        """Width of the widest label, in inches."""
        return max((text_width(label, self.size) for label in self.labels), default=0.0)

    @property
    def pad(self) -> float:
        """Points from the axis to the labels."""
        return self.length + float(matplotlib.rcParams["xtick.major.pad"])


def ticks_of(axis: Axis) -> Ticks:
    """Return the ticks of an axis whose limits are final."""
    x = isinstance(axis, XAxis)
    kind, mark, label = ("xtick", "bottom", "labelbottom") if x else ("ytick", "left", "labelleft")
    given: Any = axis.get_tick_params()
    defaults: Any = matplotlib.rcParams
    every = np.asarray(axis.get_majorticklocs(), dtype=float)
    low, high = sorted(axis.get_view_interval())
    margin = 1e-10 * (high - low)
    inside = (every >= low - margin) & (every <= high + margin)
    labels, offset = [], ""
    if given.get(label, True):
        formatter = axis.get_major_formatter()
        texts = formatter.format_ticks(every.tolist())
        labels = [text for text, shown in zip(texts, inside, strict=True) if shown]
        offset = formatter.get_offset()
    minor = np.asarray(axis.get_minorticklocs(), dtype=float)
    return Ticks(
        _places(axis, every[inside]), labels, offset,
        size=float(given.get("labelsize", defaults[f"{kind}.labelsize"])),
        color=given.get("labelcolor", defaults[f"{kind}.labelcolor"]),
        length=float(given.get("length", defaults[f"{kind}.major.size"])),
        grid=bool(given.get("gridOn", defaults["axes.grid"])),
        marks=bool(given.get(mark, True)),
        minor=_places(axis, minor[(minor >= low) & (minor <= high)]),
    )  # fmt: skip


def _places(axis: Axis, values: np.ndarray) -> np.ndarray:
    """Return values in parts of the axis: 0 where it begins, 1 where it ends."""
    transform = axis.get_transform()
    start, end = transform.transform(np.asarray(axis.get_view_interval(), dtype=float))
    return (transform.transform(values) - start) / (end - start) if len(values) else values


def draw_frame(axes: Axes, x: Ticks, y: Ticks) -> None:
    """Draw the frame of a panel, in the place of matplotlib's axes."""
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    grid = [((p, 0.0), (p, 1.0)) for p in x.places if x.grid]
    grid += [((0.0, p), (1.0, p)) for p in y.places if y.grid]
    rc: Any = matplotlib.rcParams
    axes.add_artist(LineCollection(
        grid, colors=rc["grid.color"], linewidths=rc["grid.linewidth"], zorder=0.5,
        transform=axes.transAxes, capstyle="projecting",
    ))  # fmt: skip
    for ticks, marker in ((x, TICKDOWN), (y, TICKLEFT)):
        if ticks.marks and ticks.length:
            _marks(axes, ticks.places, marker, ticks.length, rc["xtick.major.width"])
            _marks(axes, ticks.minor, marker, rc["xtick.minor.size"], rc["xtick.minor.width"])
    _label_x(axes, x)
    _label_y(axes, y)


def _marks(axes: Axes, places: np.ndarray, marker: Any, size: float, width: float) -> None:
    if not len(places):
        return
    zero = np.zeros(len(places))
    at = (places, zero) if marker == TICKDOWN else (zero, places)
    axes.add_artist(Line2D(
        *at, linestyle="none", marker=marker, markersize=size, clip_on=False, zorder=2.01,
        markeredgewidth=width, transform=axes.transAxes,
        color=matplotlib.rcParams["xtick.color"],
    ))  # fmt: skip


def _label_x(axes: Axes, ticks: Ticks) -> None:
    down = ticks.pad
    for place, label in zip(ticks.places, ticks.labels, strict=False):
        _write(axes, place, 0, label, (0, -down), ticks.size, ticks.color, ha="center", va="top")
    if ticks.labels:
        down += 72 * text_height(ticks.size)
    if ticks.offset:
        _write(axes, 1, 0, ticks.offset, (0, -down - 3), ticks.size, ticks.color,
               ha="right", va="top")  # fmt: skip
    if name := axes.get_xlabel():
        style = axes.xaxis.label
        _write(axes, 0.5, 0, name, (0, -down - LABEL_PAD), style.get_fontsize(),
               style.get_color(), ha="center", va="top")  # fmt: skip


def _label_y(axes: Axes, ticks: Ticks) -> None:
    left = ticks.pad
    for place, label in zip(ticks.places, ticks.labels, strict=False):
        _write(axes, 0, place, label, (-left, 0), ticks.size, ticks.color,
               ha="right", va="center_baseline")  # fmt: skip
    if name := axes.get_ylabel():
        style = axes.yaxis.label
        left += 72 * ticks.width + LABEL_PAD
        _write(axes, 0, 0.5, name, (-left, 0), style.get_fontsize(), style.get_color(),
               ha="center", va="bottom", rotation=90, rotation_mode="anchor")  # fmt: skip


def _write(
    axes: Axes, x: float, y: float, text: str, move: tuple[float, float], size: Any, color: Any,
    **place: Any,
) -> None:  # fmt: skip
    """Write text at a point of the panel, moved by points."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    moved = ScaledTranslation(move[0] / 72, move[1] / 72, figure.dpi_scale_trans)
    axes.add_artist(Text(
        x, y, text, fontsize=size, color=color, transform=axes.transAxes + moved, clip_on=False,
        zorder=3, **place,
    ))  # fmt: skip
