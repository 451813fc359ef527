"""The figure of ``compare``: one row for each model, one mark for each run."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from forerun.base.text import PERCENT
from forerun.evaluation.comparison import BEST_MODEL, Compared
from forerun.plots.diagnostics import metric_label
from forerun.plots.page import Page
from forerun.plots.palette import COLORS
from forerun.plots.style import DPI, style
from forerun.plots.text import Numbers, fit_text

#: One for each run, next to its color.
MARKS = "osD^vPX*"


def draw(compared: Compared, metric: str) -> Figure:
    """Draw the errors of all models: one row for each model, one mark for each run."""
    rows = {m: v for m, v in compared.scores[metric].items() if m != BEST_MODEL}
    room = 9.0 / len(compared.names) - 0.6
    with style():
        keys = [
            Line2D([], [], color=COLORS[n % len(COLORS)], marker=MARKS[n % len(MARKS)],
                   linestyle="none", markersize=7, label=fit_text(name, room, 9))
            for n, name in enumerate(compared.names)
        ]  # fmt: skip
        page = Page(
            "Runs compared", _subtitle(compared),
            size=(10.0, 0.75 + 0.29 * len(rows)), keys=keys,
        )  # fmt: skip
        axes = page.panels[0]
        for number, key in enumerate(keys):
            pairs = [(v[number], place) for place, v in enumerate(rows.values())]
            points = [(error, place) for error, place in pairs if error is not None]
            axes.plot([x for x, _ in points], [y for _, y in points], linestyle="none",
                      marker=key.get_marker(), color=key.get_color(), markersize=7)  # fmt: skip
        axes.set_yticks(range(len(rows)), [fit_text(name, 2.2, 9) for name in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.xaxis.set_major_formatter(Numbers(metric in PERCENT))
        axes.set_xlabel(metric_label(metric, {"target_col": compared.target}))
        page.place()
    return page.figure


def _subtitle(compared: Compared) -> str:
    words = "Means over series and windows, lower is better"
    if compared.reasons:
        return f"{words} · not comparable: {'; '.join(compared.reasons)}"
    return " · ".join([words, *compared.notes[:1]])


def write(compared: Compared, metric: str, path: Path) -> None:
    """Write the figure of :func:`draw` in the format of the file's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        draw(compared, metric).savefig(path, dpi=DPI)
