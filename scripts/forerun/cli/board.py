"""The live board of a run: each model's work, step, loss and time, from the files in its folder.

Training jobs keep ``logs/<rule>/<piece>.progress.json`` up to date and write an outcome into
``parts/<model>/`` when they end, so the board shows jobs of a cluster as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.terminal import write
from forerun.base.text import clean, clock, visible
from forerun.config.frozen import read_frozen
from forerun.config.models import specs
from forerun.config.windows import folds
from forerun.runs.json_files import read_outcome, read_progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Seconds between two looks, and between two plain lines about one piece of work.
INTERVAL, SPEAK = 0.5, 10.0
WAITING, RUNNING, OK, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
#: Outcomes of fits that a rerun retries; a fit is skipped when the run's ``time_limit`` has passed.
_UNFINISHED = {"failed": FAILED, "skipped": STOPPED}


@dataclass
class Piece:
    """One fit of one model.

    Attributes
    ----------
    part : str
        ``final``, or ``fold_0``, ``fold_1``... for back-tests.
    elapsed, remaining : float or None
        Seconds; the time left is known once a step has been made.
    """

    model: str
    part: str
    state: str = WAITING
    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    elapsed: float = 0.0
    reason: str = ""
    log: str = ""
    before: bool = False

    @property
    def what(self) -> str:
        """The piece in words."""
        number = self.part.removeprefix("fold_")
        return "final fit" if self.part == "final" else f"back-test {int(number) + 1}"

    @property
    def share(self) -> float:
        """How much of the piece is done, from 0 to 1."""
        if self.state in (OK, FAILED):
            return 1.0
        return min(1.0, self.step / self.max_steps) if self.max_steps else 0.0

    @property
    def remaining(self) -> float | None:
        if self.state != RUNNING or not 0 < self.step <= self.max_steps:
            return None
        return self.elapsed / self.step * (self.max_steps - self.step)


def survey(folder: str | Path, since: float = 0.0) -> list[Piece]:
    """Return the state of each piece of a run's work; none before the run is frozen.

    Parameters
    ----------
    since : float
        Time stamp: outcomes from before it are marked ``before`` (failed ones are tried again), and
        progress from before it was left by a call that was killed.
    """
    folder = Path(folder)
    try:
        settings = read_frozen(folder / "config.yaml")
        names = [spec.name for spec in specs(settings)]
        parts = ["final", *(f"fold_{number}" for number in range(len(folds(settings))))]
    except UserError:
        return []
    return [_look(folder, name, part, since) for name in names for part in parts]


def _look(folder: Path, model: str, part: str, since: float) -> Piece:
    piece = Piece(model, part)
    outcome, written = _read(folder / "parts" / model / f"{part}.json", read_outcome)
    name = model if part == "final" else f"{model}_{part.removeprefix('fold_')}"
    rule = "train_model" if part == "final" else "cross_validate"
    progress, moved = _read(folder / "logs" / rule / f"{name}.progress.json", read_progress)
    piece.before = 0 < written < since
    if progress and moved >= since and moved > written:
        piece.state, piece.before = RUNNING, False
        piece.step, piece.max_steps = (
            _whole(progress.get("step")),
            _whole(progress.get("max_steps")),
        )
        piece.loss = _real(progress.get("loss"))
        # Its clock may be another machine's: time goes on from the file's own stamp.
        piece.elapsed = (_real(progress.get("elapsed")) or 0.0) + max(0.0, time.time() - moved)
    elif (ended := _UNFINISHED.get(str(outcome.get("status")))) and not piece.before:
        error = outcome.get("error") or {}
        piece.state, piece.log = ended, clean(outcome.get("log") or "")
        piece.reason = clean(error.get("message") or error.get("class") or "no reason given")
    elif outcome.get("status") == "ok":
        piece.state = OK
    if piece.state in (OK, FAILED, STOPPED):
        piece.elapsed = _real(outcome.get("seconds")) or 0.0
        piece.loss = _real((progress or {}).get("loss"))
    return piece


def _read(path: Path, read: Callable[[Path], dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """Return a JSON file and when it was written; empty and 0 if it is missing or damaged."""
    try:
        when = path.stat().st_mtime
    except OSError:
        return {}, 0.0
    value = read(path)
    return (value, when) if value else ({}, 0.0)


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


class Board:
    """Shows the progress of a run, in a thread of its own, while it is entered.

    In a terminal it is a table that is drawn anew; otherwise one plain line is printed per event.

    Parameters
    ----------
    folder : str or Path
        The run's folder; it need not exist yet.
    console : rich.console.Console, optional
        Where to draw; standard output if not given.
    plain : bool, optional
        Whether to print plain lines; what the console is decides if not given.
    since : float, optional
        Time stamp from which on things are news; now if not given.
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
        self._known: dict[tuple[str, str], tuple[str, float]] = {}
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
        """Look once more and stop; the last table stays on the screen."""
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
            except Exception as error:  # the work goes on without its picture
                self._print(f"the board stopped: {type(error).__name__}: {clean(error)}")
                return
            if self._over.wait(INTERVAL):
                return

    def refresh(self) -> list[Piece]:
        """Look at the folder; tell what is new; draw the table."""
        pieces = survey(self.folder, self.since)
        for piece in pieces:
            self._tell(piece)
        if self._live is not None:
            self._live.update(self.table(pieces), refresh=True)
        return pieces

    def _tell(self, piece: Piece) -> None:
        key = (piece.model, piece.part)
        state, spoken = self._known.get(key, (WAITING, 0.0))
        news = piece.state != state or (piece.state == RUNNING and piece.elapsed < spoken)
        again = piece.state == RUNNING and piece.elapsed >= spoken + SPEAK
        if not news and not again:
            return
        self._known[key] = (piece.state, piece.elapsed)
        # In a terminal only failures are worth a line above the table.
        if not piece.before and (self.plain or piece.state in (FAILED, STOPPED)):
            self._print(sentence(piece), style="red" if piece.state == FAILED else None)

    def _print(self, line: str, style: str | None = None) -> None:
        if self.plain:
            write(line, file=self.console.file)
        else:
            from rich.text import Text

            self.console.print(Text(visible(line), style=style or ""))

    def table(self, pieces: list[Piece]) -> RenderableType:
        """Return the picture of the board."""
        from forerun.cli.board_table import draw

        words = [clock(time.time() - self.began)]
        if pieces and not any(piece.state in (WAITING, RUNNING) for piece in pieces):
            words.append(stage(self.folder))
        elif (left := time_left(pieces)) is not None:
            words.append(f"about {clock(left)} left")
        size = self.console.size
        return draw(self.folder.name, pieces, ", ".join(filter(None, words)), size)


