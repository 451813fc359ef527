"""Figure of a search: the error of each trial by round."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from forerun.base.errors import UserError
from forerun.base.text import PERCENT, plural
from forerun.plots.diagnostics import metric_label
from forerun.plots.page import Page, key_line
from forerun.plots.palette import ACTUAL, INK
from forerun.plots.series import Settings
from forerun.plots.style import MUTED, Look, styled
from forerun.plots.text import Numbers

WIDTH, HEIGHT = 10.0, 3.4
#: Width of a round in which its trials are spread by their numbers.
SPREAD = 0.5


@styled
def search(
    study: pd.DataFrame,
    name: str,
    chosen: Collection[int] = (),
    *,
    look: Look | None = None,
    metric: str = "mae",
    settings: Settings | None = None,
) -> Figure:
    """Draw the error of each trial of a search by round; lines join the rounds of a trial.

    Parameters
    ----------
    study
        The table of the search: ``round, trial, max_steps, status, error``.
    name
        Name of the search.
    chosen
        Numbers of the trials that became models.
    look
        Color of the chosen trials.
    metric, settings
        As in :func:`forerun.plots.leaderboard`.

    Raises
    ------
    UserError
        If no trial has an error.
    """
    good = study[study["error"].notna()]
    if good.empty:
        raise UserError(f"no trial of {name} succeeded")
    color = look.color if look and not look.faint else ACTUAL
    rest = len(study) - len(good)
    page = Page(
        f"Search {name}",
        f"Error of each trial on data before the cross-validation, by round. "
        f"{plural(study['trial'].nunique(), 'trial')}, {plural(len(good), 'fit')}",
        size=(WIDTH, HEIGHT),
        keys=[key_line("became models", color, 2.0), key_line("other trials", MUTED, 1.2)],
        note=f"{plural(rest, 'fit')} without a result not shown." if rest else "",
    )
    axes = page.panels[0]
    numbers = max(1, int(study["trial"].max()))
    for trial in good["trial"].unique():
        part, kept = good[good["trial"] == trial].sort_values("round"), trial in chosen
        x = part["round"] + SPREAD * (trial / numbers - 0.5)
        axes.plot(
            x, part["error"], marker="o", markersize=6 if kept else 4, zorder=4 if kept else 3,
            color=color if kept else MUTED, linewidth=1.8 if kept else 0.8,
        )  # fmt: skip
    rounds = study.drop_duplicates("round")[["round", "max_steps"]]
    names = [_round(number, steps) for number, steps in rounds.itertuples(index=False)]
    axes.set_xticks(rounds["round"].tolist(), names)
    axes.set_xlim(rounds["round"].min() - 0.5, rounds["round"].max() + 0.5)
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.yaxis.set_major_formatter(Numbers(percent=metric in PERCENT))
    page.name_axes("", metric_label(metric, settings))
    page.place()
    return page.figure


def _round(number: float, steps: float) -> str:
    """Return the label of a round."""
    name = f"Round {int(number) + 1}"
    return name if pd.isna(steps) else f"{name}: {plural(int(steps), 'step')}"
