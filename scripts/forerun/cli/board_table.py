"""Rendering of the live progress table in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from forerun.base import text
from forerun.base.text import clock
from forerun.runs.progress import (
    FAILED,
    OK,
    RUNNING,
    STOPPED,
    WAITING,
    FitState,
    Progress,
    share,
    state_of,
)

#: Lines that are not rows: heading, frame, overall progress.
OTHER_LINES = 8
STYLES = {
    WAITING: "dim", RUNNING: "bold cyan", OK: "green", FAILED: "bold red", STOPPED: "yellow",
}  # fmt: skip
SIGNS = {WAITING: "·", RUNNING: "▸", OK: "✓", FAILED: "✗", STOPPED: "■"}
#: Minimum widths of terminals for progress bars, and for loss and time.
BARS, FIGURES = 78, 66
LOSS, BAR = 8, 10
#: States in order of priority if there is no room for all models.
URGENCY = (FAILED, STOPPED, RUNNING, WAITING, OK)


def draw(
    run_id: str,
    states: list[FitState],
    words: str,
    size: tuple[int, int],
    errors: Mapping[str, str] | None = None,
) -> Group:
    """Return the table of models and the overall progress, fitted to the terminal.

    `words` is shown next to the overall progress; `size` is (columns, lines); `errors` are those of
    the models scored so far. In a narrow terminal progress bars are omitted first, then loss, error
    and time; state, step and time left remain.
    """
    if not states:
        return Group(Text(f"{run_id}: preparing the run  {words}", style="dim"))
    width, height = size
    models = [list(group) for _, group in groupby(states, key=lambda each: each.fit.model)]
    shown, left_out = _choose(models, max(3, height - OTHER_LINES))
    columns = _columns(states, width, errors or {})
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    for name, options in columns.items():
        table.add_column(name, overflow="ellipsis", no_wrap=True, **options)
    for row in (row for model in shown for row in _rows(model, errors or {})):
        table.add_row(*(row.get(name, "") for name in columns))
    parts: list[RenderableType] = [table]
    if left_out:
        summary = f"{_summary(left_out)}\n"
        parts.append(Text(summary, style="dim", overflow="ellipsis", no_wrap=True))
    return Group(*parts, _overall(run_id, states, words, width))


def _columns(
    states: list[FitState], width: int, errors: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the columns that fit into the terminal.

    Widths do not depend on the current steps, so that columns do not move between updates.
    """
    right: dict[str, Any] = {"justify": "right"}
    longest = max(len(each.fit.model) for each in states)
    most = max(len(str(each.progress.max_steps)) for each in states)
    hours = any(max(each.elapsed, each.remaining or 0.0) >= 3600 for each in states)
    clocks = right | {"width": len("0:00:00" if hours else "00:00")}
    columns: dict[str, dict[str, Any]] = {
        "Model": {"width": min(longest, max(10, min(32, width // 4 - 6)))},
        "State": {"ratio": 1},
        "Progress": {"width": max(BAR, width // 2 - 40)},
        "Step": {"width": max(len("starting"), 2 * most + 1)} | right,
        "Loss": {"width": LOSS} | right,
        "Error": {"width": LOSS} | right,
        "Time": clocks,
        "Left": clocks,
    }
    hidden = {"Progress"} if width < BARS else set()
    hidden |= {"Loss", "Error", "Time"} if width < FIGURES else set()
    hidden |= set() if errors else {"Error"}
    return {name: options for name, options in columns.items() if name not in hidden}


def _choose(
    models: list[list[FitState]], room: int
) -> tuple[list[list[FitState]], list[list[FitState]]]:
    """Return the models for which there is room, in their order, and the others."""
    needed = [max(1, sum(each.state == RUNNING for each in model)) for model in models]
    if sum(needed) <= room:
        return models, []
    order = sorted(range(len(models)), key=lambda i: URGENCY.index(state_of(models[i])))
    kept: set[int] = set()
    for number in order:
        if room - needed[number] < 1:  # one line is for the summary of the others
            break
        room -= needed[number]
        kept.add(number)
    every = range(len(models))
    return [models[i] for i in every if i in kept], [models[i] for i in every if i not in kept]


def _summary(models: list[list[FitState]]) -> str:
    states = [state_of(model) for model in models]
    counts = ", ".join(f"{states.count(s)} {s}" for s in URGENCY if s in states)
    return f"… and {len(models)} more: {counts}"


def _rows(model: list[FitState], errors: Mapping[str, str]) -> list[dict[str, RenderableType]]:
    """Return a row for each running fit of a model, or a single one if none is running."""
    running = [each for each in model if each.state == RUNNING]
    rows = [_running(each) for each in running] or [_not_running(model)]
    name = model[0].fit.model
    rows[0] |= {"Model": Text(name), "Error": errors.get(name, "")}
    return rows


def _running(now: FitState) -> dict[str, RenderableType]:
    progress = now.progress
    words = ", ".join(filter(None, (now.fit.words, progress.origin)))
    return {
        "State": Text(f"{SIGNS[RUNNING]} {words}", style=STYLES[RUNNING]),
        "Progress": ProgressBar(total=1.0, completed=progress.share),
        "Step": _steps(progress),
        "Loss": _loss(now),
        "Time": clock(now.elapsed),
        "Left": "?" if now.remaining is None else clock(now.remaining),
    }


def _steps(progress: Progress) -> str:
    """Return the steps; nothing for a model that has none, as LightGBM, while it is fitted."""
    if not progress.max_steps:
        return "starting"
    return (
        f"{progress.step}/{progress.max_steps}" if progress.step or progress.max_steps > 1 else ""
    )


def _not_running(model: list[FitState]) -> dict[str, RenderableType]:
    state = state_of(model)
    done = sum(each.state == OK for each in model)
    words = {FAILED: "failed", STOPPED: "stopped", OK: "done", WAITING: "waiting"}[state]
    if state in (WAITING, STOPPED) and done:
        words += f", {done} of {len(model)} fits done"
    if state in (FAILED, STOPPED):
        words += f": {next(each.reason for each in model if each.state == state)}"
    seconds = sum(each.elapsed for each in model)
    return {
        "State": Text(f"{SIGNS[state]} {words}", style=STYLES[state]),
        "Progress": ProgressBar(total=len(model), completed=done),
        "Loss": next((_loss(each) for each in model if each.fit.fold is None), ""),
        "Time": clock(seconds) if seconds else "",
    }


def _loss(now: FitState) -> str:
    return "" if now.progress.loss is None else text.brief(now.progress.loss)


def _overall(run_id: str, states: list[FitState], words: str, width: int) -> Table:
    done = sum(each.state == OK for each in states)
    failed = sum(each.state == FAILED for each in states)
    stopped = sum(each.state == STOPPED for each in states)
    fits = f"{done} of {len(states)} fits" + (f", {failed} failed" if failed else "")
    fits += f", {stopped} stopped" if stopped else ""
    words = f"{fits}   {words}"
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, width - len(words) - 16))
    if width >= FIGURES:
        line.add_column(ratio=1, min_width=BAR)
    line.add_column(no_wrap=True, overflow="ellipsis", justify="right")
    bar = [ProgressBar(total=1.0, completed=share(states))] if width >= FIGURES else []
    line.add_row(Text(run_id, style="bold"), *bar, Text(words))
    return line
