"""``summary.json``: what the table of runs shows of a sealed run, in one small file.

It is written with the seal. Size and time of the files that it was made from are recorded in it: if
they are different now, the folder is read instead.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from forerun.base.bounded import shaped
from forerun.base.files import read_mapping, write_json

NAME = "summary.json"
#: Files that it is computed from.
SOURCES = ("config.yaml", "provenance.json", "leaderboard.csv")
_SHAPE = {
    "models": [str], "horizon": int, "steps": int, "failed": int, "created": str, "best": str,
    "metric": str, "error": float, "duration": float, "best_model": str,
}  # fmt: skip


@dataclass
class Row:
    """One run of the table.

    Attributes
    ----------
    state : str
        ``complete``, ``partial``, ``failed``, ``running``, ``interrupted``, ``imported``,
        ``broken`` or ``empty``.
    parts : list of str
        Which of config, models, metrics, predictions, plots and report exist.
    best, metric, error : first model or combination of the leaderboard, and its mean error in the
        metric of the run
    best_model : the best single model
    duration : float or None
        Training time of all models in seconds.
    problem : what is wrong with a broken run
    """

    run_id: str
    models: list[str] = field(default_factory=list)
    horizon: int | None = None
    steps: int | None = None
    state: str = "empty"
    parts: list[str] = field(default_factory=list)
    failed: int = 0
    created: str | None = None
    best: str | None = None
    metric: str | None = None
    error: float | None = None
    duration: float | None = None
    problem: str | None = None
    best_model: str | None = None

    @property
    def status(self) -> str:
        """State, number of failed models and existing parts, in words."""
        words = self.state + (f" ({self.failed} failed)" if self.failed else "")
        if self.problem:
            return f"{words}: {self.problem}"
        return f"{words}: {' '.join(self.parts)}" if self.parts else words


def write(folder: str | Path, row: Row) -> None:
    """Write the summary of a run that has just been sealed."""
    stamps = _stamps(os.fspath(folder))
    if row.state != "complete" or row.problem or stamps is None:
        return
    found = {name: getattr(row, name) for name in _SHAPE}
    write_json(Path(folder) / NAME, {"sources": stamps, "run": found})


def fill(row: Row, folder: str) -> bool:
    """Fill `row` from the summary; return whether there is one that agrees with the folder."""
    record = read_mapping(f"{folder}/{NAME}")
    if not record or record.get("sources") != _stamps(folder):
        return False
    found = shaped(record.get("run"), _SHAPE)
    if "models" not in found or not os.path.isfile(f"{folder}/SEALED"):
        return False
    vars(row).update(found)
    row.state = "complete"
    return True


def _stamps(folder: str) -> list[list[int]] | None:
    """Return size and time of each source; None if one is missing or not a regular file."""
    found = []
    for name in SOURCES:
        try:
            state = os.lstat(f"{folder}/{name}")
        except OSError:
            return None
        if not stat.S_ISREG(state.st_mode):
            return None
        # Microseconds: JSON readers elsewhere keep integers of that size.
        found.append([state.st_size, state.st_mtime_ns // 1000])
    return found
