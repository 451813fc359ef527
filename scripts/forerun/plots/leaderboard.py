"""Figure of the leaderboard: error, skill and cost of every model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.text import MINUS, PERCENT, duration, plural
from forerun.plots.diagnostics import NAMES, metric_label, short_name
from forerun.plots.page import Page
from forerun.plots.palette import INK
from forerun.plots.series import Settings, fill_palette
from forerun.plots.style import GRID, MUTED, Look, styled
from forerun.plots.text import Numbers, fit_text, number, text_width

WIDTH, ROW = 10.0, 0.29
MOST_MODELS = 80
_COLUMN = 0.95


@styled
def leaderboard(
    leaderboard: pd.DataFrame,
    metric: str = "mae",
    *,
    palette: Mapping[str, Look] | None = None,
    settings: Settings | None = None,
) -> Figure:
    """Draw the leaderboard: one bar for each model, best first, with skill and training time.

    Parameters
    ----------
    leaderboard
        One row for each model: ``model``, the metric's column, and optionally ``skill``,
        ``train_seconds``, ``peak_memory_mb``, ``status``, ``reason``.
    metric
        Column to draw; lower is better.
    palette, settings
        As in :func:`forerun.plots.forecast`.

    Raises
    ------
    UserError
        If the leaderboard has no such column or no rows.
    """
    if metric not in leaderboard.columns:
        raise UserError(f"the leaderboard has no metric '{metric}'")
    if leaderboard.empty:
        raise UserError("the leaderboard is empty: no model has been scored yet")
    board = _by_error(leaderboard, metric)
    palette = fill_palette(palette, list(board["model"]))
    columns = table_columns(board, metric)
    gutter = _table_width(columns)
    failed = int(board["error"].isna().sum())
    limit = _limit(board["error"])
    page = Page(
        "Leaderboard",
        " · ".join(filter(None, [
            f"{NAMES.get(metric, short_name(metric))}, lower is better",
            plural(len(board) - failed, "model"),
            f"{failed} without a result" if failed else "",
        ])),
        size=(WIDTH, 0.85 + ROW * (1 + max(2, len(board)))), gutter=gutter,
        note=_note(board["error"], limit, hidden=len(leaderboard) - len(board)),
    )  # fmt: skip
    axes = page.panels[0]
    _bars(axes, board, palette, limit)
    axes.set_xlabel(metric_label(metric, settings))
    _set_ticks(axes, metric, limit)
    page.place()
    _table(page.figure, axes, board, columns)
    return page.figure


def _by_error(leaderboard: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the models to show, best first, with the column ``error``."""
    board = leaderboard.assign(
        model=leaderboard["model"].astype(str),
        error=pd.to_numeric(leaderboard[metric], errors="coerce"),
    ).replace({"error": {np.inf: np.nan, -np.inf: np.nan}})
    board = board.sort_values(["error", "model"], kind="stable", na_position="last")
    return board.head(MOST_MODELS).reset_index(drop=True)


def _note(errors: pd.Series, limit: float, hidden: int) -> str:
    return " ".join(filter(None, [
        "▸ marks a bar that extends beyond the figure." if errors.max() > limit else "",
        f"{plural(hidden, 'more model')} not shown." if hidden else "",
    ]))  # fmt: skip


def _set_ticks(axes: Axes, metric: str, limit: float) -> None:
    """Set as many ticks as their labels leave room for."""
    ticks = Numbers(metric in PERCENT)
    longest = text_width(ticks.format_ticks([0.0, limit])[-1], 9) + 0.3
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(2, min(8, int(3.3 / longest)))))
    axes.xaxis.set_major_formatter(ticks)


def _limit(errors: pd.Series) -> float:
    """Return the limit of the axis, which may cut bars that are much longer than most others."""
    finite = errors.dropna()
    if finite.empty:
        return 1.0
    usual = finite[finite <= 8 * max(float(finite.median()), 0.0)]
    if len(usual) == len(finite) or usual.empty:
        return float(finite.max()) or 1.0
    return 1.2 * float(usual.max()) or 1.0


