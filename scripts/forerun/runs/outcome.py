"""What became of a fit, and of a model: ``parts/<model>/<fit>.json`` and ``status/<model>.json``.

These files are read and written here only. A run may be damaged or come from a stranger: reading is
bounded, and a value of the wrong type is as if it were missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from forerun.base.bounded import shaped
from forerun.base.files import read_json, write_json

#: Statuses that a rerun retries: the fit failed, or the run's ``time_limit`` had passed.
UNFINISHED = ("failed", "skipped")
STATUSES = ("ok", *UNFINISHED)

_SHAPE = {
    "status": str, "stage": str, "log": str, "attempts": int, "seconds": float,
    "cpu_seconds": float, "peak_memory_mb": float, "started_at": str, "finished_at": str,
    "reused_from": str, "gpu": str, "usage": {"*": float}, "model": str, "train_seconds": float,
    "cv_seconds": float, "scores": {"*": float}, "error": {"class": str, "message": str},
}  # fmt: skip
#: Left out of a file where there is nothing to say.
_OPTIONAL = ("cpu_seconds", "gpu", "usage", "scores")


@dataclass(frozen=True)
class Failure:
    """Why a fit failed: the class of the error, and its message."""

    kind: str = ""
    message: str = ""

    @property
    def reason(self) -> str:
        """The message, or what else there is to say."""
        return self.message or self.kind or "no reason given"


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What both files hold."""

    status: str
    error: Failure | None = None
    stage: str | None = None
    log: str | None = None
    attempts: int = 1
    peak_memory_mb: float | None = None
    reused_from: str | None = None
    finished_at: str = ""

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Return the record that a mapping of JSON describes; None without a valid status."""
        found = shaped(value, _SHAPE)
        if found.get("status") not in STATUSES:
            return None
        if (error := found.pop("error", None)) is not None:
            found["error"] = Failure(error.get("class", ""), error.get("message", ""))
        names = {each.name for each in fields(cls)}
        return cls(**{name: item for name, item in found.items() if name in names})

    @classmethod
    def read(cls, path: str | Path) -> Self | None:
        """Read a record; None if it is missing or damaged."""
        return cls.of(read_json(path))

    def as_dict(self) -> dict[str, Any]:
        """Return the record as its JSON file holds it."""
        error = {"class": self.error.kind, "message": self.error.message} if self.error else None
        found = asdict(self) | {"error": error}
        return {k: v for k, v in found.items() if k not in _OPTIONAL or v not in (None, {})}

    def write(self, path: str | Path) -> None:
        write_json(path, self.as_dict())

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    @property
    def reason(self) -> str:
        """Why it is not ok, in words."""
        return (self.error or Failure()).reason


@dataclass(frozen=True, kw_only=True)
class Outcome(_Record):
    """What became of a fit.

    Attributes
    ----------
    status : ``ok``, ``failed``, or ``skipped`` when the run's ``time_limit`` had passed
    stage : ``train_model`` or ``cross_validate``
    log : path of its log
    attempts : how many times it was tried in a row, this time included
    seconds : how long it took; ``cpu_seconds``: of computing
    reused_from : the run whose equal fit was taken
    gpu : the GPU that it was bound to
    usage : what Snakemake could not measure, as columns of a benchmark file
    """

    seconds: float = 0.0
    cpu_seconds: float | None = None
    started_at: str = ""
    gpu: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelStatus(_Record):
    """What became of a model: of its final fit and its back-tests together.

    Attributes
    ----------
    stage, error, log : of the fit that failed
    attempts : the most of any of its fits
    train_seconds, cv_seconds : of the final fit, and of all back-tests
    scores : mean of each metric; None where it is not defined
    """

    model: str = ""
    train_seconds: float | None = None
    cv_seconds: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
