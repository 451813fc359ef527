"""How the live board looks in a terminal."""

from __future__ import annotations

from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from forerun.board import FAILED, OK, RUNNING, WAITING, Piece, clock, progress

#: Lines that are not rows: heading, frame, overall progress.
OTHER_LINES = 8
STYLES = {WAITING: "dim", RUNNING: "bold cyan", OK: "green", FAILED: "bold red"}
SIGNS = {WAITING: "·", RUNNING: "▸", OK: "✓", FAILED: "✗"}
#: What is looked for first when there is no room for all.
URGENCY = (FAILED, RUNNING, WAITING, OK)


def state_of(pieces: list[Piece]) -> str:
    """Return the state of a model from those of its pieces."""
    states = {piece.state for piece in pieces}
    for state in (FAILED, RUNNING):
        if state in states:
            return state
    return OK if states == {OK} else WAITING


def draw(run_id: str, pieces: list[Piece], seconds: float, height: int) -> Group:
    """Return the table of models and the overall progress, within `height` lines."""
    if not pieces:
        return Group(Text(f"{run_id}: preparing the run  {clock(seconds)}", style="dim"))
    models = [list(group) for _, group in groupby(pieces, key=lambda piece: piece.model)]
    shown, left_out = _choose(models, max(3, height - OTHER_LINES))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("Model", ratio=3, overflow="ellipsis", no_wrap=True)
    table.add_column("State", ratio=4, overflow="ellipsis", no_wrap=True)
    table.add_column("Progress", ratio=3, min_width=10)
    table.add_column("Step", justify="right", no_wrap=True)
    table.add_column("Loss", justify="right", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)
    table.add_column("Left", justify="right", no_wrap=True)
    for model in shown:
        _rows(table, model)
    if left_out:
        table.add_row(Text(_summary(left_out), style="dim"))
    return Group(table, _overall(run_id, pieces, seconds))


def _choose(models: list[list[Piece]], room: int) -> tuple[list[list[Piece]], list[list[Piece]]]:
    """Return the models there is room for, in their order, and the others."""
    needed = [max(1, sum(piece.state == RUNNING for piece in model)) for model in models]
    if sum(needed) <= room:
        return models, []
    order = sorted(range(len(models)), key=lambda i: URGENCY.index(state_of(models[i])))
    kept: set[int] = set()
    for number in order:
        if room - needed[number] < 1:  # one line says what is left out
            break
        room -= needed[number]
        kept.add(number)
    every = range(len(models))
    return [models[i] for i in every if i in kept], [models[i] for i in every if i not in kept]


def _summary(models: list[list[Piece]]) -> str:
    states = [state_of(model) for model in models]
    counts = ", ".join(f"{states.count(s)} {s}" for s in URGENCY if s in states)
    return f"… and {len(models)} more: {counts}"


def _rows(table: Table, model: list[Piece]) -> None:
    state = state_of(model)
    running = [piece for piece in model if piece.state == RUNNING]
    name = Text(model[0].model)
    done = sum(piece.state == OK for piece in model)
    for number, piece in enumerate(running):
        step = f"{piece.step}/{piece.max_steps}" if piece.max_steps else "starting"
        loss = "" if piece.loss is None else f"{piece.loss:.4g}"
        state_text = Text(f"{SIGNS[RUNNING]} {piece.what}", style=STYLES[RUNNING])
        times = (clock(piece.elapsed), clock(piece.remaining))
        bar = ProgressBar(total=1.0, completed=piece.share, pulse=not piece.step)
        table.add_row(name if not number else Text(""), state_text, bar, step, loss, *times)
    if running:
        return
    seconds = sum(piece.elapsed for piece in model)
    said = {FAILED: "failed", OK: "done", WAITING: f"waiting, {done} of {len(model)} fits done"}
    words = "waiting" if state == WAITING and not done else said[state]
    if state == FAILED:
        words += f": {next(piece.reason for piece in model if piece.state == FAILED)}"
    losses = [piece.loss for piece in model if piece.part == "final" and piece.loss is not None]
    bar = ProgressBar(total=len(model), completed=done)
    cells = [f"{losses[0]:.4g}" if losses else "", clock(seconds) if seconds else "", ""]
    table.add_row(name, Text(f"{SIGNS[state]} {words}", style=STYLES[state]), bar, "", *cells)


def _overall(run_id: str, pieces: list[Piece], seconds: float) -> Table:
    share = progress(pieces)
    new = [piece for piece in pieces if not piece.before]
    fresh = progress(new)
    left = seconds * (1 - fresh) / fresh if 0.05 < fresh < 1 and seconds > 5 else None
    done = sum(piece.state == OK for piece in pieces)
    failed = sum(piece.state == FAILED for piece in pieces)
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1, min_width=10)
    line.add_column(no_wrap=True)
    words = f"{done} of {len(pieces)} fits" + (f", {failed} failed" if failed else "")
    words += f"   {clock(seconds)}" + (f", about {clock(left)} left" if left is not None else "")
    line.add_row(Text(run_id, style="bold"), ProgressBar(total=1.0, completed=share), Text(words))
    return line
