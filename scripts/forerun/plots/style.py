"""One look for every picture of a run: colours, fonts, headings, file formats.

Figures are made with matplotlib's object interface under :func:`styled`, which lays Forerun's
settings over matplotlib's own defaults. A user's ``matplotlibrc``, the ``pyplot`` state and the
backend therefore play no part, and the same input gives the same bytes.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from forerun.files import replacing
from forerun.plots.text import FONTS, fit_text, wrap_text

ENSEMBLE, BEST = "ensemble", "best"
SPECIAL = (ENSEMBLE, BEST)

# Okabe and Ito's colours without black and yellow, which mean something else here, plus two that
# stay apart from them under every common kind of colour blindness (a test computes it).
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A2FA8", "#7A4A12",
)  # fmt: skip
INK, MUTED, GRID, SHADE = "#1F2933", "#5F6B7A", "#E6E9ED", "#F3F5F8"
ACTUAL, OTHER, HIGHLIGHT = "#4A5460", "#B4BCC6", "#F0E442"
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
    """Lay Forerun's style over matplotlib's defaults; everything is put back afterwards."""
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
    """How one model is drawn, in every picture alike."""

    colour: str
    width: float = 1.9
    dash: Any = "-"
    order: float = 4.0
    faint: bool = False
    """One of the many: drawn in grey, named together with the others."""
    alpha: float = 1.0

    def line(self) -> dict[str, Any]:
        """Return the keyword arguments of a line."""
        return {
            "color": self.colour,
            "linewidth": self.width,
            "linestyle": self.dash,
            "zorder": self.order,
            "alpha": self.alpha,
        }


# Nested: each stays visible where all three coincide.
_BEST = Look(HIGHLIGHT, width=8.0, order=2.6, alpha=0.9)
_ENSEMBLE = Look(INK, width=4.0, order=3.6)
_OTHERS = Look(OTHER, width=0.9, order=2.4, faint=True)


def looks(models: Iterable[str]) -> dict[str, Look]:
    """Give every model its look.

    Parameters
    ----------
    models
        Names of models, the most important first. As many as there are :data:`COLOURS` get a
        colour (the later half dashed as well), the rest are grey. ``ensemble`` and ``best`` have
        looks of their own and use up no colour: a thick dark line and a yellow highlighter.

    Returns
    -------
    dict
        Look per model. Make it once per run and hand it to every plot.
    """
    result: dict[str, Look] = {}
    plain = 0
    for model in dict.fromkeys(models):
        if model in SPECIAL:
            result[model] = _ENSEMBLE if model == ENSEMBLE else _BEST
        elif plain < len(COLOURS):
            late = plain >= len(COLOURS) // 2
            order = 5.0 - plain / 10
            result[model] = Look(COLOURS[plain], dash=DASHED if late else "-", order=order)
            plain += 1
        else:
            result[model] = _OTHERS
    return result


def page(
    title: str,
    subtitle: str = "",
    *,
    size: tuple[float, float],
    gutter: float = 0.0,
    keys: Sequence[Artist] = (),
    note: str = "",
) -> Figure:
    """Start a figure with its heading, and footnote, and leave the rest to the axes.

    Parameters
    ----------
    title, subtitle, note
        Heading in bold, a line below it, and a footnote; each is made to fit.
    size
        Width and height in inches of the part for the axes and the gutter; the figure becomes
        higher by what its heading and footnote take.
    gutter
        Inches left free at the right of the axes, for direct labels.
    keys
        Handles of a legend between heading and axes: there it cannot cover any data.
    """
    width = size[0]
    inside = width - 2 * MARGIN
    below = wrap_text(subtitle, inside, 9.5, lines=2) if subtitle else []
    feet = wrap_text(note, inside, 8.5, lines=3) if note else []
    top = MARGIN + 0.30 + 0.19 * len(below) + (0.30 if keys else 0.0)
    bottom = (0.16 * len(feet) + 0.12) if feet else 0.0
    height = size[1] + top + bottom
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    x = MARGIN / width

    def put(text: str, inches_down: float, **font: Any) -> None:
        figure.text(x, 1 - inches_down / height, text, va="top", ha="left", **font)

    title = fit_text(title, inside, 13.5, "bold")
    put(title, MARGIN, fontsize=13.5, fontweight="bold", color=INK)
    if below:
        put("\n".join(below), MARGIN + 0.29, fontsize=9.5, color=MUTED, linespacing=1.3)
    if keys:
        legend = figure.legend(
            handles=list(keys), loc="upper left", ncols=len(keys), frameon=False, fontsize=9,
            bbox_to_anchor=(x, 1 - (top - 0.24) / height), borderpad=0, borderaxespad=0,
            handlelength=1.9, handletextpad=0.6, columnspacing=1.8, labelcolor=MUTED,
        )  # fmt: skip
        legend.set_in_layout(False)
    if feet:
        figure.text(x, 0.1 / height, "\n".join(feet), va="bottom", ha="left", fontsize=8.5,
                    color=MUTED, linespacing=1.25)  # fmt: skip
    area = (x, bottom / height, (inside - gutter) / width, (height - top - bottom) / height)
    for text in figure.texts:
        text.set_in_layout(False)
    figure.set_layout_engine(
        ConstrainedLayoutEngine(rect=area, w_pad=0.02, h_pad=0.06, wspace=0.03, hspace=0.03)
    )
    figure.set_label(title)
    return figure


def settle(figure: Figure) -> None:
    """Run the layout once and keep it, so that things can be placed by the axes' positions."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def key_line(label: str, colour: str = ACTUAL, width: float = 1.5, dash: Any = "-") -> Line2D:
    """Return a handle for the legend of a :func:`page`."""
    return Line2D([], [], color=colour, linewidth=width, linestyle=dash, label=label)


def save(figure: Figure, folder: str | Path, stem: str) -> list[Path]:
    """Write a figure as ``<stem>.png`` and ``<stem>.svg``, each whole or not at all.

    The files hold no date: the same figure gives the same bytes.
    """
    written = []
    for kind in ("png", "svg"):
        path = Path(folder) / f"{stem}.{kind}"
        metadata = {"Title": figure.get_label() or stem}
        if kind == "svg":
            metadata |= {"Date": None}
        with style(), replacing(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)
        written.append(path)
    return written
