"""Figure of the calibration of prediction intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from forerun.base.errors import UserError
from forerun.base.text import plural
from forerun.evaluation.arrays import mean
from forerun.evaluation.losses import inside
from forerun.plots.frames import Frames, by_model, intervals, pick, values
from forerun.plots.page import Page, key_line
from forerun.plots.palette import ACTUAL, INK
from forerun.plots.series import ALONE, fill_palette
from forerun.plots.style import MARGIN, Look, styled
from forerun.plots.text import Numbers, fit_text

WIDTH = 10.0
MOST_LEVELS, MOST_MODELS = 4, 60


def coverage(cv: Frames, models: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the share of observations inside each interval of each model.

    Returns
    -------
    pandas.DataFrame
        Columns ``model, level, coverage`` (a share between 0 and 1), ``count``.
    """
    rows = []
    frames = by_model(cv)
    for model in pick(models, frames):
        frame = frames[model]
        actual = values(frame, "y")
        for level, (lower, upper) in intervals(frame, model).items():
            hits = inside(actual, values(frame, lower), values(frame, upper))
            if count := int((~np.isnan(hits)).sum()):
                rows.append((model, level, float(mean(hits, 0)), count))
    return pd.DataFrame(rows, columns=["model", "level", "coverage", "count"])


@styled
def calibration(
    cv: Frames,
    levels: Sequence[float] | None = None,
    *,
    models: Sequence[str] | None = None,
    palette: Mapping[str, Look] | None = None,
) -> Figure:
    """Draw the coverage of each model's intervals by level.

    A dot left of the line means that intervals are too narrow, right of it too wide.

    Parameters
    ----------
    cv
        Per model ``unique_id, ds, cutoff, y, <model>, <model>-lo-90, <model>-hi-90, ...``.
    levels
        Levels in percent; by default those in the table (at most four, evenly spread).
    models, palette
        As in :func:`forerun.plots.forecast`.

    Raises
    ------
    UserError
        If there are no intervals, or none of the requested levels.
    """
    table = coverage(cv, models)
    found = sorted(table["level"].unique())
    wanted = [level for level in found if levels is None or level in map(float, levels)]
    if not wanted:
        raise UserError("there are no prediction intervals to check: set `levels` in the settings")
    if len(wanted) > MOST_LEVELS:
        places = np.linspace(0, len(wanted) - 1, MOST_LEVELS).round().astype(int)
        wanted = [wanted[place] for place in places]
    names = list(dict.fromkeys(table["model"]))
    palette = fill_palette(palette, names)
    hidden, names = len(names[MOST_MODELS:]), names[:MOST_MODELS]
    height = 0.75 + 0.27 * max(3, len(names))
    page = Page(
        "Calibration of the prediction intervals",
        "Share of actual values inside the interval. Left of the line: intervals too "
        f"narrow; right of it: too wide. {plural(int(table['count'].max()), 'observation')}",
        size=(WIDTH, height), columns=len(wanted), keys=[key_line("level", ACTUAL, 1.4)],
        note=f"{plural(hidden, 'more model')} not shown." if hidden else "",
    )  # fmt: skip
    width = (WIDTH - 2 * MARGIN - 2.2) / len(wanted)
    for axes, level in zip(page.panels, wanted, strict=True):
        part = table[table["level"] == level].set_index("model")["coverage"]
        _panel(axes, part, level, names, palette, width)
    page.panels[0].set_yticks(range(len(names)), [fit_text(name, 2.2, 9) for name in names])
    for axes in page.panels:
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelleft=axes is page.panels[0])
    page.place()
    return page.figure


def _panel(
    axes: Axes,
    part: pd.Series,
    level: float,
    names: Sequence[str],
    palette: Mapping[str, Look],
    width: float,
) -> None:
    promised = level / 100
    axes.axvline(promised, color=ACTUAL, linewidth=1.4, zorder=2)
    for row, model in enumerate(names):
        if model not in part.index:
            continue
        share, look = float(part[model]), palette[model]
        color = ALONE.color if look.faint else look.color
        edge = INK if look.alpha < 1 else color
        axes.plot([promised, share], [row, row], color=color, linewidth=1.6, zorder=3)
        axes.plot([share], [row], marker="o", markersize=7, color=color, zorder=4,
                  markeredgecolor=edge)  # fmt: skip
    low, high = min(float(part.min()), promised), max(float(part.max()), promised)
    room = max(0.05, 0.12 * (high - low))
    axes.set_xlim(max(-0.02, low - room), min(1.02, high + room))
    axes.set_title(f"{level:g} % interval", fontsize=9.5)
    axes.set_xlabel("Observed coverage")
    ticks = MaxNLocator(nbins=max(2, int(width / 0.7))).tick_values(*axes.get_xlim())
    axes.set_xticks([tick for tick in ticks if axes.get_xlim()[0] <= tick <= 1])  # no 102 %
    axes.xaxis.set_major_formatter(Numbers(percent=True))
    axes.grid(axis="y", visible=False)
