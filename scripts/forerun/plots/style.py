"""Common style of all plots: colors, fonts, headings, file formats.

Figures use matplotlib's object interface under :func:`styled`, which applies Forerun's settings to
matplotlib's defaults. A user's ``matplotlibrc``, the ``pyplot`` state and the backend have no
effect, and equal input gives equal files.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.figure import Figure

from forerun.base.files import replacing
from forerun.config.names import ENSEMBLE, PER_SERIES
from forerun.plots import palette
from forerun.plots.palette import COLORS, HIGHLIGHT, INK, MIXED
from forerun.plots.rendering import pixels, png, render
from forerun.plots.text import FONTS

MUTED, GRID, SHADE = "#5F6B7A", "#E6E9ED", "#F3F5F8"
OTHER = "#B4BCC6"
DASHED = (0, (5.0, 1.6))

MARGIN = 0.22
"""Inches left free at every edge of a figure."""
DPI = 150

_KEPT = {"backend", "backend_fallback", "interactive", "toolbar", "date.epoch", "webagg.port"}
_OWN: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#9AA4B0",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titley": 1.0,  # where it is without measuring everything around it
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "figure.dpi": 100,
    "font.family": list(FONTS),
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.dash_capstyle": "butt",
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "forerun",
    "text.color": INK,
    "text.parse_math": False,  # a `$` in the name of a series is a dollar
    "xtick.color": "#9AA4B0",
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.color": "#9AA4B0",
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 9,
}

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def _settings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = dict(matplotlib.rcParamsDefault)
    return {key: value for key, value in defaults.items() if key not in _KEPT} | _OWN


@contextmanager
def style() -> Iterator[None]:
    """Apply Forerun's style to matplotlib's defaults during the block."""
    with warnings.catch_warnings(), matplotlib.rc_context(_settings()):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function draw in Forerun's style."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return function(*args, **kwargs)

    return inner


@dataclass(frozen=True)
class Look:
    """Style of a model in all plots."""

    color: str
    width: float = 1.9
    dash: Any = "-"
    order: float = 4.0
    faint: bool = False
    """One of the many: drawn in gray, named together with the others."""
    alpha: float = 1.0

    def line(self) -> dict[str, Any]:
        """Return the keyword arguments of a line."""
        return {
            "color": self.color,
            "linewidth": self.width,
            "linestyle": self.dash,
            "zorder": self.order,
            "alpha": self.alpha,
        }


# Nested widths: all remain visible where they coincide.
_SPECIAL = {
    PER_SERIES: Look(HIGHLIGHT, width=8.0, order=2.6, alpha=0.9),
    ENSEMBLE: Look(MIXED, width=4.0, order=3.6),
}
_OTHERS = Look(OTHER, width=0.9, order=2.4, faint=True)


def looks(models: Iterable[str], places: Mapping[str, int] | None = None) -> dict[str, Look]:
    """Return the style of each model.

    Parameters
    ----------
    models
        Names of models, the most important first; their lines are on top.
    places
        Their places among the colors (:func:`forerun.plots.palette.places`); by default in the
        order of `models`. The first models get a color (the second half of them with dashes), the
        rest are gray. ``ensemble`` and ``per_series`` have fixed styles: a thick red line and a
        yellow highlight.

    Returns
    -------
    dict
        Style of each model, to be used for all plots of a run.
    """
    names = list(dict.fromkeys(models))
    found = palette.places(names) if places is None else places
    ranks = {model: rank for rank, model in enumerate(n for n in names if n not in _SPECIAL)}
    result: dict[str, Look] = {}
    for model in names:
        place = found.get(model, len(COLORS))
        if model in _SPECIAL:
            result[model] = _SPECIAL[model]
        elif place < len(COLORS):
            dash = DASHED if palette.is_dashed(place) else "-"
            order = 5.0 - min(ranks[model], 9) / 10  # always above the ensemble's line
            result[model] = Look(COLORS[place], dash=dash, order=order)
        else:
            result[model] = _OTHERS
    return result


def save(
    figure: Figure, folder: str | Path, stem: str, formats: Collection[str] = ("png", "svg")
) -> list[Path]:
    """Write a figure as ``<stem>.png`` and ``<stem>.svg``, each completely or not at all.

    The files contain no date: equal figures give equal files.

    Parameters
    ----------
    formats : those to write; the others are not drawn
    """
    title = str(figure.get_label() or stem)
    svg = ""
    with style():
        if "svg" in formats:
            picture, svg = render(figure, DPI, title)
        else:
            picture = pixels(figure, DPI)
    written = []
    for kind in formats:
        content = svg.encode() if kind == "svg" else png(picture, DPI, title)
        path = Path(folder) / f"{stem}.{kind}"
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        written.append(path)
    return written
