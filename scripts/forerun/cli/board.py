"""Live progress of a run: state, step, loss and time of each model."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from forerun.base.files import modified_at
from forerun.base.terminal import echo
from forerun.base.text import clean, clock, visible
from forerun.cli.console import leaderboard, leaderboard_rows, show
from forerun.cli.standings import Standings
from forerun.runs.fit import Fit
from forerun.runs.progress import (
    FAILED,
    OK,
    RUNNING,
    STOPPED,
    WAITING,
    FitState,
    figures_drawn,
    survey,
    time_left,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

#: Seconds between two updates, and between two plain lines about a fit.
INTERVAL, REPORT = 0.5, 10.0
#: Seconds that final fits must take longer than the folds for a leaderboard before their end.
PATIENCE = 2.0


class Board:
    """Context manager that shows the progress of a run in a thread.

    In a terminal it updates a table; otherwise it prints one plain line for each event.

    Parameters
    ----------
    folder : str or Path
        The run's folder; it need not exist yet.
    console : rich.console.Console, optional
        Console to write to; standard output by default.
    plain : bool, optional
        Whether to print plain lines; by default if the console is not a terminal.
    since : float, optional
        Time stamp from which events are shown; now by default.

    Attributes
    ----------
    has_leaderboard : bool
        Whether the leaderboard was printed: as soon as it exists, before plots and report.
    """

    def __init__(
        self,
        folder: str | Path,
        console: Console | None = None,
        plain: bool | None = None,
        since: float | None = None,
    ):
        from rich.console import Console

        self.folder = Path(folder)
        self.console = console or Console(highlight=False)
        self.plain = not self.console.is_terminal if plain is None else plain
        self.since = time.time() - 1.0 if since is None else since
        self.began = time.time()
        self._shown: dict[Fit, tuple[str, float]] = {}
        self._stage = ""
        self.standings = Standings(self.folder, self.since)
        self.has_leaderboard = self._has_preview = False
        self._waited_since: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._live: Any = None

    def __enter__(self) -> Board:
        if not self.plain:
            from rich.live import Live

            self._live = Live(
                console=self.console, auto_refresh=False, vertical_overflow="crop",
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Update a last time and stop; the last table stays on the screen."""
        if self._over.is_set():
            return
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self.refresh()
        if self._live is not None:
            self._live.stop()

    def _watch(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception as error:  # training continues
                self._print(f"progress display stopped: {type(error).__name__}: {clean(error)}")
                return
            if self._over.wait(INTERVAL):
                return

    def refresh(self) -> list[FitState]:
        """Read the states, print new events and update the table."""
        states = survey(self.folder, self.since, self.standings.settings)
        for state in states:
            self._report(state)
        early = [] if self._over.is_set() else states
        self._report_errors(early)
        self._report_preview(early)
        if states and not any(each.state in (WAITING, RUNNING) for each in states):
            self._report_leaderboard()
            self._report_stage()
        if self._live is not None:
            self._live.update(self.table(states), refresh=True)
        return states

    def _report(self, now: FitState) -> None:
        state, elapsed = self._shown.get(now.fit, (WAITING, 0.0))
        news = now.state != state or (now.state == RUNNING and now.elapsed < elapsed)
        again = now.state == RUNNING and now.elapsed >= elapsed + REPORT
        if not news and not again:
            return
        self._shown[now.fit] = (now.state, now.elapsed)
        # In a terminal, print only failures above the table.
        if not now.is_old and (self.plain or now.state in (FAILED, STOPPED)):
            self._print(sentence(now), style="red" if now.state == FAILED else None)

    def _report_errors(self, states: list[FitState]) -> None:
        for line in self.standings.news(states):
            if self.plain:
                self._print(line)

    def _report_preview(self, states: list[FitState]) -> None:
        """Print the leaderboard once before the final fits, if these take longer than the folds."""
        left = [each.fit.fold for each in states if each.state in (WAITING, RUNNING)]
        if not left or any(fold is not None for fold in left):
            return
        self._waited_since = self._waited_since or time.monotonic()
        if self._has_preview or time.monotonic() < self._waited_since + PATIENCE:
            return
        self._has_preview = True
        if rows := self.standings.leaderboard():
            finals = sum(each.fit.fold is None for each in states)
            done = f"{finals - len(left)} of {finals} final fits"
            self._print(f"leaderboard so far, {done} completed; a model may still fail in its own:")
            self._show(leaderboard(rows, metric=self.standings.metric))

    def _report_leaderboard(self) -> None:
        path = self.folder / "leaderboard.csv"
        if self.has_leaderboard or not 0 < modified_at(path) >= self.since:
            return
        if rows := leaderboard_rows(path):
            self.has_leaderboard = True
            self._show(leaderboard(rows, path, metric=self.standings.metric))

    def _show(self, table: Table) -> None:
        self._live.console.print(table) if self._live else show(table, self.console.file)

    def _report_stage(self) -> None:
        now = stage(self.folder)
        if self.plain and now and now != self._stage:
            self._print(f"{self.folder.name}: {now}")
        self._stage = now

    def _print(self, line: str, style: str | None = None) -> None:
        if self.plain:
            echo(line, file=self.console.file)
        else:
            from rich.text import Text

            self.console.print(Text(visible(line), style=style or ""))

    def table(self, states: list[FitState]) -> RenderableType:
        """Return the table for the terminal."""
        from forerun.cli.board_table import draw

        words = [clock(time.time() - self.began)]
        if states and not any(each.state in (WAITING, RUNNING) for each in states):
            drawn = figures_drawn(self.folder)
            ending = "" if self._over.is_set() else "finishing"
            work = stage(self.folder) or ending
            words.append(work + (f" ({drawn} figures)" if drawn else ""))
        elif states:
            left = time_left(states)
            words.append("time left unknown" if left is None else left.words)
        size = self.console.size
        return draw(
            self.folder.name, states, ", ".join(filter(None, words)), size, self.standings.errors
        )


def sentence(now: FitState) -> str:
    """Return one plain line about a fit."""
    line, progress = f"{now.fit.model}: {now.fit.words}", now.progress
    if now.state == FAILED:
        return f"{line} failed: {now.reason} (log: {now.log or 'none'})"
    if now.state == STOPPED:
        return f"{line} stopped: {now.reason}"
    if now.state == OK and now.reason:
        return f"{line} without a result: {now.reason}"
    if now.state == OK:
        return f"{line} done in {now.elapsed:.0f} s"
    if not progress.step:
        starts = now.elapsed < REPORT
        return f"{line} starts" if starts else f"{line} has run for {now.elapsed:.0f} s"
    return f"{line}: {progress.words}"


def stage(folder: Path) -> str:
    """Return the current steps after the fits, from the missing outputs of the run."""
    for part, work in {"leaderboard.csv": "scoring", "predictions": "forecasting"}.items():
        if not (folder / part).exists():
            return work
    ends = {"plots": "drawing plots", "report.html": "writing the report"}
    return " and ".join(work for part, work in ends.items() if not (folder / part).exists())
