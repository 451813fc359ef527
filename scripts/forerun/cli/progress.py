"""Which model is where: plain lines, one per event. The live board replaces it in a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from forerun.files import read_json

INTERVAL = 0.5
#: Seconds between two lines about one model.
SPEAK = 10.0


def board(folder: Path, plain: bool) -> AbstractContextManager[Any]:
    """Return what shows the progress of a run while it is entered."""
    try:
        from forerun.board import Board  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return Lines(folder)
    return Board(folder, plain=plain)  # type: ignore[no-any-return,unused-ignore]


class Lines:
    """Print a line when a piece of work begins, now and then while it goes on, and when it ends."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: dict[str, Any] = {}
        self.ended = {str(path): _stamp(path) for path in self._outcomes()}

    def __enter__(self) -> Lines:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self.thread.join(timeout=5)
        self.look()

    def _watch(self) -> None:
        while not self.over.wait(INTERVAL):
            self.look()

    def _outcomes(self) -> Iterator[Path]:
        yield from sorted(self.folder.glob("parts/*/*.json"))

    def look(self) -> None:
        """Print what has happened since the last look."""
        for path in sorted(self.folder.glob("logs/*/*.progress.json")):
            self._moved(path)
        for path in self._outcomes():
            if self.ended.get(str(path)) != _stamp(path):
                self.ended[str(path)] = _stamp(path)
                self._done(path)

    def _moved(self, path: Path) -> None:
        state = read_json(path)
        if not isinstance(state, dict) or not state.get("model"):
            return
        last = self.seen.get(str(path))
        elapsed = float(state.get("elapsed") or 0)
        again = last is not None and elapsed >= last  # smaller: the piece was begun anew
        if again and elapsed < last + SPEAK:
            return
        self.seen[str(path)] = elapsed
        _print(describe(state))

    def _done(self, path: Path) -> None:
        state = read_json(path)
        if not isinstance(state, dict):
            return
        what = "trained" if path.stem == "final" else f"cross-validated (fit {path.stem[5:]})"
        name = path.parent.name
        if state.get("status") == "ok":
            _print(f"{name}: {what} in {state.get('seconds') or 0:.0f} s")
        else:
            error = (state.get("error") or {}).get("message", "no reason given")
            _print(f"{name}: {state.get('status')}: {error} (log: {state.get('log')})")


def describe(state: dict[str, Any]) -> str:
    """Return one line about a piece of work: step of steps, loss, time left."""
    step, steps = int(state.get("step") or 0), int(state.get("max_steps") or 0)
    stage = str(state.get("stage") or "").replace("_", " ")
    line = f"{state['model']}: {stage}"
    if not step or not steps:
        return f"{line}: starting"
    elapsed = float(state.get("elapsed") or 0)
    loss = state.get("loss")
    told = "" if loss is None else f", loss {loss:.4g}"
    return f"{line}: step {step} of {steps}{told}, about {elapsed / step * (steps - step):.0f} s left"


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _print(line: str) -> None:
    print(line, file=sys.stdout, flush=True)