def _bars(axes: Axes, board: pd.DataFrame, palette: Mapping[str, Look], limit: float) -> None:
    low = min(0.0, float(board["error"].min(skipna=True) or 0.0))
    rows = blended_transform_factory(axes.transAxes, axes.transData)
    for row, (model, error) in enumerate(zip(board["model"], board["error"], strict=True)):
        look = palette[model]
        color = "#9FB2C1" if look.faint else look.color
        if math.isnan(error):
            axes.text(0.012, row, _reason(board.iloc[row]), transform=rows, va="center_baseline",
                      fontsize=9, color="#A33A2C")  # fmt: skip
            continue
        axes.barh(row, min(error, limit), height=0.66, color=color, zorder=3, linewidth=0.8,
                  edgecolor=INK if look.alpha < 1 else color)  # fmt: skip
        if error > limit:
            axes.plot([limit * 1.012], [row], marker=">", markersize=6, color=color,
                      clip_on=False, zorder=4)  # fmt: skip
    axes.set_xlim(1.03 * low, 1.03 * limit)
    axes.set_ylim(len(board) - 0.4, -1.45)
    axes.spines["left"].set_bounds(-0.5, len(board) - 0.4)
    axes.set_yticks(range(len(board)), [fit_text(name, 2.6, 9.5) for name in board["model"]])
    axes.tick_params(axis="y", length=0, labelsize=9.5, labelcolor=INK)
    axes.grid(axis="y", visible=False)


def _reason(row: pd.Series) -> str:
    status = str(row.get("status") or "failed")
    status = "no result" if status in ("ok", "nan") else status
    reason = row.get("reason")
    text = f"{status}: {reason}" if isinstance(reason, str) and reason else status
    return fit_text(text, 4.2, 9)


def table_columns(board: pd.DataFrame, metric: str) -> list[tuple[str, list[str]]]:
    """Return header and cells of the columns of figures next to the bars."""
    write = text.percent if metric in PERCENT else number
    cells = ["" if math.isnan(v) else write(v) for v in board["error"]]
    columns = [(short_name(metric), cells)]
    if "skill" in board and board["skill"].notna().any():
        columns.append(("skill", [_share(value) for value in board["skill"]]))
    if "train_seconds" in board and board["train_seconds"].notna().any():
        columns.append(("fit time", [_or_blank(v, duration) for v in board["train_seconds"]]))
    if "peak_memory_mb" in board and board["peak_memory_mb"].notna().any():
        columns.append(("memory", [_or_blank(v, _memory) for v in board["peak_memory_mb"]]))
    return columns


def _share(value: float) -> str:
    if pd.isna(value):
        return ""
    if value < -100:
        return f"< {MINUS}9,999 %"
    return "0 %" if abs(value) < 0.005 else f"{100 * value:+,.0f} %".replace("-", MINUS)


def _or_blank(value: float, write: Callable[[float], str]) -> str:
    return "" if pd.isna(value) else write(float(value))


def _memory(megabytes: float) -> str:
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _table(
    figure: Figure, axes: Axes, board: pd.DataFrame, columns: Sequence[tuple[str, list[str]]]
) -> None:
    """Write the columns of figures to the right of the bars, each row level with its bar."""
    wide = axes.get_position().width * figure.get_figwidth()
    rows = blended_transform_factory(axes.transAxes, axes.transData)
    for place, (header, cells) in enumerate(columns):
        x = 1 + (0.1 + _COLUMN * (place + 1)) / wide
        axes.text(x, -0.95, header, transform=rows, ha="right", va="center_baseline", fontsize=9,
                  color=MUTED)  # fmt: skip
        for row, cell in enumerate(cells):
            axes.text(x, row, cell, transform=rows, ha="right", va="center_baseline", fontsize=9.5,
                      fontweight="bold" if place == 0 else "normal")  # fmt: skip
    for row in range(len(board)):
        axes.plot([0, 1 + _table_width(columns) / wide], [row + 0.5, row + 0.5], transform=rows,
                  clip_on=False, color=GRID, linewidth=0.6, zorder=1)  # fmt: skip


def _table_width(columns: Sequence[object]) -> float:
    """Return where the table of figures ends, in inches from the axes."""
    return 0.1 + _COLUMN * len(columns)