def sentence(piece: Piece) -> str:
    """Return one plain line about a piece of work."""
    line = f"{piece.model}: {piece.what}"
    if piece.state == FAILED:
        return f"{line} failed: {piece.reason} (log: {piece.log or 'none'})"
    if piece.state == STOPPED:
        return f"{line} stopped: {piece.reason}"
    if piece.state == OK:
        return f"{line} done in {piece.elapsed:.0f} s"
    if not piece.step:
        return (
            f"{line} begins" if piece.elapsed < SPEAK else f"{line} has run {piece.elapsed:.0f} s"
        )
    loss = "" if piece.loss is None else f", loss {text.brief(piece.loss)}"
    left = "" if piece.remaining is None else f", about {piece.remaining:.0f} s left"
    return f"{line}: step {piece.step} of {piece.max_steps}{loss}{left}"


def progress(pieces: Iterable[Piece]) -> float:
    """Return how much of all work is done, from 0 to 1; each piece counts alike."""
    shares = [piece.share for piece in pieces]
    return sum(shares) / len(shares) if shares else 0.0


def stage(folder: Path) -> str:
    """Return what is done after the fits: the first product of a run that is not there."""
    steps = {"leaderboard.csv": "scoring", "predictions": "forecasting", "plots": "drawing"}
    steps["report.html"] = "writing the report"
    return next((work for part, work in steps.items() if not (folder / part).exists()), "")


def time_left(pieces: Iterable[Piece]) -> float | None:
    """Estimate the seconds until all is done; None while nothing tells how long a fit takes.

    A fit takes as long as others of its model, or else as the mean of all; as many go on side by
    side as do now.
    """
    pieces = list(pieces)
    told = [piece for piece in pieces if piece.elapsed and piece.share and not piece.before]
    known = [(piece.model, piece.elapsed / piece.share) for piece in told]
    if not known:
        return None
    mean = sum(seconds for _, seconds in known) / len(known)
    total = 0.0
    for piece in (piece for piece in pieces if piece.state in (WAITING, RUNNING)):
        own = [seconds for model, seconds in known if model == piece.model] or [mean]
        total += max(0.0, sum(own) / len(own) - piece.elapsed)
    return total / max(1, sum(piece.state == RUNNING for piece in pieces))
