"""One color for each model of a run, the same in all plots and on all pages.

A model's place is its position in the configuration (baselines first): it does not change when
models are retrained, fail or change ranks, nor when a model is added at the end. The first places
have separate colors; with more models than colors, the best ones get them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from forerun.config.models import specs
from forerun.config.names import COMBINED, ENSEMBLE, PER_SERIES, REFERENCE

if TYPE_CHECKING:
    from forerun.runs.reader import RunReader

# Okabe and Ito's colors without black and yellow, which have other meanings here, plus two that are
# distinguishable from them with all common kinds of color blindness (checked by a test).
COLORS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7C1FD8", "#6E290B",
)  # fmt: skip
#: The same on black: equal hues, with distinguishable lightness.
DARK = (
    "#5BC5FF", "#F18A49", "#35A383", "#E898C5", "#AFE3FF", "#F9CE53", "#AB60E8", "#A37D52",
)  # fmt: skip
INK, DARK_INK = "#1F2933", "#F4F6F8"
#: Actual values: thin, in the color of text.
ACTUAL = INK
#: The ensemble: thick and red, distinguishable from actual values with any color vision.
MIXED, DARK_MIXED = "#E6004C", "#FF648C"
HIGHLIGHT, DARK_HIGHLIGHT = "#F0E442", "#848218"

#: Lines of the pages: dash and gap in pixels, as in SVG.
DASHES = ("solid", "9px,3px", "2px,3px", "9px,3px,2px,3px", "14px,4px", "5px,2px",
          "14px,3px,2px,3px,2px,3px", "5px,6px")  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Style of a model on a page: colors on white and on black, and its line."""

    light: str
    dark: str
    width: float = 2.0
    dash: str = DASHES[0]
    opacity: float = 1.0


# Nested widths: all remain visible where they coincide with a model.
_SPECIAL = {
    ENSEMBLE: Style(MIXED, DARK_MIXED, width=4.0),
    PER_SERIES: Style(HIGHLIGHT, DARK_HIGHLIGHT, width=8.0, opacity=0.9),
}


def configured(settings: Mapping[str, Any]) -> list[str]:
    """Return the names of a configuration's models, baselines first; empty without any."""
    return [spec.name for spec in specs(settings)] if "models" in settings else []


def places(models: Iterable[str], ranked: Iterable[str] = ()) -> dict[str, int]:
    """Assign each model its place among the colors.

    Parameters
    ----------
    models : names
        In the order of the configuration.
    ranked : names
        Best first: they get separate colors if there are more models than colors.

    Returns
    -------
    dict
        Number of each model, from 0; ``ensemble`` and ``per_series`` have none.
    """
    order = list(ranked)
    plain = [name for name in dict.fromkeys([*models, *order]) if name not in COMBINED]
    if len(plain) > len(COLORS):
        wanted = dict.fromkeys([REFERENCE, *order, *plain])
        by_rank = [name for name in wanted if name in plain]
        own = set(by_rank[: len(COLORS)])
        plain = [n for n in plain if n in own] + [n for n in by_rank if n not in own]
    return {name: place for place, name in enumerate(plain)}


def places_of(run: RunReader) -> dict[str, int]:
    """Return the :func:`places` of a run's models."""
    return places(run.models, run.ranked)


def is_dashed(place: int) -> bool:
    """Return whether the line of a place with a separate color is dashed (the second half)."""
    return place >= len(COLORS) // 2


def style(model: str, places: Mapping[str, int], run: int | None = None) -> Style:
    """Return the style of a model on a page.

    Parameters
    ----------
    places : dict
        From :func:`places`.
    run : int, optional
        Number of the run in a comparison: color stands for the model, dashes for the run.
    """
    if model in _SPECIAL:
        return replace(_SPECIAL[model], dash=DASHES[(run or 0) % len(DASHES)])
    place = places.get(model, 0)
    color = place % len(COLORS)
    dash = place // len(COLORS) + is_dashed(color) if run is None else run
    return Style(COLORS[color], DARK[color], dash=DASHES[dash % len(DASHES)])
